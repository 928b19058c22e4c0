"""The linear control: hashed character n-grams and words, one logistic model a label.

It is what every figure of the encoder stands beside, and what judges when the encoder is missing.
Features are specified in models/weights/text-linear/features.md; `features` below is that text in
code. Training: masked logistic loss, AdaGrad, seeded, numpy only.
"""
import argparse
import hashlib
import json
import os
import random
import time

import numpy as np

import augment
import data
import fold
from labels import INDEX, LABELS

BITS = 18
MASK = (1 << BITS) - 1
WINDOW, STRIDE, TURNS = 256, 192, 2


def fnv1a(raw):
    h = 2166136261
    for byte in raw:
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h


class Hasher:
    def __init__(self, table):
        self.table, self.seen = table, {}

    def bucket(self, feature):
        b = self.seen.get(feature)
        if b is None:
            b = self.seen[feature] = fnv1a(feature.encode()) & MASK
        return b

    def features(self, text, context=()):
        """Distinct buckets, rising, of one window of folded text with its context."""
        out = set()
        for n in (1, 2, 3, 4):
            for i in range(len(text) - n + 1):
                out.add(self.bucket(text[i:i + n]))
        for w in text.split(" "):
            if w:
                out.add(self.bucket("w:" + w))
        for who, turn in context[-TURNS:]:
            t = self.fold(turn)
            for i in range(len(t) - 1):
                out.add(self.bucket(f"{who}:{t[i:i + 2]}"))
            for w in t.split(" "):
                if w:
                    out.add(self.bucket(f"{who}w:{w}"))
        return np.array(sorted(out), np.int64)

    def fold(self, text):
        return " ".join(fold.words(text, self.table))

    def windows(self, text):
        folded = self.fold(text)
        if len(folded) <= WINDOW:
            return [folded]
        out, at = [], 0
        while True:
            out.append(folded[at:at + WINDOW])
            if at + WINDOW >= len(folded):
                return out
            at += STRIDE

    def rows(self, text, context=()):
        return [self.features(w, context) for w in self.windows(text)]


def train(rows, hasher, epochs, seed, repeat, log):
    rng = random.Random(seed)
    cloak = augment.Cloak(seed)
    n = len(LABELS)
    weight = np.zeros((1 << BITS, n), np.float32)
    square = np.full((1 << BITS, n), 1e-6, np.float32)
    bias = np.full(n, -3.0, np.float32)
    pair = [INDEX["bullying.insult"], INDEX["bullying.hate"]]
    plain = [hasher.rows(r.text, r.context)[0] for r in rows]
    for epoch in range(epochs):
        order = []
        for i, r in enumerate(rows):
            order += [i] * (repeat if r.src in ("corpus", "hard", "contrast") else 1)
        rng.shuffle(order)
        total = 0.0
        for i in order:
            r, f = rows[i], plain[i]
            if r.src in ("corpus", "hard", "contrast") and rng.random() < 0.4:
                f = hasher.rows(cloak(r.text), r.context)[0]
            value = 1.0 / np.sqrt(len(f) + 1.0)
            z = weight[f].sum(0) * value + bias
            p = 1.0 / (1.0 + np.exp(-z))
            g = (p - r.y) * r.w * np.where(r.y > 0, 2.0, 1.0)
            if r.any_of:
                a, b = z[pair]
                either = np.logaddexp(a, b)
                share = np.exp(z[pair] - either)
                g[pair] -= share / (1 + np.exp(either)) * 1.0
            hot = np.flatnonzero(np.abs(g) > 1e-4)
            if len(hot) == 0:
                continue
            total += float(np.abs(g).sum())
            at = np.ix_(f, hot)
            grad = g[hot] * value + 1e-6 * weight[at]
            square[at] += grad * grad
            weight[at] -= (0.3 * grad / np.sqrt(square[at])).astype(np.float32)
            bias[hot] -= 0.02 * g[hot]
        log(f"epoch {epoch + 1}/{epochs} mean |gradient| {total / len(order):.4f}")
    return weight, bias


