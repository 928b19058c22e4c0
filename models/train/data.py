"""Loads the public sets and the written corpus as rows with masked labels.

A row's `y` holds 0 or 1 for each label and `w` how much that label's loss counts; 0 means the set
says nothing about it. `any_of` marks rows that are offensive but do not say whether a person or a
group is attacked: their loss is on the larger of bullying.insult and bullying.hate.
Nothing read here is ever written into the project.
"""
import csv
import glob
import hashlib
import html
import json
import os
import re
import unicodedata
import zipfile
from dataclasses import dataclass, field

import numpy as np

from labels import BULLYING, INDEX, LABELS

N = len(LABELS)
HATE, INSULT = INDEX["bullying.hate"], INDEX["bullying.insult"]
# What adults' public posts practically never are: a zero there teaches that a loose register is no sign.
RARE = [i for i, l in enumerate(LABELS)
        if l.split(".")[0] in ("grooming", "market", "scam", "privacy", "wellbeing", "selfharm")
        and l not in ("selfharm.expressed", "selfharm.encouraged")] + [
    INDEX["sexual.image_request"], INDEX["sexual.image_offer"], INDEX["sexual.extortion"],
    INDEX["danger.challenge"], INDEX["spam.flood"]]
RARE_WEIGHT = 0.5
# What single clauses of Chinese posts that offend nobody practically never are either.
GENTLE = [INDEX["selfharm.expressed"], INDEX["selfharm.encouraged"]]
# Pairs that overlap so much that authors do not always list the second beside the first: where it is
# not listed, its "no" counts little.
VAGUE = {
    "sexual.extortion": ("bullying.threat", "scam.payment_request", "bullying.doxxing"),
    "sexual.image_request": ("sexual.text", "grooming.inducement"),
    "sexual.image_offer": ("sexual.text", "grooming.inducement"),
    "grooming.isolation": ("privacy.asks", "privacy.gives", "grooming.secrecy"),
    "grooming.romance": ("sexual.text",),
    "grooming.meeting": ("grooming.isolation", "privacy.asks"),
    "selfharm.encouraged": ("bullying.insult", "bullying.threat"),
    "bullying.doxxing": ("privacy.gives", "bullying.threat"),
    "bullying.exclusion": ("bullying.insult",),
    "bullying.hate": ("bullying.insult",),
    "bullying.threat": ("violence.threat_other", "bullying.insult"),
    "violence.threat_other": ("bullying.threat",),
    "spam.flood": ("scam.fraud", "market.like_service"),
    "scam.fraud": ("scam.payment_request", "privacy.asks"),
    "market.account_trade": ("scam.fraud", "privacy.gives", "privacy.asks"),
    "market.like_service": ("scam.fraud", "spam.flood"),
}
VAGUE_WEIGHT = 0.2


@dataclass
class Row:
    text: str
    context: list = field(default_factory=list)  # [("o"|"s", text)], oldest first
    y: np.ndarray = None
    w: np.ndarray = None
    any_of: bool = False
    src: str = ""
    lang: str = ""
    group: str = ""


def key(text):
    """The identity of a text in every overlap check: NFKC, lower case, white space collapsed."""
    return hashlib.blake2b(
        " ".join(unicodedata.normalize("NFKC", text).lower().split()).encode(), digest_size=12
    ).hexdigest()


def fraction(text):
    """A number in [0, 1) that depends on the text alone: splits stay put when lines are added."""
    return int(hashlib.sha1(text.encode()).hexdigest()[:8], 16) / 2**32


def language(text):
    han = sum("\u4e00" <= c <= "\u9fff" for c in text)
    latin = len(re.findall(r"[A-Za-z]{2,}", text))
    if han and latin >= 2 and latin * 2 >= han * 0.5:
        return "mixed"
    return "zh" if han else "en"


