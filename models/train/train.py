"""Trains the encoder: a seeded stream of mixed, partly rewritten batches, masked loss, checkpoints.

`--stage teacher` begins with e5 and learns every set's labels; the mix moves from the public sets to
the written corpus and everyday chat while the rate falls to nothing. `--stage round` goes on from a
trained net (`--start`) and holds near the last mix, since the public sets are known by then. Several
nets, by other seeds, can teach a smaller one: `--stage distil` starts from one of them, whole or in
part (`--keep`, `--ffn`), and learns from their mean logits on the same stream, on every label of every
row and on texts that nobody labelled, and a little from the labels themselves. With `--int8` its last
part of the steps is done in
the arithmetic of the graph that ships (export.py), so what rounding breaks is learnt around.
Restarting with the same --out goes on from the last checkpoint.
"""
import argparse
import itertools
import json
import math
import multiprocessing
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

import augment
import data
import model
import tokenizer
import views
from labels import INDEX, LABELS

# Shares of the sources at the first and at the last step; in between they move in a straight line.
MIX = {
    "teacher": (dict(corpus=.25, hard=.06, contrast=.06, chat=.08, cold=.26, edos=.18, davidson=.02, surge=.01, swsr=.04,
                     diasafety=.01, telefraud=.01, kdconv=.015, chatterbot=.005),
                dict(corpus=.36, hard=.12, contrast=.06, chat=.19, cold=.12, edos=.08, davidson=.01, surge=.01, swsr=.02,
                     diasafety=.005, telefraud=.005, kdconv=.015, chatterbot=.005)),
    "round": (dict(corpus=.38, hard=.12, contrast=.08, chat=.18, cold=.11, edos=.07, davidson=.01, surge=.005, swsr=.02,
                   diasafety=.005, telefraud=.005, kdconv=.01, chatterbot=.005),) * 2,
    "distil": (dict(corpus=.26, hard=.09, contrast=.08, chat=.14, cold=.15, edos=.10, davidson=.02, surge=.01, swsr=.04,
                    diasafety=.01, telefraud=.01, kdconv=.03, chatterbot=.01, plain=.05),
               dict(corpus=.34, hard=.11, contrast=.08, chat=.16, cold=.11, edos=.07, davidson=.01, surge=.01, swsr=.03,
                    diasafety=.005, telefraud=.005, kdconv=.03, chatterbot=.01, plain=.03)),
}
PUBLIC_TOKENS = 56
# Of public rows, how many give one clause alone: adults' public chat in short pieces, as replies are.
CLAUSES = .25
# Of our own statements about groups, how many speak of another group instead: what is said of it decides.
SWAPS = .35
POSITIVE = 2.0
OWN = ("corpus", "hard", "contrast", "chat")
# Of a distilled net's loss: the teachers' probabilities, the first one's pooled features, the labels themselves.
SOFT, FEATURES, HARD = 1.0, 2.0, 0.3
CHUNK = 48  # batches drawn, sorted by length and shuffled together
# A further round draws our own texts by how much the net it begins with still misses: this much goes to one that it
# knows well, 1 to one that it gets wrong and no more, since what is wrong by far may be a wrong label.
KNOWN = .15


