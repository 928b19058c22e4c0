"""Writes the test seeds as people rewrite them to dodge filters: one JSON line for each text that a rewriting changes.

evade.py TESTS: reads TESTS/seeds and writes TESTS/evasion.jsonl.gz, seeded. The rewriting is augment.py's, which
training uses too, so figures on it say how well known dodges are read, not unknown ones.
"""
import gzip
import json
import sys

import augment
import data
from labels import LABELS

KINDS = ["homophone", "pinyin", "split", "emoji", "spacing", "leet"]


def main():
    folder = sys.argv[1]
    cloak = augment.Cloak(99)
    count = dict.fromkeys(KINDS, 0)
    with gzip.GzipFile(f"{folder}/evasion.jsonl.gz", "wb", 9, mtime=0) as out:
        for kind in KINDS:
            for r in data.corpus(f"{folder}/seeds"):
                text = cloak.kinds[kind](r.text)
                if text == r.text:
                    continue
                count[kind] += 1
                line = {"kind": kind, "text": text, "was": r.text, "labels": [l for i, l in enumerate(LABELS) if r.y[i]]}
                if r.context:
                    line["context"] = [{"from": "self" if who == "s" else "other", "text": said} for who, said in r.context]
                out.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
    print(count)


if __name__ == "__main__":
    main()
