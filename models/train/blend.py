"""Averages the weights of a net before and after a further round of training, by the share that ranks best on the
tuning lines and the public sets' dev splits (weight interpolation: Wortsman et al. 2022, arXiv:2109.01903).

What a round learns anew costs a little of what the rounds before it knew; somewhere between the two is often
better than either. No test set is looked at.
"""
import argparse
import json

import torch

import data
import model
import tokenizer
import train

SHARES = (1.0, .75, .5, .25, 0.0)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--tests", default=None)
    p.add_argument("--weights", required=True, help="folder of the encoder's vocabulary")
    p.add_argument("--before", required=True)
    p.add_argument("--after", required=True)
    p.add_argument("--to", required=True)
    a = p.parse_args()

    enc = tokenizer.Encoder(a.weights)
    size = len(tokenizer.load(a.weights + "/vocab.tsv.gz")[0])
    _, valid = data.load(a.data, a.corpus, a.tests)
    for src, dev in (("cold-dev", data.cold(a.data, "dev")), ("edos-dev", data.edos(a.data, "dev"))):
        for r in dev:
            r.src = src
            valid.append(r)
    before, after = (torch.load(f, map_location="cpu")["average"] for f in (a.before, a.after))
    best = None
    for share in SHARES:
        mixed = {n: before[n].float().lerp(after[n].float(), share) for n in after}
        net = model.restore({"average": mixed}, size)
        model.set_apart(net, a.corpus, enc)
        net.low = True  # as it will be shipped
        said = []
        train.report(net, valid, enc, said.append)
        got = json.loads(said[0])
        worth = got["recall_at_1_percent"] + (got["cold-dev"] + got["edos-dev"]) / 2
        print(f"share of the new weights {share:.2f}: {worth:.4f} {said[0]}", flush=True)
        if best is None or worth > best:
            best = worth
            torch.save({"average": mixed, "share": share}, a.to)
    print("wrote", a.to, f"{best:.4f}")


if __name__ == "__main__":
    main()