class Stream:
    """Batches without end; batch k depends on the seed and k's chunk alone, so a run can resume."""

    def __init__(self, rows, enc, stage, seed, views, size, steps, need=None):
        """need [rows]: how readily each is drawn among its likes; all alike without."""
        self.views, self.mix, self.chunks = views, MIX[stage], max(1, steps // CHUNK)
        self.enc, self.seed, self.size = enc, seed, size
        self.by = {}
        for r in rows:
            self.by.setdefault(r.src, []).append(r)
        self.names = [n for n in self.mix[0] if n in self.by]
        self.cloak = augment.Cloak(seed)
        # Labels with few seeds are drawn as often as the others.
        self.by_label = {}
        for r in self.by.get("corpus", []):
            self.by_label.setdefault(r.main, []).append(r)
        self.labels, self.readily = sorted(self.by_label), {}
        if need is not None:
            share = {id(r): n for r, n in zip(rows, need)}
            for name, some in [(n, self.by[n]) for n in OWN if n in self.by] + list(self.by_label.items()):
                self.readily[name] = list(itertools.accumulate(share[id(r)] for r in some))
            # Between alike and by how much there is to learn.
            self.readily["labels"] = list(itertools.accumulate(math.sqrt(self.readily[n][-1]) for n in self.labels))
        self.calm = self.by["kdconv"] + self.by.get("chat", []) * 8
        self.cache = {}

    def ids(self, text):
        if text not in self.cache:
            self.cache[text] = self.enc.tokens(text)
        return self.cache[text]

    def draw(self, rng, share):
        src = rng.choices(self.names, share)[0]
        if src == "corpus":
            src = self.pick(rng, "labels", self.labels)
            return self.pick(rng, src, self.by_label[src])
        return self.pick(rng, src, self.by[src])

    def pick(self, rng, name, some):
        return rng.choices(some, cum_weights=self.readily.get(name))[0]

    def example(self, rng, share):
        r = self.draw(rng, share)
        own = r.src in OWN
        if not own and rng.random() < CLAUSES:
            r = data.clause(r, rng)
        text, context, y = r.text, list(r.context), r.y
        if r.src == "contrast" and rng.random() < SWAPS:
            text = augment.other_group(text, rng)
        calm = self.calm
        if own and rng.random() < 0.06:
            other = rng.choice(self.by.get("hard", calm) if rng.random() < 0.5 else calm)
            if len(other.text) < 60:
                text = f"{other.text} {text}" if rng.random() < 0.5 else f"{text} {other.text}"
                y = np.maximum(y, other.y)
        if not context and rng.random() < (0.12 if own else 0.04):
            # What was said before does not make the text itself harmful, nor harmless.
            other = rng.choice(self.by["corpus"] if rng.random() < 0.4 else calm)
            context = [(rng.choice("oos"), other.text)]
        cloaked = rng.random() < (0.35 if own else 0.08)
        if cloaked:
            text = self.cloak(text)
        if rng.random() < (0.4 if cloaked else 0.15):
            # What the normaliser makes of it is judged too, so it is learnt from too.
            text = rng.choice(self.views.others(text) or [text])
        body = self.enc.tokens(text) if cloaked else self.ids(text)
        limit = tokenizer.WINDOW if own else PUBLIC_TOKENS
        if len(body) > limit:
            at = rng.choice([0, 0, rng.randrange(len(body) - limit + 1)])
            body = body[at:at + limit]
        turns = [(who, self.ids(t)) for who, t in context]
        return tokenizer.arrange(body, turns), y, r.w, r.any_of

    def chunk(self, n):
        rng = random.Random(self.seed * 1000003 + n)
        self.cloak.rng = random.Random(self.seed * 7919 + n)
        gone = min(1.0, n / self.chunks)
        share = [self.mix[0][name] * (1 - gone) + self.mix[1][name] * gone for name in self.names]
        rows = [self.example(rng, share) for _ in range(CHUNK * self.size)]
        rows.sort(key=lambda e: len(e[0]))
        batches = [collate(rows[i:i + self.size]) for i in range(0, len(rows), self.size)]
        rng.shuffle(batches)
        return batches


class Ahead:
    """The chunks of a stream from `first` on, made by other processes meanwhile; without any, in place."""

    def __init__(self, stream, out, first, workers):
        self.stream, self.first, self.queues = stream, first, []
        context = multiprocessing.get_context("fork")
        for k in range(workers):
            queue = context.Queue(2)
            context.Process(target=self._fill, args=(queue, f"{out}/views.{k}", k, workers), daemon=True).start()
            self.queues.append(queue)
        if not workers:
            stream.views = views.Views(out)

    def _fill(self, queue, folder, k, workers):
        torch.set_num_threads(1)
        os.makedirs(folder, exist_ok=True)
        self.stream.views = views.Views(folder)
        n = self.first + k
        while True:
            queue.put(self.stream.chunk(n))
            n += workers

    def chunk(self, n):
        return self.queues[(n - self.first) % len(self.queues)].get() if self.queues else self.stream.chunk(n)


def collate(batch):
    """Arrays of a batch: ids [B, T] padded, labels and their weights [B, labels], any_of [B]."""
    ids = np.full((len(batch), max(len(e[0]) for e in batch)), tokenizer.PAD, np.uint16)
    for i, e in enumerate(batch):
        ids[i, :len(e[0])] = e[0]
    return ids, np.stack([e[1] for e in batch]), np.stack([e[2] for e in batch]), np.array([e[3] for e in batch])


def tensors(batch, device):
    ids, y, w, any_of = (torch.from_numpy(a).to(device, non_blocking=True) for a in batch)
    ids = ids.long()
    return ids, (ids != tokenizer.PAD).long(), y, w, any_of


def loss_of(logits, y, w, any_of):
    """Masked loss; a row that is offensive to someone asks the larger of two heads to say so."""
    weight = w * torch.where(y > 0, POSITIVE, 1.0)
    loss = (F.binary_cross_entropy_with_logits(logits, y, reduction="none") * weight).sum(1)
    either = torch.logsumexp(logits[:, [INDEX["bullying.insult"], INDEX["bullying.hate"]]], 1)
    return (loss + any_of * 2.0 * F.softplus(-either)).mean()


def apart(one, other):
    """How far two readings of the same rows by different dropout are from each other (R-Drop, Liang et al. 2021):
    the symmetric divergence of their probabilities."""
    p, q = torch.sigmoid(one), torch.sigmoid(other)
    return ((p - q) * (one - other)).sum(1).mean() / 2


@torch.no_grad()
def predict(net, inputs, size=256):
    """Logits of finished inputs, in their order."""
    net.eval()
    device = net.head.weight.device
    order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]))
    out = np.zeros((len(inputs), len(LABELS)), np.float32)
    for at in range(0, len(order), size):
        part = order[at:at + size]
        ids = torch.full((len(part), len(inputs[part[-1]])), tokenizer.PAD, dtype=torch.long)
        for k, i in enumerate(part):
            ids[k, :len(inputs[i])] = torch.tensor(inputs[i])
        ids = ids.to(device)
        out[part] = net(ids, (ids != tokenizer.PAD).long()).float().cpu().numpy()
    net.train()
    return out


