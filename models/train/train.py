"""Trains the encoder: a seeded stream of mixed, partly rewritten batches, masked loss, checkpoints.

Its stages share this file. `--stage broad` learns from every set; `--stage corpus` goes on from its
weights with the complete written corpus up-weighted and lets the learning rate fall to nothing;
`--stage public` and `--stage last` do the same once more, since both had seen the public sets less than once;
`--stage everyday` goes on with more harmless chat and with single clauses of public posts.
`--stage student` starts a shallower and narrower net from chosen layers of a trained one (`--teacher`,
`--keep`, `--ffn`) and learns from that teacher's scores on the same batches, every label of every
row, and from the labels themselves. Restarting with the same --out goes on from the last checkpoint.
"""
import argparse
import json
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

MIX = {
    "broad": dict(corpus=.27, hard=.04, contrast=.03, chat=.03, cold=.27, edos=.14, davidson=.08, surge=.01, swsr=.06,
                  diasafety=.02, telefraud=.03, kdconv=.06, chatterbot=.02),
    "corpus": dict(corpus=.40, hard=.11, contrast=.07, chat=.12, cold=.11, edos=.09, davidson=.01, surge=.01, swsr=.03,
                   diasafety=.005, telefraud=.005, kdconv=.02, chatterbot=.01),
    "public": dict(corpus=.26, hard=.05, contrast=.04, chat=.07, cold=.29, edos=.21, davidson=.01, surge=.01, swsr=.03,
                   diasafety=.005, telefraud=.005, kdconv=.015, chatterbot=.005),
    "last": dict(corpus=.37, hard=.11, contrast=.05, chat=.12, cold=.15, edos=.12, davidson=.01, surge=.01, swsr=.02,
                 diasafety=.005, telefraud=.005, kdconv=.02, chatterbot=.01),
    "everyday": dict(corpus=.35, hard=.12, contrast=.04, chat=.20, cold=.13, edos=.09, davidson=.01, surge=.01, swsr=.02,
                     diasafety=.005, telefraud=.005, kdconv=.015, chatterbot=.005),
    "student": dict(corpus=.38, hard=.10, contrast=.05, chat=.13, cold=.12, edos=.08, davidson=.02, surge=.01, swsr=.04,
                    diasafety=.01, telefraud=.01, kdconv=.03, chatterbot=.01),
}
PUBLIC_TOKENS = {"broad": 56, "corpus": 48, "public": 48, "last": 48, "everyday": 48, "student": 48}
# Of public rows, how many give one clause alone: adults' public chat in short pieces, as replies are.
CLAUSES = {"everyday": .3, "student": .2}
POSITIVE = 2.0
OWN = ("corpus", "hard", "contrast", "chat")
# Of a student's loss: the teacher's probabilities, its pooled features, the labels themselves.
SOFT, FEATURES, HARD = 1.0, 2.0, 0.4
CHUNK = 48  # batches drawn, sorted by length and shuffled together


class Stream:
    """Batches without end; batch k depends on the seed and k's chunk alone, so a run can resume."""

    def __init__(self, rows, enc, stage, seed, views, size=32):
        mix = MIX[stage]
        self.views = views
        self.enc, self.seed, self.size, self.limit = enc, seed, size, PUBLIC_TOKENS[stage]
        self.clauses = CLAUSES.get(stage, 0)
        self.by = {}
        for r in rows:
            self.by.setdefault(r.src, []).append(r)
        self.names = [n for n in mix if n in self.by]
        total = sum(mix[n] for n in self.names)
        self.share = [mix[n] / total for n in self.names]
        self.cloak = augment.Cloak(seed)
        # Labels with few seeds are drawn as often as the others.
        self.by_label = {}
        for r in self.by.get("corpus", []):
            self.by_label.setdefault(r.main, []).append(r)
        self.calm = self.by["kdconv"] + self.by.get("chat", []) * 8
        self.cache = {}

    def ids(self, text):
        if text not in self.cache:
            self.cache[text] = self.enc.tokens(text)
        return self.cache[text]

    def draw(self, rng):
        src = rng.choices(self.names, self.share)[0]
        if src == "corpus":
            return rng.choice(self.by_label[rng.choice(sorted(self.by_label))])
        return rng.choice(self.by[src])

    def example(self, rng):
        r = self.draw(rng)
        own = r.src in OWN
        if not own and self.clauses and rng.random() < self.clauses:
            r = data.clause(r, rng)
        text, context, y = r.text, list(r.context), r.y
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
        limit = tokenizer.WINDOW if own else self.limit
        if len(body) > limit:
            at = rng.choice([0, 0, rng.randrange(len(body) - limit + 1)])
            body = body[at:at + limit]
        turns = [(who, self.ids(t)) for who, t in context]
        return tokenizer.arrange(body, turns), y, r.w, r.any_of

    def chunk(self, n):
        rng = random.Random(self.seed * 1000003 + n)
        self.cloak.rng = random.Random(self.seed * 7919 + n)
        rows = [self.example(rng) for _ in range(CHUNK * self.size)]
        rows.sort(key=lambda e: len(e[0]))
        batches = [rows[i:i + self.size] for i in range(0, len(rows), self.size)]
        rng.shuffle(batches)
        return batches