def quantise(weight):
    """int8, a scale a label, spaced by the square root: value = q * |q| * scale. Small weights keep
    their detail and none is clipped."""
    top = np.maximum(np.abs(weight).max(0), 1e-3)
    q = np.round(np.sign(weight) * np.sqrt(np.abs(weight) / top) * 127).astype(np.int8)
    return q, (top / 127**2).astype(np.float32)


def dequantise(q, scale):
    wide = q.astype(np.float32)
    return wide * np.abs(wide) * scale


def export(q, scale, bias, path):
    """ids int64 [B, N], values float32 [B, N] (zero where padded) to logits [B, 30]."""
    import onnx
    from onnx import TensorProto as T, helper as h, numpy_helper as nh

    nodes = [
        h.make_node("Gather", ["table", "ids"], ["rows8"], axis=0),
        h.make_node("Cast", ["rows8"], ["roots"], to=T.FLOAT),
        h.make_node("Abs", ["roots"], ["sizes"]),
        h.make_node("Mul", ["roots", "sizes"], ["rows"]),
        h.make_node("Unsqueeze", ["values", "one"], ["weights"]),
        h.make_node("MatMul", ["weights", "rows"], ["sum3"]),
        h.make_node("Squeeze", ["sum3", "one"], ["sum"]),
        h.make_node("Mul", ["sum", "scale"], ["scaled"]),
        h.make_node("Add", ["scaled", "bias"], ["logits"]),
    ]
    graph = h.make_graph(
        nodes, "text-linear",
        [h.make_tensor_value_info("ids", T.INT64, ["batch", "features"]),
         h.make_tensor_value_info("values", T.FLOAT, ["batch", "features"])],
        [h.make_tensor_value_info("logits", T.FLOAT, ["batch", len(LABELS)])],
        [nh.from_array(q, "table"), nh.from_array(scale, "scale"),
         nh.from_array(bias.astype(np.float32), "bias"), nh.from_array(np.array([1], np.int64), "one")])
    m = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], producer_name="nightlight")
    m.ir_version = 8
    m.metadata_props.add(key="labels", value=",".join(LABELS))
    onnx.checker.check_model(m)
    onnx.save(m, path)


def golden(weight, bias, hasher, rows, path):
    out = []
    for r in rows:
        f = hasher.rows(r.text, r.context)
        best = np.max([weight[x].sum(0) / np.sqrt(len(x) + 1.0) + bias for x in f], axis=0)
        out.append({"context": [{"from": "other" if w == "o" else "self", "text": t} for w, t in r.context],
                    "text": r.text, "windows": [x.tolist() for x in f],
                    "logits": [round(float(v), 4) for v in best]})
    with open(path, "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=True, separators=(",", ":"))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--tests", default=None)
    p.add_argument("--encoder", required=True, help="folder with fold.tsv.gz")
    p.add_argument("--weights", required=True)
    p.add_argument("--epochs", type=int, default=4)
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    log = lambda *t: print(time.strftime("%H:%M:%S"), *t, flush=True)
    os.makedirs(a.weights, exist_ok=True)
    rows, _ = data.load(a.data, a.corpus, a.tests, log)
    hasher = Hasher(fold.load(f"{a.encoder}/fold.tsv.gz"))
    weight, bias = train(rows, hasher, a.epochs, a.seed, a.repeat, log)
    q, scale = quantise(weight)
    back = dequantise(q, scale)
    export(q, scale, bias, f"{a.weights}/model.onnx")
    pool = [r for r in rows if r.src in ("corpus", "hard")]
    picked = random.Random(3).sample(pool, 38) + random.Random(4).sample([r for r in pool if r.context], 8)
    picked += [data.benign("", "x"), data.benign("Ｆｕｌｌ ＷＩＤＴＨ　ok", "x"), data.benign("繁體 nǐ hǎo é", "x"),
               data.benign(" ".join(r.text for r in pool[:40]), "x")]
    golden(back, bias, hasher, picked, f"{a.weights}/golden.json")
    raw = open(f"{a.weights}/model.onnx", "rb").read()
    log("model.onnx", len(raw), hashlib.sha256(raw).hexdigest())


if __name__ == "__main__":
    main()
