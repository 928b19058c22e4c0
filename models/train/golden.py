"""Writes golden.jsonl.gz: what the reference tokenizer makes of at least 20,000 strings.

Strings come from the written corpus (whole, cloaked, cut, glued) and from a seeded generator of
hostile ones. A line is {"text", "ids"} (the tokens alone), {"hex", "ids"} (raw bytes; each byte that
starts no valid UTF-8 sequence reads as U+FFFD) or {"context", "text", "inputs"} (the finished
inputs, one a window).
"""
import argparse
import gzip
import json
import random

import augment
import data
from tokenizer import Encoder, arrange, windows

RANGES = [(0x20, 0x7E), (0x00, 0x1F), (0x7F, 0xFF), (0x100, 0x24F), (0x250, 0x36F), (0x370, 0x52F),
          (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1FFF),
          (0x2000, 0x206F), (0x2070, 0x218F), (0x2190, 0x2BFF), (0x2E80, 0x303F), (0x3040, 0x30FF),
          (0x3100, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xF8FF),
          (0xF900, 0xFFFF), (0x10000, 0x10FFF), (0x1D400, 0x1D7FF), (0x1F000, 0x1FAFF),
          (0x20000, 0x2FFFF), (0xE0000, 0xE01EF), (0x100000, 0x10FFFF)]
JOINED = ["👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇨🇳", "1️⃣", "❤️", "🤦🏻‍♀️", "e\u0301", "n\u0303", "ก็", "각", "İ",
          "ﬁ", "㎏", "①", "Ⅷ", "½", "\u200b", "\u202e", "\ufeff", "\u00ad", "\u3000", "▁", "<s>", "</s>",
          "<unk>", "<pad>", "<mask>", "<text>", "<other>", "\r\n", "\x00", "\u2028", "Å", "Ω", "ſ", "ς"]


def random_char(rng, low, high):
    while True:
        cp = rng.randint(low, high)
        if not 0xD800 <= cp <= 0xDFFF:
            return chr(cp)


def hostile(rng, seeds):
    kind = rng.randrange(8)
    if kind == 0:
        low, high = rng.choice(RANGES)
        return "".join(random_char(rng, low, high) for _ in range(rng.randint(1, 24)))
    if kind == 1:
        return "".join(random_char(rng, *rng.choice(RANGES)) for _ in range(rng.randint(1, 20)))
    if kind == 2:
        return "".join(rng.choice(JOINED) + rng.choice(["", " ", "a", "我"]) for _ in range(rng.randint(1, 8)))
    text = list(rng.choice(seeds))
    if kind == 3:
        for _ in range(rng.randint(1, 5)):
            text.insert(rng.randint(0, len(text)), rng.choice(JOINED))
    elif kind == 4:
        for _ in range(rng.randint(1, 5)):
            text.insert(rng.randint(0, len(text)), random_char(rng, *rng.choice(RANGES)))
    elif kind == 5:
        text = [chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and rng.random() < 0.8 else c for c in text]
    elif kind == 6:
        text = [c + rng.choice(["\u0301", "\u0336", "\u20e3", "\ufe0f", ""]) for c in text]
    else:
        text = [c.upper() if rng.random() < 0.5 else c * rng.choice([1, 1, 1, 2, 5]) for c in text]
    return "".join(text)


def decode(raw):
    """Bytes to text as Go does it: one U+FFFD for every byte that starts no valid sequence."""
    out, at = [], 0
    while at < len(raw):
        for n in (1, 2, 3, 4):
            try:
                char = raw[at:at + n].decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(char) == 1:
                out.append(char)
                at += n
                break
        else:
            out.append("\ufffd")
            at += 1
    return "".join(out)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--corpus", required=True)
    p.add_argument("--weights", required=True)
    p.add_argument("--count", type=int, default=21000)
    p.add_argument("--seed", type=int, default=7)
    a = p.parse_args()
    rng = random.Random(a.seed)
    enc = Encoder(a.weights)
    rows = list(data.corpus(f"{a.corpus}/train")) + list(data.corpus(f"{a.corpus}/hard", True))
    seeds = [r.text for r in rows]
    cloak = augment.Cloak(seed=a.seed)
    texts = dict.fromkeys(["", " ", "   ", "a", "我"] + JOINED + seeds[:4000])
    while len(texts) < a.count * 0.55:
        texts[cloak(rng.choice(seeds))] = 1
    while len(texts) < a.count:
        texts[hostile(rng, seeds)] = 1
    lines = [{"text": t, "ids": ids} for t, ids in zip(texts, enc.batch(list(texts)))]
    for _ in range(300):
        raw = bytearray(rng.choice(seeds).encode())
        for _ in range(rng.randint(1, 6)):
            raw.insert(rng.randint(0, len(raw)), rng.randint(0x80, 0xFF))
        if rng.random() < 0.5:
            raw = raw[:rng.randint(1, len(raw))]
        lines.append({"hex": bytes(raw).hex(), "ids": enc.tokens(decode(bytes(raw)))})
    pool = [r for r in rows if r.context] or rows
    for n in range(700):
        r = rng.choice(pool)
        context = list(r.context)
        for _ in range(rng.randrange(4)):
            context.insert(0, (rng.choice("os"), rng.choice(seeds)))
        text = r.text if n % 3 else " ".join(rng.choice(seeds) for _ in range(rng.randint(2, 12)))
        turns = [(who, enc.tokens(t)) for who, t in context]
        lines.append({
            "context": [{"from": "other" if w == "o" else "self", "text": t} for w, t in context],
            "text": text,
            "inputs": [arrange(w, turns) for w in windows(enc.tokens(text))]})
    with gzip.GzipFile(f"{a.weights}/golden.jsonl.gz", "wb", 9, mtime=0) as out:
        for line in lines:
            out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    print(len(lines), "golden lines")


if __name__ == "__main__":
    main()