def inputs_of(rows, enc):
    return [tokenizer.arrange(enc.tokens(r.text), [(w, enc.tokens(t)) for w, t in r.context]) for r in rows]


def needs(net, rows, enc, kept):
    """[rows]: how readily a round draws each, 1 for what is not ours. What was seen before is kept in the file `kept`."""
    known = json.load(open(kept)) if os.path.exists(kept) else {}
    name = lambda r: data.key(r.text + "".join(w + t for w, t in r.context))
    new = [r for r in rows if r.src in OWN and name(r) not in known]
    for r, z in zip(new, predict(net, inputs_of(new, enc))):
        asked = r.w >= 1
        worst = np.logaddexp(0, np.where(r.y > 0, -z, z))[asked].max(initial=0)
        known[name(r)] = round(min(1.0, KNOWN + float(worst)), 3)
    with open(kept, "w") as f:
        json.dump(known, f)
    return [known[name(r)] if r.src in OWN else 1.0 for r in rows]


def report(net, valid, enc, log):
    """Ranking on lines of authors who wrote nothing to train on, and on the public sets' own dev splits."""
    from sklearn.metrics import roc_auc_score

    rng = random.Random(5)
    own = [r for r in valid if getattr(r, "tune", False)]
    dev = {src: rng.sample(rows, min(1500, len(rows))) for src in ("cold-dev", "edos-dev")
           if (rows := [r for r in valid if r.src == src])}
    z = predict(net, inputs_of(own, enc))
    y = np.stack([r.y for r in own])
    aucs, recalls = {}, {}
    for i, name in enumerate(LABELS):
        if y[:, i].sum() >= 3:
            aucs[name] = float(roc_auc_score(y[:, i], z[:, i]))
            recalls[name] = float((z[y[:, i] > 0, i] > np.quantile(z[y[:, i] == 0, i], .99)).mean())
    line = {"macro_auc": round(float(np.mean(list(aucs.values()))), 4),
            "recall_at_1_percent": round(float(np.mean(list(recalls.values()))), 4),
            "lowest": [(n, round(v, 2)) for n, v in sorted(recalls.items(), key=lambda kv: kv[1])[:4]]}
    bully = [i for i, l in enumerate(LABELS) if l.startswith("bullying.")]
    for src, rows in dev.items():
        score = predict(net, inputs_of(rows, enc))[:, bully if src == "cold-dev" else [INDEX["bullying.hate"]]].max(1)
        line[src] = round(float(roc_auc_score([r.label for r in rows], score)), 4)
    log(json.dumps(line))