def collate(batch):
    width = max(len(e[0]) for e in batch)
    ids = torch.full((len(batch), width), tokenizer.PAD, dtype=torch.long)
    for i, e in enumerate(batch):
        ids[i, :len(e[0])] = torch.tensor(e[0])
    y = torch.from_numpy(np.stack([e[1] for e in batch]))
    w = torch.from_numpy(np.stack([e[2] for e in batch]))
    any_of = torch.tensor([e[3] for e in batch])
    return ids, (ids != tokenizer.PAD).long(), y, w, any_of


def loss_of(logits, y, w, any_of):
    """Masked loss; a row that is offensive to someone asks the larger of two heads to say so."""
    weight = w * torch.where(y > 0, POSITIVE, 1.0)
    loss = (F.binary_cross_entropy_with_logits(logits, y, reduction="none") * weight).sum(1)
    either = torch.logsumexp(logits[:, [INDEX["bullying.insult"], INDEX["bullying.hate"]]], 1)
    return (loss + any_of * 2.0 * F.softplus(-either)).mean()


def likeness(logits, features, taught, wanted):
    """How far a student is from its teacher: in probabilities, and in what the head looks at."""
    soft = F.binary_cross_entropy_with_logits(logits, torch.sigmoid(taught), reduction="none").sum(1).mean()
    return SOFT * soft + FEATURES * F.smooth_l1_loss(features, wanted)


@torch.no_grad()
def predict(net, inputs, size=64):
    """Logits of finished inputs, in their order."""
    net.eval()
    order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]))
    out = np.zeros((len(inputs), len(LABELS)), np.float32)
    for at in range(0, len(order), size):
        part = order[at:at + size]
        width = len(inputs[part[-1]])
        ids = torch.full((len(part), width), tokenizer.PAD, dtype=torch.long)
        for k, i in enumerate(part):
            ids[k, :len(inputs[i])] = torch.tensor(inputs[i])
        out[part] = net(ids, (ids != tokenizer.PAD).long()).numpy()
    net.train()
    return out


def inputs_of(rows, enc):
    return [tokenizer.arrange(enc.tokens(r.text), [(w, enc.tokens(t)) for w, t in r.context]) for r in rows]


def report(net, valid, enc, log):
    from sklearn.metrics import f1_score, roc_auc_score

    rng = random.Random(5)
    own = [r for r in valid if r.src in ("corpus", "hard")]
    calm = [r for r in valid if r.src in ("kdconv", "chatterbot", "chat")][-500:]
    dev = [r for r in valid if r.src == "cold-dev"]
    dev = rng.sample(dev, min(600, len(dev)))
    rows = own + calm + dev
    z = predict(net, inputs_of(rows, enc))
    y = np.stack([r.y for r in rows])
    n = len(own) + len(calm)
    aucs = {}
    for i, name in enumerate(LABELS):
        if y[:n, i].sum() >= 3:
            aucs[name] = round(float(roc_auc_score(y[:n, i], z[:n, i])), 3)
    line = {"macro_auc": round(float(np.mean(list(aucs.values()))), 4) if aucs else None,
            "worst": sorted(aucs.items(), key=lambda kv: kv[1])[:4]}
    if dev:
        bully = z[n:, [i for i, l in enumerate(LABELS) if l.startswith("bullying.")]].max(1)
        gold = np.array([r.label for r in dev])
        line["cold_dev_auc"] = round(float(roc_auc_score(gold, bully)), 4)
    log(json.dumps(line))


