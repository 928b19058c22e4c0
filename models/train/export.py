"""Writes the trained encoder as ONNX: float32 for comparison, int8 for the product.

The graph is put together by hand from ONNX Runtime's fused operators (Attention,
SkipLayerNormalization, BiasGelu), so no exporter's taste stands between the weights and the file.
int8: dynamic activations, per-channel weights, reduced range (7 bits), because plain 8 bits saturate
on CPUs without VNNI; embeddings int8 with a scale a row; what model.set_apart names stays float32. Activation scales are taken over a whole
input tensor, so inputs are to be run one at a time (batch 1): then no score depends on a neighbour.
"""
import argparse
import hashlib
import os

import numpy as np
import onnx
import torch
from onnx import TensorProto as T, helper as h, numpy_helper as nh

import model
import tokenizer
from labels import LABELS


def build(net, path, low):
    """Writes the graph; with `low` as it is to be made int8: embeddings rounded, and what set_apart named on its own."""
    nodes, inits = [], []
    heads = net.layers[0].heads

    def put(name, array, dtype=np.float32):
        inits.append(nh.from_array(np.array(array, dtype=dtype, order="C"), name))
        return name

    def op(kind, ins, out, domain="", **attrs):
        nodes.append(h.make_node(kind, ins, [out], domain=domain, name=out, **attrs))
        return out

    ms = "com.microsoft"
    word = net.word.weight.detach().numpy().copy()
    word[: len(tokenizer.SPECIALS)] = net.special.detach().numpy()
    if low:
        scale = np.maximum(np.abs(word).max(1, keepdims=True), 1e-8) / 127
        put("word", np.round(word / scale), np.int8)
        put("word_scale", scale)
        x = op("Cast", [op("Gather", ["word", "ids"], "e8")], "ef", to=T.FLOAT)
        x = op("Mul", [x, op("Gather", ["word_scale", "ids"], "es")], "embedded")
    else:
        put("word", word)
        x = op("Gather", ["word", "ids"], "embedded")
    put("position", net.position.detach().numpy())
    put("zero", [0], np.int64), put("one", [1], np.int64)
    length = op("Slice", [op("Shape", ["ids"], "shape"), "one", put("two", [2], np.int64)], "length")
    p = op("Slice", ["position", "zero", length, "zero"], "positions")
    x = op("Add", [x, p], "placed")
    eps = float(net.norm.eps)
    x = op("LayerNormalization", [x, put("norm.w", net.norm.weight.detach()), put("norm.b", net.norm.bias.detach())],
           "x0", axis=-1, epsilon=eps)
    m32 = op("Cast", ["mask"], "mask32", to=T.INT32)
    for n, layer in enumerate(net.layers):
        g = lambda name, t: put(f"l{n}.{name}", t.detach().numpy())
        a = op("Attention", [x, g("qkv.w", layer.qkv.weight.T), g("qkv.b", layer.qkv.bias), m32],
               f"l{n}.attention", ms, num_heads=heads)
        a = op("MatMul", [a, g("out.w", layer.out.weight.T)], f"l{n}.out")
        x = op("SkipLayerNormalization", [a, x, g("n1.w", layer.norm1.weight), g("n1.b", layer.norm1.bias),
                                          g("out.b", layer.out.bias)], f"l{n}.mid", ms, epsilon=eps)
        up, bias, down = (t.detach().numpy().T.copy() for t in (layer.up.weight, layer.up.bias, layer.down.weight))
        far, middle = (part.apart.numpy() if low and part.apart is not None else None for part in (layer.up, layer.down))
        rest = x
        if middle is not None:
            # Middle units apart: their own narrow way, in float32 from end to end.
            own = op("MatMul", [x, put(f"l{n}.own_up.w", up[:, middle])], f"l{n}.own_up")
            own = op("BiasGelu", [own, put(f"l{n}.own_up.b", bias[middle])], f"l{n}.own_gelu", ms)
            own = op("MatMul", [own, put(f"l{n}.own_down.w", down[middle])], f"l{n}.own_down")
            up[:, middle], bias[middle], down[middle] = 0, 0, 0
        if far is not None:
            # Inputs apart: left out of what is rounded, added to it in float32.
            left = np.ones(len(up), np.float32)
            left[far] = 0
            rest = op("Mul", [x, put(f"l{n}.left", left)], f"l{n}.rest")
            some = op("Gather", [x, put(f"l{n}.far", far, np.int64)], f"l{n}.some", axis=2)
            some = op("MatMul", [some, put(f"l{n}.far.w", up[far])], f"l{n}.far_up")
            up[far] = 0
        u = op("MatMul", [rest, put(f"l{n}.up.w", up)], f"l{n}.up")
        if far is not None:
            u = op("Add", [u, some], f"l{n}.all_up")
        u = op("BiasGelu", [u, put(f"l{n}.up.b", bias)], f"l{n}.gelu", ms)
        u = op("MatMul", [u, put(f"l{n}.down.w", down)], f"l{n}.down")
        if middle is not None:
            u = op("Add", [u, own], f"l{n}.all_down")
        x = op("SkipLayerNormalization", [u, x, g("n2.w", layer.norm2.weight), g("n2.b", layer.norm2.bias),
                                          g("down.b", layer.down.bias)], f"x{n + 1}", ms, epsilon=eps)
    put("minus_one", [-1], np.int64)
    keep = op("Unsqueeze", [op("Cast", ["mask"], "maskf", to=T.FLOAT), "minus_one"], "keep")
    total = op("ReduceSum", [op("Mul", [x, keep], "kept"), "one"], "total", keepdims=0)
    count = op("ReduceSum", [keep, "one"], "count", keepdims=0)
    mean = op("Div", [total, count], "mean")
    gone = op("Mul", [op("Sub", [keep, put("onef", 1.0)], "less"), put("far", 1e4)], "gone")
    top = op("ReduceMax", [op("Add", [x, gone], "open")], "top", axes=[1], keepdims=0)
    first = op("Gather", [x, put("at0", 0, np.int64)], "first", axis=1)
    pooled = op("Concat", [first, mean, top], "pooled", axis=1)
    z = op("MatMul", [pooled, put("head.w", net.head.weight.detach().numpy().T)], "scores")
    op("Add", [z, put("head.b", net.head.bias.detach().numpy())], "logits")
    graph = h.make_graph(
        nodes, "text-encoder",
        [h.make_tensor_value_info("ids", T.INT64, ["batch", "tokens"]),
         h.make_tensor_value_info("mask", T.INT64, ["batch", "tokens"])],
        [h.make_tensor_value_info("logits", T.FLOAT, ["batch", len(LABELS)])], inits)
    m = h.make_model(graph, producer_name="nightlight",
                     opset_imports=[h.make_opsetid("", 17), h.make_opsetid(ms, 1)])
    m.ir_version = 8
    m.metadata_props.add(key="labels", value=",".join(LABELS))
    onnx.save(m, path)


