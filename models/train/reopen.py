"""Makes a checkpoint of the encoder that ships, so that a further round can go on from it without the ones before:
weights as the int8 graph rounded them, embeddings by their rows."""
import argparse

import numpy as np
import onnx
import torch
from onnx import numpy_helper as nh

import tokenizer


def weights_of(path):
    """The tensors of an int8 graph of export.py by the names of model.Encoder."""
    graph = onnx.load(path).graph
    has = {i.name: nh.to_array(i) for i in graph.initializer}
    t = lambda a: torch.from_numpy(np.array(a, np.float32, order="C"))

    def dense(name):
        if name in has:
            return has[name]
        q, scale, zero = (has[f"{name}_{part}"] for part in ("quantized", "scale", "zero_point"))
        return (q.astype(np.float32) - zero) * scale

    word = has["word"].astype(np.float32) * has["word_scale"]
    out = {"word.weight": t(word), "special": t(word[: len(tokenizer.SPECIALS)]), "position": t(has["position"]),
           "norm.weight": t(has["norm.w"]), "norm.bias": t(has["norm.b"]),
           "head.weight": t(has["head.w"].T), "head.bias": t(has["head.b"])}
    n = 0
    while f"l{n}.qkv.b" in has:
        mine, at = f"layers.{n}.", f"l{n}."
        for name in ("qkv", "out", "up", "down"):
            out[f"{mine}{name}.weight"] = t(dense(f"{at}{name}.w").T)
            out[f"{mine}{name}.bias"] = t(has[f"{at}{name}.b"])
        # What stands apart in the graph, each back in its place.
        if f"{at}far" in has:
            out[f"{mine}up.weight"][:, has[f"{at}far"].tolist()] = t(has[f"{at}far.w"].T)
        if f"{at}own_up.w" in has:
            own = np.flatnonzero(~dense(f"{at}up.w").any(0)).tolist()
            out[f"{mine}up.weight"][own], out[f"{mine}up.bias"][own] = t(has[f"{at}own_up.w"].T), t(has[f"{at}own_up.b"])
            out[f"{mine}down.weight"][:, own] = t(has[f"{at}own_down.w"].T)
        for k in ("1", "2"):
            out[f"{mine}norm{k}.weight"], out[f"{mine}norm{k}.bias"] = t(has[f"{at}n{k}.w"]), t(has[f"{at}n{k}.b"])
        n += 1
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--graph", required=True)
    p.add_argument("--to", required=True)
    a = p.parse_args()
    torch.save({"average": weights_of(a.graph)}, a.to)


if __name__ == "__main__":
    main()