def deadline(clock):
    """The next time that the clock says so, in seconds."""
    if not clock:
        return None
    now = time.localtime()
    hour, minute = map(int, clock.split(":"))
    at = time.mktime((now.tm_year, now.tm_mon, now.tm_mday, hour, minute, 0, 0, 0, now.tm_isdst))
    return at if at > time.time() else at + 24 * 3600


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--tests", default=None, help="test data whose texts must not be trained on")
    p.add_argument("--e5", required=True)
    p.add_argument("--weights", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--stage", choices=MIX, default="broad")
    p.add_argument("--start", default=None, help="weights to go on from")
    p.add_argument("--layers", default="0,1,2,3,4,5,6,7,8,9,10,11", help="layers of e5 to begin with")
    p.add_argument("--teacher", default=None, help="trained weights that --stage student learns from")
    p.add_argument("--keep", default=None, help="which of the teacher's layers the student begins with")
    p.add_argument("--ffn", type=int, default=1024, help="middle units a layer that the student keeps")
    p.add_argument("--steps", type=int, required=True)
    p.add_argument("--lr", type=float, default=1.2e-4)
    p.add_argument("--decay-to", type=float, default=1.0, help="share of --lr left at the last step")
    p.add_argument("--until", default=None, help="HH:MM by the clock: end there if --steps are not done, the rate falling to match")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--freeze", type=int, default=0, help="lowest layers that stay as they are")
    p.add_argument("--warm", type=int, default=150, help="steps of rising rate")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--every", type=int, default=250, help="steps between checkpoints")
    p.add_argument("--seed", type=int, default=20)
    a = p.parse_args()

    os.makedirs(a.out, exist_ok=True)
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    log = lambda *t: print(time.strftime("%H:%M:%S"), *t, flush=True)
    enc = tokenizer.Encoder(a.weights)
    pieces, _ = tokenizer.load(f"{a.weights}/vocab.tsv.gz")
    rows, valid = data.load(a.data, a.corpus, a.tests, log)
    for r in data.cold(a.data, "dev"):
        r.src = "cold-dev"
        valid.append(r)
    teacher = None
    if a.teacher:
        saved = torch.load(a.teacher)
        a.layers = saved["layers"]
        teacher = model.restore(saved, len(pieces))
        teacher.eval().requires_grad_(False)
        kept = [int(n) for n in a.keep.split(",")]
        looked = [collate(b)[:2] for b in Stream(rows, enc, a.stage, a.seed, views.Views(a.out), a.batch).chunk(0)[:24]]
        net = model.part_of(teacher, kept, a.ffn, *model.middle(teacher, looked))
        a.layers = ",".join(a.layers.split(",")[n] for n in kept)
    else:
        net = model.from_e5(a.e5, pieces, [int(n) for n in a.layers.split(",")])
    if a.start:
        net.load_state_dict(torch.load(a.start)["average"])
    for layer in net.layers[:a.freeze]:
        layer.requires_grad_(False)
    if a.freeze:
        for q in (net.special, net.position, net.norm.weight, net.norm.bias):
            q.requires_grad_(False)
    head = [q for n, q in net.named_parameters() if n.startswith("head")]
    body = [q for n, q in net.named_parameters() if q.requires_grad and not n.startswith("head")]
    opt = torch.optim.AdamW([{"params": body, "lr": 1.0}, {"params": head, "lr": 1.0}],
                            weight_decay=0.01, betas=(0.9, 0.98), foreach=True)
    net.to(device)
    if teacher:
        teacher.to(device)
    average = {n: q.detach().clone() for n, q in net.state_dict().items()}
    step, stream = 0, Stream(rows, enc, a.stage, a.seed, views.Views(a.out), a.batch)
    last = f"{a.out}/last.pt"
    if os.path.exists(last):
        saved = torch.load(last)
        net.load_state_dict(saved["net"])
        opt.load_state_dict(saved["opt"])
        average, step = saved["average"], saved["step"]
        log("resumed at step", step)

    end, started = deadline(a.until), time.time()
    began_file = f"{a.out}/began"
    if end and os.path.exists(began_file):
        started = float(open(began_file).read())
    open(began_file, "w").write(str(started))

    def gone(k):
        share = k / a.steps
        return max(share, (time.time() - started) / (end - started)) if end else share

    def rate(k):
        warm = min(1.0, (k + 1) / a.warm)
        return a.lr * warm * (a.decay_to + (1 - a.decay_to) * max(0.0, 1 - gone(k)))

    net.train()
    began, done, recent = time.time(), 0, []
    while step < a.steps and gone(step) < 1:
        for batch in stream.chunk(step // CHUNK)[step % CHUNK:]:
            if step >= a.steps or gone(step) >= 1:
                break
            opt.param_groups[0]["lr"] = rate(step)
            opt.param_groups[1]["lr"] = rate(step) * 5
            ids, mask, y, w, any_of = (t.to(device) for t in collate(batch))
            if teacher:
                with torch.no_grad():
                    wanted = teacher.features(ids, mask)
                    taught = teacher.head(wanted)
                features = net.features(ids, mask)
                logits = net.head(net.head_drop(features))
                loss = likeness(logits, features, taught, wanted) + HARD * loss_of(logits, y, w, any_of)
            else:
                loss = loss_of(net(ids, mask), y, w, any_of)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(body + head, 1.0, foreach=True)
            opt.step()
            step, done = step + 1, done + 1
            recent.append(loss.item())
            keep = min(0.995, (step + 1) / (step + 20))
            with torch.no_grad():
                for n, q in net.named_parameters():
                    if q.requires_grad:
                        average[n].lerp_(q, 1 - keep)
            if step % 50 == 0:
                speed = done * a.batch / (time.time() - began)
                log(f"step {step}/{a.steps} loss {np.mean(recent[-50:]):.4f} {speed:.1f} rows/s "
                    f"eta {(a.steps - step) * a.batch / speed / 60:.0f} min")
            if step % a.every == 0 or step == a.steps:
                torch.save({"net": net.state_dict(), "opt": opt.state_dict(), "average": average,
                            "step": step, "layers": a.layers}, last + ".new")
                os.replace(last + ".new", last)
            if step % (a.every * 2) == 0 or step == a.steps:
                mine = {n: q.clone() for n, q in net.state_dict().items()}
                net.load_state_dict(average)
                report(net, valid, enc, log)
                net.load_state_dict(mine)
    torch.save({"average": average, "layers": a.layers, "step": step, "seed": a.seed,
                "stage": a.stage}, f"{a.out}/final.pt")
    log("wrote", f"{a.out}/final.pt")


if __name__ == "__main__":
    main()
