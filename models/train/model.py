"""The encoder: the lowest layers of multilingual-e5-small over a pruned vocabulary, and one head."""
import torch
import torch.nn.functional as F
from torch import nn

import data
import e5
import tokenizer
from labels import LABELS

POSITIONS = 128


class Dropout(nn.Module):
    """Leaves the same values out at every token of a text (Gal and Ghahramani 2016, arXiv:1512.05287): on two CPU cores
    the random numbers of one mask a token cost more than twice the layers' own sums, these next to nothing."""

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x):
        if not self.training or not self.share:
            return x
        mask = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= self.share
        return x * (mask.to(x.dtype) / (1 - self.share))


class Layer(nn.Module):
    def __init__(self, hidden, heads, ffn, eps, dropout):
        super().__init__()
        self.heads, self.drop = heads, Dropout(dropout)
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.norm1 = nn.LayerNorm(hidden, eps)
        self.up = nn.Linear(hidden, ffn)
        self.down = nn.Linear(ffn, hidden)
        self.norm2 = nn.LayerNorm(hidden, eps)

    def forward(self, x, bias, linear):
        b, n, d = x.shape
        q, k, v = linear(self.qkv, x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if x.is_cuda:
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        else:  # whose backward pass takes three times as long there as that of these plain sums
            a = torch.softmax(q @ k.transpose(2, 3) * q.shape[-1] ** -0.5 + bias, -1).to(v.dtype) @ v
        x = self.norm1(x + self.drop(linear(self.out, a.transpose(1, 2).reshape(b, n, d))))
        return self.norm2(x + self.drop(linear(self.down, F.gelu(linear(self.up, x)))))


def as_int8(keep):
    """Linear layers in the arithmetic of export.py's int8 graph, with gradients as if nothing were rounded: weights
    in 7 bits by output, inputs in 8 bits over each row's own range, as ONNX Runtime's DynamicQuantizeLinear does,
    but those of the inputs that set_apart names.
    keep [B, T, 1] is 1 where a token stands."""

    def linear(layer, x):
        apart = getattr(layer, "apart", None)
        if apart is None:
            return coarse_linear(x, layer.weight, layer.bias)
        rest = torch.ones(x.shape[-1], dtype=x.dtype, device=x.device)
        rest[apart] = 0
        return coarse_linear(x * rest, layer.weight * rest, layer.bias) + F.linear(x[..., apart], layer.weight[:, apart])

    def coarse_linear(x, weights, bias):
        with torch.no_grad():
            real = x * keep
            low, high = real.amin((1, 2), keepdim=True).clamp(max=0), real.amax((1, 2), keepdim=True).clamp(min=0)
            step = ((high - low) / 255).clamp(min=1e-8)
            zero = (-low / step).round()
            coarse = (((x / step).round() + zero).clamp(0, 255) - zero) * step
            scale = weights.abs().amax(1, keepdim=True).clamp(min=1e-8) / 64
            weight = (weights / scale).round() * scale
        return F.linear(x + (coarse - x).detach(), weights + (weight - weights).detach(), bias)

    return linear


class Encoder(nn.Module):
    """ids [B, T] and mask [B, T] to logits [B, 30]. While `low` is set the layers compute as the int8 graph does."""

    def __init__(self, size, layers=6, hidden=384, heads=12, ffn=1536, eps=1e-12, dropout=0.0):
        super().__init__()
        specials = len(tokenizer.SPECIALS)
        self.special = nn.Parameter(torch.zeros(specials, hidden))  # the rows that do learn
        self.word = nn.Embedding(size, hidden)
        self.word.weight.requires_grad_(False)
        self.position = nn.Parameter(torch.zeros(POSITIONS, hidden))
        self.norm = nn.LayerNorm(hidden, eps)
        self.layers = nn.ModuleList(Layer(hidden, heads, ffn, eps, dropout) for _ in range(layers))
        self.head_drop = nn.Dropout(0.1)
        self.head = nn.Linear(3 * hidden, len(LABELS))
        self.low = False

    def forward(self, ids, mask):
        return self.head(self.head_drop(self.features(ids, mask)))

    def features(self, ids, mask):
        """[B, 3 * hidden]: the first token's state, their mean and their maximum."""
        special = ids < len(tokenizer.SPECIALS)
        x = torch.where(special[..., None],
                        self.special[ids.clamp(max=len(tokenizer.SPECIALS) - 1)], self.word(ids))
        keep = mask.to(x.dtype)
        linear = as_int8(keep[..., None]) if self.low else lambda layer, x: layer(x)
        if self.low:
            scale = x.detach().abs().amax(-1, keepdim=True).clamp(min=1e-8) / 127
            x = x + ((x / scale).round() * scale - x).detach()
        x = self.norm(x + self.position[: ids.shape[1]])
        bias = (1.0 - keep)[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, bias, linear)
        keep = keep[..., None]
        mean = (x * keep).sum(1) / keep.sum(1)
        top = (x + (1.0 - keep) * -1e4).amax(1)
        return torch.cat([x[:, 0], mean, top], 1)


@torch.no_grad()
def part_of(whole, layers, ffn, usual, spread, dropout=0.0):
    """A shallower and narrower encoder that begins as a part of a trained one, with its table and head:
    the named layers, and of each one's middle the `ffn` units that move its output most. What the others
    usually add goes into the bias. usual and spread [layers of whole, ffn of whole] are what `middle` measures."""
    hidden = whole.word.embedding_dim
    m = Encoder(whole.word.num_embeddings, len(layers), hidden, whole.layers[0].heads, ffn, whole.norm.eps, dropout)
    state = {n: t.clone() for n, t in whole.state_dict().items() if not n.startswith("layers.")}
    for mine, n in enumerate(layers):
        down = whole.layers[n].down
        order = (spread[n] * down.weight.norm(dim=0)).argsort(descending=True)
        units, rest = order[:ffn].sort().values, order[ffn:]
        for k, t in whole.layers[n].state_dict().items():
            if k.startswith("up."):
                t = t[units]
            elif k == "down.weight":
                t = t[:, units]
            elif k == "down.bias":
                t = t + down.weight[:, rest] @ usual[n][rest]
            state[f"layers.{mine}.{k}"] = t.clone()
    m.load_state_dict(state)
    return m


@torch.no_grad()
def middle(net, batches):
    """Mean and standard deviation of each middle unit of each layer over the tokens of batches of
    (ids, mask): two of [layers, ffn]."""
    kept = [[] for _ in net.layers]
    hooks = [layer.up.register_forward_hook(lambda _, __, u, n=n: kept[n].append(F.gelu(u)))
             for n, layer in enumerate(net.layers)]
    n, first, second = 0, 0.0, 0.0
    for ids, mask in batches:
        net.features(ids, mask)
        at = torch.stack([k.pop()[mask > 0] for k in kept]).double()
        n, first, second = n + at.shape[1], first + at.sum(1), second + at.square().sum(1)
    for hook in hooks:
        hook.remove()
    usual = first / n
    return usual.float(), (second / n - usual.square()).clamp(min=0).sqrt().float()


# An input of a linear layer stands apart when its largest value is this many times what the 17th largest reaches.
FAR, MOST = 2.0, 4


@torch.no_grad()
def set_apart(net, corpus, enc):
    """Finds the few inputs of each feed-forward half whose values are many times those of all others on lines of the
    corpus, and notes them as `apart` of its linear layers: one range in 8 bits over such values leaves the others a
    few steps (Dettmers et al. 2022, arXiv:2208.07339, who multiply them apart too)."""
    parts = [part for layer in net.layers for part in (layer.up, layer.down)]
    largest = [torch.zeros(part.in_features, device=part.weight.device) for part in parts]

    def watch(n):
        def look(_, ins):
            largest[n] = torch.maximum(largest[n], ins[0].abs().amax((0, 1)))
        return look

    hooks = [part.register_forward_pre_hook(watch(n)) for n, part in enumerate(parts)]
    low, net.low = net.low, False
    for r in list(data.corpus(f"{corpus}/train"))[::40]:
        ids = torch.tensor([tokenizer.arrange(enc.tokens(r.text), [(w, enc.tokens(t)) for w, t in r.context])],
                           device=net.head.weight.device)
        net.features(ids, torch.ones_like(ids))
    net.low = low
    for hook in hooks:
        hook.remove()
    for part, top in zip(parts, largest):
        order = top.argsort(descending=True)
        far = order[:MOST][top[order[:MOST]] > FAR * top[order[16]]]
        part.apart = far.sort().values if len(far) else None


def restore(saved, size, dropout=0.0):
    """The encoder of a checkpoint, in the shape that it was saved in."""
    state = saved["average"]
    count = 1 + max(int(n.split(".")[1]) for n in state if n.startswith("layers."))
    hidden = state["word.weight"].shape[1]
    m = Encoder(size, count, hidden, hidden // 32, state["layers.0.up.weight"].shape[0], dropout=dropout)
    m.load_state_dict(state)
    return m


@torch.no_grad()
def from_e5(path, pieces, layers=range(6), dropout=0.0):
    """A new encoder whose weights are e5's: chosen layers, and the embedding rows of `pieces`."""
    config, old, _, tensors = e5.read(path)
    hidden, ffn = config["hidden"], config["ffn"]
    m = Encoder(len(pieces), len(layers), hidden, config["heads"], ffn, config["eps"], dropout)
    at = {p: i for i, p in enumerate(old)}
    ids = [at[p] if i >= len(tokenizer.SPECIALS) else [0, 1, 2, 3, 2, 2, 2][i] for i, p in enumerate(pieces)]
    t = lambda name, *shape: torch.from_numpy(tensors.get(name, shape))
    m.word.weight.copy_(torch.from_numpy(tensors.rows("emb.word", ids, hidden)))
    m.special.copy_(m.word.weight[: len(tokenizer.SPECIALS)])
    g = torch.Generator().manual_seed(1)
    m.special[4:] += torch.randn(3, hidden, generator=g) * m.special[4:].std() * 0.5
    m.position.copy_(t("emb.pos", config["positions"], hidden)[:POSITIONS] + t("emb.type", 2, hidden)[0])
    m.norm.weight.copy_(t("emb.ln.w", hidden)), m.norm.bias.copy_(t("emb.ln.b", hidden))
    for mine, n in zip(m.layers, layers):
        for k, part in enumerate("qkv"):
            mine.qkv.weight[k * hidden:(k + 1) * hidden] = t(f"l{n}.{part}.w", hidden, hidden)
            mine.qkv.bias[k * hidden:(k + 1) * hidden] = t(f"l{n}.{part}.b", hidden)
        for target, name, rows, cols in ((mine.out, "ao", hidden, hidden), (mine.up, "fi", ffn, hidden),
                                         (mine.down, "fo", hidden, ffn)):
            target.weight.copy_(t(f"l{n}.{name}.w", rows, cols))
            target.bias.copy_(t(f"l{n}.{name}.b", rows))
        for target, name in ((mine.norm1, "aln"), (mine.norm2, "oln")):
            target.weight.copy_(t(f"l{n}.{name}.w", hidden))
            target.bias.copy_(t(f"l{n}.{name}.b", hidden))
    nn.init.normal_(m.head.weight, std=0.02, generator=g)
    nn.init.constant_(m.head.bias, -3.0)
    return m
