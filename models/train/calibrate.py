"""Turns logits into scores whose 0.5 is each label's decision point.

score = sigmoid(a * logit + b), a and b by label and script ("zh" where the folded text holds a Han
character U+4E00..U+9FFF, else "en"). Logits are those that the product acts on: the highest over the
readings of a text. Decision points follow one budget: the share of harmless everyday messages that
may reach the point of any label (ANY), and of hard negatives that of a wrong one (WRONG). Both are
counted on lines by authors who wrote nothing to train on; the budget is shared out evenly among
labels, threefold to those whose misses cost most. Shares too small to count are read off an
exponential tail. For the two labels that public sets test, the point with the best mean macro-F1 on
those sets' development splits is taken where it lies above what everyday chat demands. The slope is
the likelihood's, given that point. Only held-out rows with a training licence are used.
"""
import json
import math

import numpy as np

import data
from labels import BULLYING, INDEX, LABELS, URGENT

ANY, WRONG = 0.008, 0.04
URGENT_SHARE = 3.0
OTHER = 0.02  # of texts that carry other labels


def script(text):
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


def tuning_rows(folder, valid):
    """Held-out corpus and benign chat, COLD dev and EDOS dev."""
    rows = list(valid)
    for r in data.cold(folder, "dev"):
        if data.fraction(r.text) < 0.4:
            r.src = "cold-dev"
            rows.append(r)
    for r in data.edos(folder, "dev"):
        r.src = "edos-dev"
        rows.append(r)
    return rows


def above(z, share):
    """The threshold that a share of z lies over; a share of under five texts by an exponential tail."""
    down = np.sort(z)[::-1]
    n = len(down)
    if n == 0:
        return -20.0
    if share * n >= 5:
        return float(down[min(n - 1, int(share * n))]) + 1e-3
    k = min(n - 1, max(10, int(0.03 * n)))
    base = down[k]
    return float(base + (down[:k] - base).mean() * math.log(max(1.0, k / n / share)))


def slope(z, y, t):
    """The likeliest a of sigmoid(a * (z - t)) on a grid."""
    best, pick = -np.inf, 1.0
    for a in np.geomspace(0.3, 4.0, 40):
        s = a * (z - t)
        ll = -(np.where(y, np.logaddexp(0, -s), np.logaddexp(0, s))).sum()
        if ll > best:
            best, pick = ll, a
    return float(pick)


def macro_f1(hit, gold):
    out = []
    for cls in (True, False):
        tp = ((hit == cls) & (gold == cls)).sum()
        out.append(2 * tp / max(1, (hit == cls).sum() + (gold == cls).sum()))
    return float(np.mean(out))


def fit(z, rows):
    """({label: {"all"|"zh"|"en": (a, b)}}, metrics), with the largest budget that keeps to ANY and WRONG."""
    src = np.array([r.src for r in rows])
    lang = np.array([script(r.text) for r in rows])
    y = np.stack([r.y for r in rows]) > 0.5
    sure = np.stack([r.w for r in rows]) >= 1
    tune = np.array([getattr(r, "tune", False) for r in rows])
    own = (src == "corpus") | (src == "hard")
    near = tune & (src == "chat")
    hard = tune & (src == "hard")
    calm = (src == "kdconv") | (src == "chatterbot") | (src == "chat")
    posts = np.array([r.src in ("cold-dev", "edos-dev") and r.label == 0 for r in rows])
    gold = np.array([getattr(r, "label", 0) for r in rows]) > 0

    def points_at(share):
        points = {}
        for i, name in enumerate(LABELS):
            mine = share * (URGENT_SHARE if name in URGENT else 1.0)
            points[name] = {}
            for code in ("zh", "en"):
                here = lang == code
                floor = above(z[near & here, i], mine)
                if i in data.RARE:
                    floor = max(floor, above(z[(calm | posts) & here, i], mine))
                wrong = above(z[hard & here & ~y[:, i], i], mine * WRONG / ANY)
                other = above(z[own & here & ~y[:, i] & sure[:, i], i], OTHER)
                points[name][code] = (max(floor, wrong, other), floor)
        public_points(z, src, lang, own, y, gold, points)
        return points

    def loud(points):
        t = np.stack([[points[name][code][0] for name in LABELS] for code in lang])
        over = (z >= t) & ~y
        return over[near].any(1).mean(), over[hard].any(1).mean()

    low, high = 1e-6, 0.02
    for _ in range(24):
        share = math.sqrt(low * high)
        noise, wrong = loud(points_at(share))
        low, high = (share, high) if noise <= ANY and wrong <= WRONG else (low, share)
    points = points_at(low)
    table = {}
    for i, name in enumerate(LABELS):
        table[name] = {}
        for code, (t, _) in points[name].items():
            use = (own | calm) & (lang == code) & (sure[:, i] | y[:, i])
            a = slope(z[use, i], y[use, i], t)
            table[name][code] = (a, -a * t)
    p = apply(z, lang, table)
    metrics = {"labels": {}, "share": low}
    for i, name in enumerate(LABELS):
        metrics["labels"][name] = figures(z[:, i], p[:, i], y[:, i], own & sure[:, i] | own & y[:, i], calm)
    metrics["benign_any"] = round(float((p[calm].max(1) >= 0.5).mean()), 4)
    metrics["chat_any"] = round(float((p[near].max(1, initial=0) >= 0.5).mean()), 4)
    harmful = tune & own & y.any(1)
    metrics["harmful_any"] = round(float((p[harmful].max(1) >= 0.5).mean()), 4)
    metrics["harmful_right"] = round(float(((p[harmful] >= 0.5) & y[harmful]).any(1).mean()), 4)
    metrics["hard_wrong"] = round(float(((p[hard] >= 0.5) & ~y[hard]).any(1).mean()), 4)
    for name, cols in (("cold-dev", BULLYING), ("edos-dev", [INDEX["bullying.hate"]])):
        at = src == name
        metrics[name] = {"macro_f1": round(macro_f1(p[at][:, cols].max(1) >= 0.5, gold[at]), 4),
                         "auc": round(auc(p[at][:, cols].max(1), gold[at]), 4)}
    return table, metrics