def row(text, src, weights=None, positives=(), context=(), any_of=False, rare=True, group=""):
    y, w = np.zeros(N, np.float32), np.zeros(N, np.float32)
    if rare:
        w[RARE] = RARE_WEIGHT
    for name_or_index, weight in (weights or {}).items():
        w[name_or_index] = weight
    for i in positives:
        y[i] = 1
    return Row(text, list(context), y, w, any_of, src, language(text), group)


def tidy_tweet(text):
    text = html.unescape(html.unescape(text))
    text = re.sub(r"https?://\S+", "", text)
    text = re.sub(r"@\w+:?", "@user", text)
    return re.sub(r"\s+", " ", re.sub(r"^(!+\s*)?RT @user:?", "", text)).strip()


def bully_weights(weight):
    return {i: weight for i in BULLYING}


def cold(folder, split):
    with open(f"{folder}/COLD/COLDataset/{split}.csv", encoding="utf-8-sig") as f:
        for r in csv.DictReader(f):
            text = r["TEXT"].strip()
            if r["label"] == "1":
                weights = {} if split == "train" else {HATE: 1}
                out = row(text, "cold", weights, any_of=True)
            else:
                out = row(text, "cold", bully_weights(1.0))
            out.fine = r.get("fine-grained-label", "")
            out.label = int(r["label"])
            yield out


def edos(folder, split):
    with open(f"{folder}/EDOS/data/edos_labelled_aggregated.csv", encoding="utf-8") as f:
        for r in csv.DictReader(f):
            if r["split"] != split:
                continue
            text = r["text"].replace("[USER]", "@user").replace("[URL]", "").strip()
            sexist = r["label_sexist"] == "sexist"
            out = row(text, "edos", {HATE: 1.0}, [HATE] if sexist else [])
            out.label = int(sexist)
            yield out


def davidson(folder):
    with open(f"{folder}/Davidson/data/labeled_data.csv", encoding="utf-8") as f:
        for r in csv.DictReader(f):
            text = tidy_tweet(r["tweet"])
            if r["class"] == "0":
                yield row(text, "davidson", {HATE: 1.0}, [HATE])
            elif r["class"] == "2":
                yield row(text, "davidson", bully_weights(1.0))
            elif fraction(text) < 0.15:
                # Crude words, no group attacked: speaks weakly against hate, says nothing of insult.
                yield row(text, "davidson", {HATE: 0.3})


def surge(folder):
    with open(f"{folder}/surge-toxicity/toxicity_en.csv", encoding="utf-8") as f:
        for r in csv.DictReader(f):
            text = re.sub(r"\s+", " ", r["text"]).strip()
            if r["is_toxic"] == "Toxic":
                yield row(text, "surge", {}, any_of=True)
            else:
                yield row(text, "surge", bully_weights(1.0))


def swsr(folder):
    with open(f"{folder}/SWSR/SWSR/SexComment.csv", encoding="utf-8-sig") as f:
        for r in csv.DictReader(f):
            sexist = r["label"] == "1"
            yield row(r["comment_text"].strip(), "swsr", {HATE: 1.0}, [HATE] if sexist else [],
                      group=r["weibo_id"])


def diasafety(folder, split="train"):
    for r in json.load(open(f"{folder}/DiaSafety/DiaSafety_dataset/{split}.json", encoding="utf-8")):
        if r["category"] != "Offending User":
            continue
        context = [("o", r["context"].strip())]
        if r["label"] == "Unsafe":
            yield row(r["response"].strip(), "diasafety", {}, context=context, any_of=True,
                      group=key(r["context"]))
        else:
            yield row(r["response"].strip(), "diasafety", bully_weights(1.0), context=context,
                      group=key(r["context"]))