def faster_in_halves():
    """Whether this processor multiplies bfloat16 faster than float32: that it can is not enough, some take twice as long."""
    if not torch.cpu._is_avx512_bf16_supported():
        return False
    layer, x, took = torch.nn.Linear(384, 1536), torch.randn(2048, 384), {}
    for halves in (False, True, False, True, False, True):
        began = time.monotonic()
        for _ in range(4):
            with torch.autocast("cpu", torch.bfloat16, enabled=halves):
                y = layer(x)
            y.float().sum().backward()
        took[halves] = min(took.get(halves, math.inf), time.monotonic() - began)
    return took[True] < took[False]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--tests", default=None, help="test data whose texts must not be trained on")
    p.add_argument("--e5", required=True)
    p.add_argument("--weights", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--stage", choices=MIX, default="teacher")
    p.add_argument("--teachers", default="", help="trained weights, by commas, that --stage distil learns from; it begins as the first")
    p.add_argument("--start", default=None, help="trained weights that --stage round goes on from; a teacher begins with e5's")
    p.add_argument("--keep", default="0,1,2,3,4,5,6,7,8,9,10,11", help="which of the first teacher's layers it begins with")
    p.add_argument("--ffn", type=int, default=1536, help="middle units a layer that it keeps")
    p.add_argument("--steps", type=int, required=True)
    p.add_argument("--minutes", type=float, default=0, help="end then if --steps are not done, the rate falling to match")
    p.add_argument("--lr", type=float, default=1.2e-4)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--dropout", type=float, default=0.0)
    p.add_argument("--rdrop", type=float, default=0.0, help="weight of two dropouts' difference")
    p.add_argument("--int8", type=float, default=0.0, help="the last share of the steps done in the arithmetic of int8")
    p.add_argument("--freeze", type=int, default=0, help="lowest layers that stay as they are")
    p.add_argument("--warm", type=int, default=150, help="steps of rising rate")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--workers", type=int, default=0, help="processes that make batches")
    p.add_argument("--every", type=int, default=250, help="steps between checkpoints")
    p.add_argument("--seed", type=int, default=20)
    a = p.parse_args()
    if (a.stage == "round") != bool(a.start):
        p.error("--stage round and --start belong together")

    os.makedirs(a.out, exist_ok=True)
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    log = lambda *t: print(time.strftime("%H:%M:%S"), *t, flush=True)
    enc = tokenizer.Encoder(a.weights)
    pieces, _ = tokenizer.load(f"{a.weights}/vocab.tsv.gz")
    rows, valid = data.load(a.data, a.corpus, a.tests, log)
    for src, dev in (("cold-dev", data.cold(a.data, "dev")), ("edos-dev", data.edos(a.data, "dev"))):
        for r in dev:
            r.src = src
            valid.append(r)
    last = f"{a.out}/last.pt"
    saved = torch.load(last, map_location="cpu") if os.path.exists(last) else None
    step = saved["step"] if saved else 0
    need = None
    if a.start:
        need = needs(model.restore(torch.load(a.start, map_location="cpu"), len(pieces)), rows, enc, f"{a.out}/needs.json")
        log("drawn fully", sum(n >= 1 for r, n in zip(rows, need) if r.src in OWN), "of", sum(r.src in OWN for r in rows), "own texts")
    # The processes are made before a GPU is asked for: they could not use it.
    stream = Ahead(Stream(rows, enc, a.stage, a.seed, None, a.batch, a.steps, need), a.out, step // CHUNK, a.workers)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = True
    halves = device == "cuda" or faster_in_halves()

    teachers = [model.restore(torch.load(t, map_location="cpu"), len(pieces)) for t in a.teachers.split(",") if t]
    for t in teachers:
        t.to(device).eval().requires_grad_(False)
    kept = [int(n) for n in a.keep.split(",")]
    if teachers:
        looked = [tensors(b, device)[:2] for b in Stream(rows, enc, a.stage, a.seed, views.Views(a.out), 32, a.steps).chunk(0)[:24]]
        net = model.part_of(teachers[0], kept, a.ffn, *model.middle(teachers[0], looked), dropout=a.dropout)
    elif a.start:
        net = model.restore(torch.load(a.start, map_location="cpu"), len(pieces), a.dropout)
    else:
        net = model.from_e5(a.e5, pieces, kept, a.dropout)
    for layer in net.layers[:a.freeze]:
        layer.requires_grad_(False)
    if a.freeze:
        for q in (net.special, net.position, net.norm.weight, net.norm.bias):
            q.requires_grad_(False)
    net.to(device)
    head = [q for n, q in net.named_parameters() if n.startswith("head")]
    body = [q for n, q in net.named_parameters() if q.requires_grad and not n.startswith("head")]
    opt = torch.optim.AdamW([{"params": body, "lr": 1.0}, {"params": head, "lr": 1.0}],
                            weight_decay=0.01, betas=(0.9, 0.98), foreach=True)
    average = {n: q.detach().clone() for n, q in net.state_dict().items()}
    started = time.time()
    if saved:
        net.load_state_dict(saved["net"])
        opt.load_state_dict(saved["opt"])
        average, started = {n: q.to(device) for n, q in saved["average"].items()}, time.time() - saved["spent"]
        log("resumed at step", step)
    moving = [(average[n], q) for n, q in net.named_parameters() if q.requires_grad]

    def gone(k):
        return max(k / a.steps, (time.time() - started) / (a.minutes * 60) if a.minutes else 0)

    def scores(batch_net, ids, mask):
        """Features and logits, in halves where the machine multiplies those faster."""
        with torch.autocast(device, torch.bfloat16, enabled=halves):
            features = batch_net.features(ids, mask)
            return features.float(), batch_net.head(batch_net.head_drop(features)).float()

    net.train()
    began, done, recent = time.time(), 0, []
    while gone(step) < 1:
        for batch in stream.chunk(step // CHUNK)[step % CHUNK:]:
            if gone(step) >= 1:
                break
            rate = a.lr * min(1.0, (step + 1) / a.warm) * max(0.0, 1 - gone(step))
            opt.param_groups[0]["lr"], opt.param_groups[1]["lr"] = rate, rate * 5
            low = a.int8 > 0 and gone(step) >= 1 - a.int8
            if low and not net.low:
                model.set_apart(net, a.corpus, enc)
            net.low = low
            ids, mask, y, w, any_of = tensors(batch, device)
            if teachers:
                with torch.no_grad():
                    taught = [scores(t, ids, mask) for t in teachers]
                wanted, meant = taught[0][0], torch.stack([z for _, z in taught]).mean(0)
                features, logits = scores(net, ids, mask)
                soft = F.binary_cross_entropy_with_logits(logits, torch.sigmoid(meant), reduction="none").sum(1).mean()
                loss = SOFT * soft + FEATURES * F.smooth_l1_loss(features, wanted) + HARD * loss_of(logits, y, w, any_of)
            elif a.rdrop:
                one, other = scores(net, ids.repeat(2, 1), mask.repeat(2, 1))[1].chunk(2)
                loss = (loss_of(one, y, w, any_of) + loss_of(other, y, w, any_of)) / 2 + a.rdrop * apart(one, other)
            else:
                loss = loss_of(scores(net, ids, mask)[1], y, w, any_of)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(body + head, 1.0, foreach=True)
            opt.step()
            step, done = step + 1, done + 1
            recent.append(loss.detach())
            with torch.no_grad():
                torch._foreach_lerp_([m for m, _ in moving], [q for _, q in moving], 1 - min(0.995, (step + 1) / (step + 20)))
            if step % 50 == 0:
                speed = done * a.batch / (time.time() - began)
                log(f"step {step}/{a.steps} {gone(step):.2f} loss {torch.stack(recent).mean().item():.4f} {speed:.1f} rows/s")
                recent = []
            if step % a.every == 0:
                torch.save({"net": net.state_dict(), "opt": opt.state_dict(), "average": average, "step": step,
                            "spent": time.time() - started}, last + ".new")
                os.replace(last + ".new", last)
    net.load_state_dict(average)
    if a.int8 > 0:
        model.set_apart(net, a.corpus, enc)
    net.low = a.int8 > 0
    report(net, valid, enc, log)
    torch.save({"average": {n: q.cpu() for n, q in average.items()}, "step": step, "seed": a.seed, "stage": a.stage},
               f"{a.out}/final.pt")
    log("wrote", f"{a.out}/final.pt")


if __name__ == "__main__":
    main()
