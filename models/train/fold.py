"""The folding both text models read through: one code point in, zero or more code points out.

The table starts from the reference tokenizer's own normaliser (nmt_nfkc, asked one code point at a
time), then lower-cases, writes traditional characters as simplified ones, takes accents off Latin,
Greek and Cyrillic letters and drops what has no shape: joiners, bidi marks, variation selectors,
skin tones. Because every step looks at a single code point, a table is the whole specification.
"""
import gzip
import unicodedata

SPACE = 0x20
META = "▁"


def build(tokenizer_json):
    """Makes {code point: folded string} for every code point that does not stay as it is."""
    import opencc
    from tokenizers import Tokenizer

    normal = Tokenizer.from_file(tokenizer_json).normalizer
    simplify = opencc.OpenCC("t2s")
    table = {}
    for cp in range(0x110000):
        if 0xD800 <= cp <= 0xDFFF:
            continue
        char = chr(cp)
        out = _fold(char, normal, simplify)
        if out != char:
            table[cp] = out
    return table


def _fold(char, normal, simplify):
    if char == META or char.isspace():
        return " "
    out = normal.normalize_str(char)
    out = "".join(_bare(c) for c in out.lower())
    out = "".join(c for c in out if not _shapeless(c))
    if any(_han(c) for c in out):
        # One character at a time, so that a phrase table can never make context matter.
        out = "".join(simplify.convert(c) if _han(c) else c for c in out)
    return "".join(" " if c.isspace() or c == META else c for c in out)


def _bare(char):
    if unicodedata.category(char)[0] != "L" or ord(char) > 0x1FFF:
        return char
    split = unicodedata.normalize("NFKD", char)
    kept = "".join(c for c in split if unicodedata.category(c) != "Mn")
    return kept.lower() or char


def _shapeless(char):
    cp = ord(char)
    return (
        unicodedata.category(char) in ("Cf", "Cc", "Cs")
        or 0x0300 <= cp <= 0x036F
        or 0x20D0 <= cp <= 0x20FF
        or 0xFE00 <= cp <= 0xFE0F
        or 0xE0100 <= cp <= 0xE01EF
        or 0x1F3FB <= cp <= 0x1F3FF
    )


def _han(char):
    cp = ord(char)
    return 0x3400 <= cp <= 0x9FFF or 0xF900 <= cp <= 0xFAFF or 0x20000 <= cp <= 0x323AF


def save(table, path):
    with gzip.GzipFile(path, "wb", 9, mtime=0) as out:
        for cp in sorted(table):
            seq = " ".join(f"{ord(c):X}" for c in table[cp])
            out.write(f"{cp:X}\t{seq}\n".encode())


def load(path):
    table = {}
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            cp, seq = line.rstrip("\n").split("\t")
            table[int(cp, 16)] = "".join(chr(int(x, 16)) for x in seq.split())
    return table


def words(text, table):
    """Folds text and cuts it at U+0020; no word is empty."""
    return [w for w in text.translate(table).split(" ") if w]