def fraud(folder):
    """One caller's turn a dialogue, the longest, with the turn before it; scam.fraud only."""
    base = f"{folder}/TeleAntiFraud/multi-agents-tools"
    i = INDEX["scam.fraud"]
    for kind, path in (("fraud", f"{base}/AntiFraudMatrix/results/*.jsonl"),
                       ("normal", f"{base}/AntiFraudMatrix-normal/results/*.jsonl")):
        for file in sorted(glob.glob(path)):
            for line in open(file, encoding="utf-8"):
                d = json.loads(line)
                left, right = d["left"], d["right"]
                if not left or (kind == "fraud" and fraction(left[0]) > 0.35):
                    continue
                at = max(range(len(left)), key=lambda k: len(left[k]))
                context = [("o", right[at - 1])] if at and at - 1 < len(right) else []
                yield row(left[at].strip(), "telefraud", {i: 0.5}, [i] if kind == "fraud" else [],
                          context=context, rare=False, group=key(left[0]))
                if right and fraction(right[0]) < 0.3:
                    yield row(right[0].strip(), "telefraud", {i: 0.5}, [],
                              context=[("o", left[0])], rare=False, group=key(left[0]))


def plain(folder):
    """Texts of the same sets that nobody labelled in our sense: a distilled net hears its teachers on them."""
    with open(f"{folder}/Davidson/data/labeled_data.csv", encoding="utf-8") as f:
        for r in csv.DictReader(f):
            yield row(tidy_tweet(r["tweet"]), "plain", rare=False)
    for r in json.load(open(f"{folder}/DiaSafety/DiaSafety_dataset/train.json", encoding="utf-8")):
        yield row(r["context"].strip(), "plain", rare=False)
        yield row(r["response"].strip(), "plain", context=[("o", r["context"].strip())], rare=False)
    for file in sorted(glob.glob(f"{folder}/TeleAntiFraud/multi-agents-tools/*/results/*.jsonl")):
        for line in open(file, encoding="utf-8"):
            for turn in json.loads(line)["right"]:
                if fraction(turn) < 0.2:
                    yield row(turn.strip(), "plain", rare=False)


def benign(text, src, context=(), group=""):
    return row(text, src, {i: 1.0 for i in range(N)}, [], context, rare=False, group=group)


def kdconv(folder):
    for file in sorted(glob.glob(f"{folder}/KdConv/data/*/*.json")):
        for n, d in enumerate(json.load(open(file, encoding="utf-8"))):
            turns = [m["message"].strip() for m in d["messages"]]
            group = f"kd:{os.path.basename(os.path.dirname(file))}:{os.path.basename(file)}:{n}"
            for i, text in enumerate(turns):
                context = []
                if fraction(text + group) < 0.35 and i:
                    context = [("o" if (i - j) % 2 else "s", turns[j]) for j in range(max(0, i - 2), i)]
                yield benign(text, "kdconv", context, group)


SKIP_TOPICS = {"politics", "psychology", "emotion", "gossip", "botprofile", "coding", "ai", "humor"}


def chatterbot(folder):
    import yaml

    for file in sorted(glob.glob(f"{folder}/chatterbot-corpus/chatterbot_corpus/data/*/*.yml")):
        topic = os.path.basename(file)[:-4]
        if topic in SKIP_TOPICS:
            continue
        talks = yaml.safe_load(open(file, encoding="utf-8"))["conversations"]
        for n, talk in enumerate(talks):
            turns = [str(t).strip() for t in talk]
            group = f"cb:{file[-24:]}:{n}"
            if topic == "tech_support" and fraction(group + turns[0]) > 0.4:
                continue
            for i, text in enumerate(turns):
                if not re.search("drink", text):
                    yield benign(text, "chatterbot", [("o", turns[i - 1])] if i else [], group)


def corpus(folder, hard=False):
    """The project's own texts: fully labelled, an unlisted label is a plain no."""
    for file in sorted(glob.glob(f"{folder}/*.txt")):
        main = os.path.basename(file)[:-4]
        if main not in INDEX:
            raise ValueError(f"{file}: {main} is not a text label")
        for line in open(file, encoding="utf-8"):
            r = corpus_line(line.rstrip("\n"), None if hard else main)
            if r:
                r.src = "hard" if hard else "corpus"
                r.main = main
                yield r


