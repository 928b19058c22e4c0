"""Writes what pipeline/normal knows of which characters follow which, so that pinyin and homophones are read as
the words that they most likely stand for.

    python3 sounds.py --data DATA --jieba DICT

DATA is that of run.sh; DICT is dict.txt of the package jieba 0.42.1 (MIT). Counted are the Chinese texts that the
encoder trains on too (our own, COLD, KdConv, chatterbot-corpus, TeleAntiFraud; no test set) and jieba's words by
their frequency. Costs are -12 times the natural logarithm of a probability (a bigram's with absolute discounting,
Ney, Essen and Kneser 1994), at most 255.
    bigrams.gz    big endian. u16 n; n characters as u16 (U+0000 first: anything else than these); n costs (u8)
                  of a character by itself; n costs (u8) of going on from it to one that is not among its followers;
                  for each character u16 k, then k times u16 follower and u8 cost, followers rising.
    english.txt   English words that could be read as pinyin
"""
import argparse
import gzip
import math
import re
import struct
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import data  # noqa: E402
from build import OUT  # noqa: E402

WEIGHT = {"corpus": 6, "hard": 6, "chat": 6, "contrast": 3, "chatterbot": 2, "cold": 1, "kdconv": 1, "telefraud": 1}
DISCOUNT, NEW, SCALE = 0.7, 3, 12
ELSE = "\0"


def count(rows, dictionary, known):
    one, two = Counter(), Counter()
    for r in rows:
        for text in [r.text, *(t for _, t in r.context)]:
            before = ELSE
            for c in text + ELSE:
                c = c if c in known else ELSE
                if c != ELSE or before != ELSE:
                    one[c] += WEIGHT.get(r.src, 0)
                    two[before + c] += WEIGHT.get(r.src, 0)
                before = c
    for line in open(dictionary, encoding="utf-8"):
        word, often, _ = line.split(" ")
        if len(word) > 1 and int(often) >= 3 and all(c in known for c in word):
            n = min(int(often), 3000) / 15
            for c in word:
                one[c] += n / 2
            for a, b in zip(word, word[1:]):
                two[a + b] += n
    return one, two


def cost(p):
    return min(255, max(0, round(-SCALE * math.log(p))))


def pack(one, two):
    chars = [ELSE] + sorted(c for c in one if c != ELSE and one[c] >= 2)
    at = {c: i for i, c in enumerate(chars)}
    total = sum(one.values())
    alone = [(one[c] + 0.1) / (total + 800) for c in chars]
    follow = [{} for _ in chars]
    for pair, n in two.items():
        if n >= 2 and pair[0] in at and pair[1] in at:
            follow[at[pair[0]]][at[pair[1]]] = n
    out = [struct.pack(">H", len(chars)), struct.pack(f">{len(chars)}H", *map(ord, chars)), bytes(map(cost, alone))]
    left = [(DISCOUNT * len(f) + NEW) / (sum(f.values()) + NEW) for f in follow]
    out.append(bytes(map(cost, left)))
    kept = 0
    for i, f in enumerate(follow):
        ways = {}
        for j, n in f.items():
            p = (n - DISCOUNT) / (sum(f.values()) + NEW) + left[i] * alone[j]
            if cost(left[i]) + cost(alone[j]) - cost(p) >= 6:  # less is not worth its bytes
                ways[j] = cost(p)
        kept += len(ways)
        out.append(struct.pack(">H", len(ways)) + b"".join(struct.pack(">HB", j, ways[j]) for j in sorted(ways)))
    return b"".join(out), len(chars), kept


def english(rows, readings):
    seen = Counter()
    for r in rows:
        if r.lang == "en":
            seen.update(re.findall("[a-z]+", r.text.lower()))
    longest = max(map(len, readings))

    def spelt(word):
        ends = {0}
        for i in range(len(word)):
            if i in ends:
                ends |= {j for j in range(i + 1, min(len(word), i + longest) + 1) if word[i:j] in readings}
        return len(word) in ends

    return sorted(w for w, n in seen.items() if n >= 2 and spelt(w) and not (len(w) < 3 and n < 40))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--jieba", required=True)
    a = p.parse_args()
    here = Path(__file__).resolve().parents[1]
    rows, _ = data.load(a.data, str(here / "corpus"), str(here.parents[1] / "eval" / "testdata"), print)
    readings = dict(line.split("\t") for line in (OUT / "pinyin.txt").read_text(encoding="utf-8").splitlines()[1:])
    packed, chars, pairs = pack(*count(rows, a.jieba, set("".join(readings.values()))))
    with open(OUT / "bigrams.gz", "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as g:
        g.write(packed)
    words = english(rows, set(readings))
    (OUT / "english.txt").write_text("# English words that could be read as pinyin: those that our own and the public English texts hold\n"
                                     + " ".join(words) + "\n", encoding="utf-8")
    print(f"bigrams.gz: {chars} characters, {pairs} pairs, {(OUT / 'bigrams.gz').stat().st_size} bytes; english.txt: {len(words)} words")


if __name__ == "__main__":
    main()
