"""Turns logits into scores whose 0.5 is each label's decision point.

score = sigmoid(a * logit + b), a and b by label and script ("zh" where the folded text holds a Han
character U+4E00..U+9FFF, else "en"). Logits are those that the product acts on: the highest over the
readings of a text. First Platt's likelihood fit (1999) makes them probabilities: one slope a label,
an intercept a script that leans on the label's own. When false alarms of all labels cost the same,
the best points are one probability for all; so one shift puts it at 0.5, the lowest that keeps to
two budgets: the share of harmless everyday messages that may reach the point of any label (ANY), and
of hard negatives that of a wrong one (WRONG). A miss of an urgent label costs URGENT_COST times as
much. Both are counted on lines by authors who wrote nothing to train on. The two labels that
public sets test follow macro-F1 on those sets' development splits, where everyday chat lets them.
Only held-out rows with a training licence are used.
"""
import json
import math

import numpy as np

import data
from labels import BULLYING, INDEX, LABELS, URGENT

ANY, WRONG = 0.012, 0.06
URGENT_COST = 3.0
FLOOR = 0.002  # of everyday messages that hate or insult may reach, whatever public sets want


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


def platt(z, y, zh):
    """(a, intercept of en, intercept of zh): the likelihood's, with the scripts' intercepts held together
    as if five texts had said that they are equal, and the slope near 1 as if two had."""
    from scipy.optimize import minimize

    y = y.astype(float)

    def cost(p):
        s = p[0] * z + p[1] + np.where(zh, p[2], -p[2])
        g = 1 / (1 + np.exp(-s)) - y
        value = (np.logaddexp(0, s) - y * s).sum() + 5 * p[2] ** 2 + 2 * (p[0] - 1) ** 2
        return value, np.array([(g * z).sum() + 4 * (p[0] - 1), g.sum(), (g * np.where(zh, 1, -1)).sum() + 10 * p[2]])

    best = minimize(cost, [1.0, 0.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(0.2, 5.0), (None, None), (None, None)]).x
    return float(best[0]), float(best[1] - best[2]), float(best[1] + best[2])


def macro_f1(hit, gold):
    out = []
    for cls in (True, False):
        tp = ((hit == cls) & (gold == cls)).sum()
        out.append(2 * tp / max(1, (hit == cls).sum() + (gold == cls).sum()))
    return float(np.mean(out))


def lowest_near_best(grid, z, gold, draws=400, seed=1):
    """Of ascending thresholds the lowest, which misses least, whose macro-F1 is within one standard error of the best one's
    (the rule of Breiman et al. 1984; the error by a seeded bootstrap of the rows). The curve is flat at its top: where exactly
    its highest point lies is chance, and moved by more than a logit from one training to the next."""
    score = [macro_f1(z >= t, gold) for t in grid]
    best = int(np.argmax(score))
    hit, rng = z >= grid[best], np.random.default_rng(seed)
    drawn = [macro_f1(hit[at], gold[at]) for at in rng.integers(0, len(z), (draws, len(z)))]
    return float(min(t for t, s in zip(grid, score) if s >= score[best] - np.std(drawn)))


def fit(z, rows):
    """({label: {"zh"|"en": (a, b)}}, metrics)."""
    src = np.array([r.src for r in rows])
    lang = np.array([script(r.text) for r in rows])
    y = np.stack([r.y for r in rows]) > 0.5
    sure = np.stack([r.w for r in rows]) >= 1
    tune = np.array([getattr(r, "tune", False) for r in rows])
    own = (src == "corpus") | (src == "hard")
    near = tune & (src == "chat")
    hard = tune & (src == "hard")
    calm = (src == "kdconv") | (src == "chatterbot") | (src == "chat")
    gold = np.array([getattr(r, "label", 0) for r in rows]) > 0
    lines = {}
    for i, name in enumerate(LABELS):
        use = (own | calm) & (sure[:, i] | y[:, i])
        a, en, zh = platt(z[use, i], y[use, i], lang[use] == "zh")
        more = math.log(URGENT_COST) if name in URGENT else 0.0
        lines[name] = {"en": (a, en + more), "zh": (a, zh + more)}

    def loud(shift):
        p = np.stack([[lines[name][code][0] for name in LABELS] for code in lang]) * z
        p += np.stack([[lines[name][code][1] for name in LABELS] for code in lang]) + shift
        over = (p >= 0) & ~y
        return max(over[near].any(1).mean(), over[calm].any(1).mean()), over[hard].any(1).mean()

    low, high = -12.0, 6.0
    for _ in range(40):
        shift = (low + high) / 2
        noise, wrong = loud(shift)
        low, high = (shift, high) if noise <= ANY and wrong <= WRONG else (low, shift)
    points = {name: {code: (-(b + low) / a, above(z[near & (lang == code), i], FLOOR)) for code, (a, b) in lines[name].items()}
              for i, name in enumerate(LABELS)}
    public_points(z, src, gold, points)
    table = {name: {code: (lines[name][code][0], -lines[name][code][0] * points[name][code][0]) for code in ("en", "zh")} for name in LABELS}
    p = apply(z, lang, table)
    metrics = {"labels": {}, "shift": low}
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


def public_points(z, src, gold, points):
    """Moves insult and hate to where development splits of public sets want them, above the floors:
    hate in English by EDOS dev, both in Chinese together by COLD dev."""
    i = INDEX["bullying.hate"]
    at = src == "edos-dev"
    floor = points["bullying.hate"]["en"][1]
    grid = np.maximum(np.quantile(z[at, i], np.linspace(0.3, 0.97, 90)), floor)
    points["bullying.hate"]["en"] = (lowest_near_best(grid, z[at, i], gold[at]), floor)

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


def save(path, model, table, share=0.0):
    out = {"model": model, "linear": share, "rule": "score = 1 / (1 + exp(-(a * logit + b))); zh if the folded text holds "
           "a code point U+4E00..U+9FFF, else en; 0.5 is the decision point; to each logit of this model the share "
           "`linear` of the linear model's is added first",
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