def chat(folder):
    """Everyday chat by our own hand: as fully labelled as the corpus, mostly with no label."""
    for file in sorted(glob.glob(f"{folder}/*.txt")):
        for line in open(file, encoding="utf-8"):
            r = corpus_line(line.rstrip("\n"), None)
            if r:
                r.src = "chat"
                yield r


def contrast(folder):
    """Our own short statements about groups, for and against: only bullying.hate is labelled."""
    for r in list(corpus(f"{folder}/train")) + list(corpus(f"{folder}/hard", hard=True)):
        r.src = "contrast"
        r.w = np.zeros(N, np.float32)
        r.w[HATE] = 2.0
        yield r


def corpus_line(line, main):
    if not line.strip():
        return None
    text, _, extra = line.partition("\t")
    context = []
    if "⟂" in text:
        before, _, text = text.partition("⟂")
        for turn in before.split("||"):
            turn = turn.strip()
            if turn[:2] in ("o:", "s:", "o：", "s："):
                context.append((turn[0], turn[2:].strip()))
            elif turn:
                context.append(("o", turn))
    labels = [main] if main else []
    labels += [l.strip() for l in extra.strip().lstrip("+").split(",") if l.strip()]
    good = [INDEX[l] for l in labels if l in INDEX]
    text = text.strip()
    if not text:
        return None
    r = benign(text, "corpus", context)
    for name in labels:
        for other in VAGUE.get(name, ()):
            r.w[INDEX[other]] = VAGUE_WEIGHT
    for i in good:
        r.y[i], r.w[i] = 1, 1
    r.unknown = [l for l in labels if l not in INDEX]
    return r


def hatecheck(folder):
    with open(f"{folder}/HateCheck/test_suite_cases.csv", encoding="utf-8") as f:
        for r in csv.DictReader(f):
            out = row(r["test_case"].strip(), "hatecheck", {HATE: 1}, [HATE] if r["label_gold"] == "hateful" else [])
            out.label, out.function = int(r["label_gold"] == "hateful"), r["functionality"]
            yield out


def sms_zh(folder, limit=6000):
    raw = zipfile.ZipFile(glob.glob(f"{folder}/NUS-SMS-zh/*.zip")[0])
    xml = raw.read(raw.namelist()[0]).decode("utf-8", "replace")
    texts = dict.fromkeys(html.unescape(t).strip() for t in re.findall(r"<text>(.*?)</text>", xml, re.S))
    texts = sorted((t for t in texts if t), key=lambda t: fraction("sms" + t))
    return [benign(t, "nus-sms") for t in texts[:limit]]


def lccc(folder, limit=6000):
    out = {}
    for line in open(f"{folder}/LCCC-toy/data/toy_train.txt", encoding="utf-8"):
        for t in line.rstrip("\n").split("\t"):
            out[t.replace(" ", "")] = 1
    return [benign(t, "lccc") for t in sorted(out, key=lambda t: fraction("l" + t))[:limit] if t]


def sms_en_ham(folder):
    out = {}
    for line in open(f"{folder}/SMSSpam/data/sms.tsv", encoding="utf-8"):
        kind, _, text = line.rstrip("\n").partition("\t")
        if kind == "ham":
            out[key(text)] = text
    return [benign(html.unescape(t), "smsspam-ham") for t in out.values()]


def clause(r, rng):
    """One clause of a public row as a row of its own, or the row itself if it has but one.

    A clause of a text that harms nobody harms nobody; of an offensive one nobody knows which clause
    it was, so only what public posts practically never are is left to learn.
    """
    pieces = [p.strip() for p in re.split(r"[，。！？；…,.!?;\n～~]+", r.text)]
    pieces = [p for p in pieces if 2 <= len(p) < 60]
    if len(pieces) < 2 or r.src == "telefraud":
        return r
    text = rng.choice(pieces)
    if r.any_of or r.y.any():
        w = np.zeros(N, np.float32)
        w[RARE] = np.minimum(r.w[RARE], RARE_WEIGHT)
        w[r.y > 0] = 0
        return Row(text, [], np.zeros(N, np.float32), w, False, r.src, language(text), r.group)
    w = r.w.copy()
    if r.lang == "zh":
        w[GENTLE] = np.maximum(w[GENTLE], RARE_WEIGHT)
    return Row(text, [], r.y, w, False, r.src, language(text), r.group)


