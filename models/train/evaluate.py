"""Measures a shipped text model as the product runs it, and writes metrics JSON for the cards.

Tests of others (COLD test, EDOS test, HateCheck), benign chat no one trained on, the project's own
test seeds, and the held-out tenth of the training corpus, clean and under each kind of cloak. Nothing
here feeds back into training or thresholds. Intervals: 95 %, 500 seeded bootstrap draws of rows.
"""
import argparse
import hashlib
import json
import os
import random
import time

import numpy as np

import augment
import calibrate
import data
from labels import BULLYING, INDEX, LABELS

CLOAKS = ["homophone", "pinyin", "split", "emoji", "spacing", "leet", "typo"]


def interval(fn, n, draws=500, seed=11):
    """[value, low, high] of fn(indices)."""
    rng = np.random.default_rng(seed)
    values = [fn(rng.integers(0, n, n)) for _ in range(draws)]
    low, high = np.nanpercentile(values, [2.5, 97.5]) if draws else (np.nan, np.nan)
    return [round(float(v), 4) for v in (fn(np.arange(n)), low, high)]


class EncoderModel:
    """The ONNX file over windows and context, the maximum over windows."""

    def __init__(self, weights, graph):
        import export
        import tokenizer

        self.enc, self.t, self.export = tokenizer.Encoder(weights), tokenizer, export
        self.session = export.session(graph, threads=1)
        self.table = calibrate.load(f"{weights}/calibration.json") if os.path.exists(f"{weights}/calibration.json") else None

    def logits(self, rows):
        out = np.zeros((len(rows), len(LABELS)), np.float32)
        for k, r in enumerate(rows):
            turns = [(w, self.enc.tokens(x)) for w, x in r.context]
            inputs = [self.t.arrange(w, turns) for w in self.t.windows(self.enc.tokens(r.text))]
            out[k] = self.export.run(self.session, inputs).max(0)
        return out


class LinearModel:
    def __init__(self, weights, encoder_weights):
        import fold
        import linear
        import onnxruntime as ort

        self.hasher = linear.Hasher(fold.load(f"{encoder_weights}/fold.tsv.gz"))
        o = ort.SessionOptions()
        o.intra_op_num_threads = 1
        self.session = ort.InferenceSession(f"{weights}/model.onnx", o)
        self.table = calibrate.load(f"{weights}/calibration.json")

    def logits(self, rows):
        out = np.zeros((len(rows), len(LABELS)), np.float32)
        for k, r in enumerate(rows):
            best = None
            for f in self.hasher.rows(r.text, r.context):
                ids = (f if len(f) else np.zeros(1, np.int64))[None]
                value = np.full(ids.shape, 1 / np.sqrt(len(f) + 1) if len(f) else 0, np.float32)
                z = self.session.run(None, {"ids": ids, "values": value})[0][0]
                best = z if best is None else np.maximum(best, z)
            out[k] = best
        return out


def scores(m, rows):
    z = m.logits(rows)
    return calibrate.apply(z, np.array([calibrate.script(r.text) for r in rows]), m.table)


def binary(p, gold):
    gold = np.asarray(gold) > 0
    n = len(gold)
    return {"n": n, "positive": int(gold.sum()),
            "accuracy": interval(lambda i: ((p[i] >= .5) == gold[i]).mean(), n),
            "macro_f1": interval(lambda i: calibrate.macro_f1(p[i] >= .5, gold[i]), n),
            "auc": interval(lambda i: calibrate.auc(p[i], gold[i]), n)}


def recall_at(p, y, rate=0.01):
    neg = np.sort(p[~y])[::-1]
    return float((p[y] > neg[int(rate * len(neg))]).mean())


def own(p, rows, calm_p, draws=200):
    """Per label: AUC, recall at 1 % false positives among other labels' texts and benign chat, F1, ECE."""
    y = np.stack([r.y for r in rows]) > 0.5
    allp, ally = np.vstack([p, calm_p]), np.vstack([y, np.zeros_like(calm_p, bool)])
    out = {}
    for i, name in enumerate(LABELS):
        if ally[:, i].sum() < 5:
            continue
        q, g = allp[:, i], ally[:, i]
        hit = q >= .5
        f1 = 2 * (hit & g).sum() / max(1, hit.sum() + g.sum())
        out[name] = {"n": int(g.sum()),
                     "auc": interval(lambda k: calibrate.auc(q[k], g[k]), len(g), draws),
                     "recall_at_1pct_fpr": interval(lambda k: recall_at(q[k], g[k]) if g[k].any() else np.nan, len(g), draws),
                     "recall": round(float(hit[g].mean()), 4), "f1": round(float(f1), 4),
                     "ece": round(calibrate.ece(q, g), 4)}
    hard = [k for k, r in enumerate(rows) if r.src == "hard"]
    res = {"labels": out, "mean_recall_at_1pct_fpr": round(float(np.mean([v["recall_at_1pct_fpr"][0] for v in out.values()])), 4),
           "macro_auc": round(float(np.mean([v["auc"][0] for v in out.values()])), 4),
           "any_label_found": round(float((p[y.any(1)].max(1) >= .5).mean()), 4)}
    if hard:
        wrong = ((p[hard] >= .5) & ~y[hard]).any(1)
        res["hard_negatives"] = {"n": len(hard), "any_wrong_label": interval(lambda i: wrong[i].mean(), len(hard))}
    return res