def public_points(z, src, lang, own, y, gold, points):
    """Moves insult and hate to where development splits of public sets want them, above the floors:
    hate in English by EDOS dev and our own texts, both in Chinese together by COLD dev."""
    i = INDEX["bullying.hate"]
    at, mine = src == "edos-dev", own & (lang == "en")
    floor = points["bullying.hate"]["en"][1]
    grid = np.maximum(np.quantile(z[at, i], np.linspace(0.3, 0.97, 90)), floor)
    score = [macro_f1(z[at, i] >= t, gold[at]) + macro_f1(z[mine, i] >= t, y[mine, i]) for t in grid]
    points["bullying.hate"]["en"] = (float(grid[int(np.argmax(score))]), floor)

    at = src == "cold-dev"
    pair = ["bullying.insult", "bullying.hate"]
    best, pick = -1.0, {}
    for shift in np.linspace(-2.0, 2.0, 81):
        moved = {n: max(points[n]["zh"][0] + shift, points[n]["zh"][1]) for n in pair}
        hit = np.zeros(at.sum(), bool)
        for name in LABELS:
            if name.startswith("bullying."):
                hit |= z[at, INDEX[name]] >= moved.get(name, points[name]["zh"][0])
        f = macro_f1(hit, gold[at]) - 0.004 * abs(shift)
        if f > best:
            best, pick = f, moved
    for n in pair:
        points[n]["zh"] = (pick[n], points[n]["zh"][1])


def auc(z, y):
    from scipy.stats import rankdata

    n, m = int(y.sum()), int((~y).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(z)[y].sum() - n * (n + 1) / 2) / (n * m))


def ece(p, y, bins=10):
    at = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(p[at == k].mean() - y[at == k].mean()) * (at == k).mean()
                     for k in range(bins) if (at == k).any()))


def figures(z, p, y, own, calm):
    use = own | calm
    neg = np.sort(p[use & ~y])[::-1]
    one = neg[int(0.01 * len(neg))]
    pos = p[use & y]
    hit = p >= 0.5
    tp, fp = int((hit & y & use).sum()), int((hit & ~y & use).sum())
    return {"n": int((use & y).sum()), "auc": round(auc(p[use], y[use]), 4),
            "recall_at_1pct_fpr": round(float((pos > one).mean()), 3) if len(pos) else None,
            "recall": round(tp / max(1, int((use & y).sum())), 3), "precision": round(tp / max(1, tp + fp), 3),
            "benign_fpr": round(float(hit[calm].mean()), 5), "ece": round(ece(p[use], y[use]), 4)}


def apply(z, lang, table):
    p = np.zeros_like(z)
    for i, name in enumerate(LABELS):
        for code in ("zh", "en"):
            a, b = table[name][code]
            at = lang == code
            p[at, i] = 1 / (1 + np.exp(-(a * z[at, i] + b)))
    return p


def save(path, model, table):
    out = {"model": model, "rule": "score = 1 / (1 + exp(-(a * logit + b))); zh if the folded text holds "
           "a code point U+4E00..U+9FFF, else en; 0.5 is the decision point",
           "labels": {name: {code: {"a": round(float(a), 5), "b": round(float(b), 5)} for code, (a, b) in entry.items()}
                      for name, entry in table.items()}}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


def load(path):
    labels = json.load(open(path, encoding="utf-8"))["labels"]
    return {n: {c: (v["a"], v["b"]) for c, v in e.items()} for n, e in labels.items()}


def show(metrics, log):
    for name, m in metrics["labels"].items():
        log(f"{name:26s}", " ".join(f"{k}={v}" for k, v in m.items()))
    log({k: v for k, v in metrics.items() if k != "labels"})
    ok = [m["recall_at_1pct_fpr"] for m in metrics["labels"].values() if m["recall_at_1pct_fpr"] is not None]
    log("mean recall at 1 % FPR", round(float(np.mean(ok)), 4) if ok else None,
        "macro AUC", round(float(np.nanmean([m["auc"] for m in metrics["labels"].values()])), 4))