def held_out_keys(folder, more=()):
    """Keys of every test text; training rows that carry one are dropped."""
    keys = {key(r.text) for r in cold(folder, "test")}
    keys |= {key(r.text) for r in edos(folder, "test")}
    keys |= {key(r.text) for r in hatecheck(folder)}
    for r in json.load(open(f"{folder}/DiaSafety/DiaSafety_dataset/test.json", encoding="utf-8")):
        keys |= {key(r["context"]), key(r["response"])}
    for text in more:
        keys.add(key(text))
    return keys


def test_texts(folder):
    """Texts under the evaluation's own test data, for the overlap check only: read as hashes."""
    for path in sorted(glob.glob(f"{folder}/**/*", recursive=True)):
        if not os.path.isfile(path) or os.path.getsize(path) > 20 << 20:
            continue
        with open(path, encoding="utf-8", errors="ignore") as f:
            for line in f:
                line = line.rstrip("\n")
                if path.endswith("l") and line.startswith("{"):
                    try:
                        line = str(json.loads(line).get("text", ""))
                    except ValueError:
                        continue
                r = corpus_line(line, None) if line else None
                if r:
                    yield r.text


def tuning(corpus_folder):
    """Lines for thresholds, by authors who wrote nothing to train on."""
    base = f"{corpus_folder}/tune"
    rows = list(corpus(f"{base}/train")) + list(corpus(f"{base}/hard", hard=True)) + list(chat(f"{base}/benign"))
    for r in rows:
        r.tune = True
    return rows


def load(folder, corpus_folder, tests=None, log=print):
    """Returns (train, valid): valid is the lines of the tuning authors, a few of the others' and KdConv's."""
    banned = held_out_keys(folder, test_texts(tests) if tests else ())
    dev = {key(r.text) for r in cold(folder, "dev")} | {key(r.text) for r in edos(folder, "dev")}
    train, valid, seen, dropped = [], [], set(), {}

    def add(rows, held=lambda r: False):
        for r in rows:
            if not r.text:
                continue
            k = key(r.text)
            if k in banned:
                dropped[r.src] = dropped.get(r.src, 0) + 1
                continue
            full = k + "".join(key(t) for _, t in r.context)
            if full in seen:
                continue
            seen.add(full)
            if held(r):
                valid.append(r)
            elif k not in dev:
                train.append(r)

    add(tuning(corpus_folder), lambda r: True)
    few = lambda r: fraction(key(r.text)) < 0.04
    add(corpus(f"{corpus_folder}/train"), few)
    add(corpus(f"{corpus_folder}/hard", hard=True), few)
    add(chat(f"{corpus_folder}/benign"), few)
    ours = os.path.join(os.path.dirname(os.path.abspath(__file__)), "contrast")
    add(chat(f"{ours}/benign"), few)
    add(contrast(ours))
    add(cold(folder, "train"))
    add(edos(folder, "train"))
    add(davidson(folder))
    add(surge(folder))
    add(swsr(folder))
    add(diasafety(folder))
    add(fraud(folder))
    add(plain(folder))
    add(kdconv(folder), lambda r: fraction(r.group) < 0.15)
    add(chatterbot(folder), lambda r: fraction(r.group) < 0.15)
    count = {}
    for r in train:
        count[r.src] = count.get(r.src, 0) + 1
    log("train rows", count, "valid", len(valid), "dropped as test copies", dropped)
    return train, valid