def quantise(source, target):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    narrow = [n.name for n in onnx.load(source, load_external_data=False).graph.node if n.name.endswith((".own_up", ".own_down", ".far_up"))]
    quantize_dynamic(source, target, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8,
                     op_types_to_quantize=["MatMul", "Attention"], nodes_to_exclude=["scores", *narrow],
                     extra_options={"MatMulConstBOnly": True, "DefaultTensorType": T.FLOAT})


def load(path, weights):
    pieces, _ = tokenizer.load(f"{weights}/vocab.tsv.gz")
    return model.restore(torch.load(path, map_location="cpu"), len(pieces)).eval()


def session(path, threads=1):
    import onnxruntime as ort

    o = ort.SessionOptions()
    o.intra_op_num_threads = threads
    return ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])


def run(s, inputs):
    """Logits of finished inputs, one at a time, as the product runs them."""
    out = np.zeros((len(inputs), len(LABELS)), np.float32)
    for i, ids in enumerate(inputs):
        a = np.array([ids], np.int64)
        out[i] = s.run(None, {"ids": a, "mask": np.ones_like(a)})[0][0]
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--from", dest="source", required=True)
    p.add_argument("--weights", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--name", default="encoder", help="of the float32 graphs in --work")
    p.add_argument("--to", default=None, help="the int8 graph; without it, the one that ships")
    a = p.parse_args()
    net = load(a.source, a.weights)
    model.set_apart(net, a.corpus, tokenizer.Encoder(a.weights))
    build(net, f"{a.work}/{a.name}.fp32.onnx", False)
    build(net, f"{a.work}/{a.name}.mixed.onnx", True)
    target = a.to or f"{a.weights}/model.onnx"
    quantise(f"{a.work}/{a.name}.mixed.onnx", target)
    rng = np.random.default_rng(1)
    inputs = [[0] + rng.integers(7, net.word.weight.shape[0], n).tolist() + [2] for n in (1, 5, 12, 40, 90)]
    with torch.no_grad():
        want = np.stack([net(torch.tensor([i]), torch.ones(1, len(i), dtype=torch.long))[0].numpy() for i in inputs])
    got = run(session(f"{a.work}/{a.name}.fp32.onnx"), inputs)
    low = run(session(target), inputs)
    print("float32 graph against torch, largest difference", float(np.abs(got - want).max()))
    print("int8 against float32, largest difference", float(np.abs(low - got).max()))
    if np.abs(got - want).max() > 1e-3:
        raise SystemExit("the float32 graph does not say what torch says")
    raw = open(target, "rb").read()
    print(target, len(raw), hashlib.sha256(raw).hexdigest(), "float32", os.path.getsize(f"{a.work}/{a.name}.fp32.onnx"))


if __name__ == "__main__":
    main()