def public(a, m, keys, out, done):
    """Tests that others made."""
    rows = list(data.cold(a.data, "test"))
    out["overlap"]["COLD test"] = sum(data.key(r.text) in keys for r in rows)
    done("COLD test, largest bullying.*", binary(scores(m, rows)[:, BULLYING].max(1), [r.label for r in rows]))
    rows = list(data.edos(a.data, "test"))
    out["overlap"]["EDOS test"] = sum(data.key(r.text) in keys for r in rows)
    done("EDOS A test, bullying.hate", binary(scores(m, rows)[:, INDEX["bullying.hate"]], [r.label for r in rows]))
    rows = list(data.hatecheck(a.data))
    out["overlap"]["HateCheck"] = sum(data.key(r.text) in keys for r in rows)
    q = scores(m, rows)[:, INDEX["bullying.hate"]]
    gold = np.array([r.label for r in rows]) > 0
    res = binary(q, gold)
    res["functions"] = {f: round(float(((q >= .5) == gold)[[r.function == f for r in rows]].mean()), 3)
                        for f in sorted({r.function for r in rows})}
    done("HateCheck, bullying.hate", res)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", choices=["encoder", "linear"], required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--tests", required=True)
    p.add_argument("--encoder", required=True)
    p.add_argument("--linear", required=True)
    p.add_argument("--fp32", default=None, help="float32 graph to hold the int8 one against")
    p.add_argument("--out", required=True)
    p.add_argument("--part", choices=["all", "public", "own"], default="all", help="measure only this part")
    p.add_argument("--benign", type=int, default=1500)
    a = p.parse_args()
    log = lambda *t: print(time.strftime("%H:%M:%S"), *t, flush=True)
    if a.model == "encoder":
        m, folder = EncoderModel(a.encoder, f"{a.encoder}/model.onnx"), a.encoder
    else:
        m, folder = LinearModel(a.linear, a.encoder), a.linear
    raw = open(f"{folder}/model.onnx", "rb").read()
    out = {"model": a.model, "sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw), "sets": {}}
    train, valid = data.load(a.data, a.corpus, a.tests, log)
    count = {}
    for r in train:
        count[r.src] = count.get(r.src, 0) + 1
    out["train_rows"] = count
    keys = {data.key(r.text) for r in train}
    out["overlap"] = {}

    def done(name, value):
        out["sets"][name] = value
        log(name, json.dumps({k: v for k, v in value.items() if k not in ("labels", "functions")}))
        with open(a.out, "w") as f:
            json.dump(out, f, indent=1)

    if a.part != "own":
        public(a, m, keys, out, done)
    if a.part == "public":
        return
    for name, rows in (("NUS SMS zh", data.sms_zh(a.data, a.benign)), ("LCCC zh", data.lccc(a.data, a.benign)),
                       ("SMS ham en", data.sms_en_ham(a.data)[:a.benign])):
        s = scores(m, rows)
        hit = (s >= .5)
        done(name, {"n": len(rows), "any_label": interval(lambda i: hit[i].any(1).mean(), len(rows)),
                    "labels": {l: round(float(hit[:, i].mean()), 5) for i, l in enumerate(LABELS) if hit[:, i].any()}})
    calm = [r for r in valid if r.src in ("kdconv", "chatterbot", "chat")]
    calm_p = scores(m, calm)
    done("benign chat held out (KdConv, chatterbot, own)", {"n": len(calm), "any_label": interval(
        lambda i: (calm_p[i] >= .5).any(1).mean(), len(calm))})
    seeds = list(data.corpus(f"{a.tests}/seeds")) + list(data.corpus(f"{a.tests}/hard", True))
    mine = [r for r in valid if r.src in ("corpus", "hard")]
    seeds_p, mine_p = scores(m, seeds) if seeds else None, scores(m, mine)
    if seeds:
        done("own test seeds, by another author", own(seeds_p, seeds, calm_p))
    done("held-out tenth of the corpus", own(mine_p, mine, calm_p))
    base, base_p = (seeds, seeds_p) if seeds else (mine, mine_p)
    cloak = augment.Cloak(99)
    for kind in CLOAKS:
        at, dark = [], []
        for k, r in enumerate(base):
            text = cloak.kinds[kind](r.text)
            if r.src != "hard" and text != r.text:
                at.append(k)
                dark.append(data.Row(text, r.context, r.y, r.w, src=r.src))
        before = own(base_p[at], [base[k] for k in at], calm_p, 0)
        after = own(scores(m, dark), dark, calm_p, 0)
        done(f"cloaked: {kind}", {"n": len(at), "clean": before["mean_recall_at_1pct_fpr"],
                                  "cloaked": after["mean_recall_at_1pct_fpr"],
                                  "any_label_clean": before["any_label_found"],
                                  "any_label_cloaked": after["any_label_found"]})
    if a.fp32 and a.model == "encoder":
        full = EncoderModel(a.encoder, a.fp32)
        rows = mine + calm[:300]
        low, high = m.logits(rows), full.logits(rows)
        y = np.stack([r.y for r in rows]) > 0.5
        loss = {n: round(calibrate.auc(high[:, i], y[:, i]) - calibrate.auc(low[:, i], y[:, i]), 5)
                for i, n in enumerate(LABELS) if y[:, i].sum() >= 5}
        done("int8 against float32", {"n": len(rows), "largest_auc_loss": max(loss.values()),
                                      "mean_auc_loss": round(float(np.mean(list(loss.values()))), 5), "auc_loss": loss,
                                      "largest_logit_difference": round(float(np.abs(low - high).max()), 3)})
    log("wrote", a.out)


if __name__ == "__main__":
    main()
