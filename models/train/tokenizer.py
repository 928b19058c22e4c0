"""The pruned Unigram tokenizer: how it is made, written down and applied.

A word (see fold.words) is cut on its own, as U+2581 + word, by the Viterbi path of the highest sum
of piece scores. Scores are whole multiples of 1/1024, so sums are exact in float64 and in integers
alike and a tie can never depend on rounding. The reference is a `tokenizers` Unigram model over the
same pieces; `Encoder` asks it and nothing else.
"""
import gzip

import numpy as np

import fold

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<self>", "<other>", "<text>"]
BOS, PAD, EOS, UNK, SELF, OTHER, TEXT = range(7)
SCALE = 1024

MAX_TOKENS = 96      # <s> + context + <text> + window + </s>
WINDOW = 64          # tokens of the text judged at once
STRIDE = 48          # from one window's start to the next
TURN = 24            # tokens kept of one earlier message, its first ones
TURNS = 4            # earlier messages looked at, the newest


def prune(pieces, scores, table, texts, log=print):
    """Picks old ids to keep: every piece zh+en chat uses, plus single characters worth having."""
    usable = [i for i in range(4, len(pieces)) if _usable(pieces[i], table)]
    full = _model([pieces[i] for i in usable], [float(scores[i]) for i in usable])
    count = np.zeros(len(usable), np.int64)
    tok = full
    words = {}
    for text in texts:
        for w in fold.words(text, table):
            words[w] = words.get(w, 0) + 1
    batch = sorted(words)
    for at in range(0, len(batch), 20000):
        part = batch[at:at + 20000]
        for w, enc in zip(part, tok.encode_batch(part, add_special_tokens=False)):
            n = words[w]
            for i in enc.ids:
                if i >= 4:
                    count[i - 4] += n
    keep = []
    for n, i in enumerate(usable):
        piece = pieces[i]
        if count[n] >= 1 or _generic(piece, i):
            keep.append(i)
    log(f"pieces: {len(pieces)} in all, {len(usable)} after folding, "
        f"{int((count > 0).sum())} used by {len(batch)} words, {len(keep)} kept")
    return keep


def _usable(piece, table):
    """A piece that folded text can still contain."""
    body = piece[1:] if piece.startswith(fold.META) else piece
    return body.translate(table) == body and " " not in body and fold.META not in body


def _generic(piece, old_id):
    body = piece[1:] if piece.startswith(fold.META) else piece
    if len(body) == 0:
        return True
    if len(body) == 1:
        cp = ord(body)
        return (cp < 0x250 or 0x3000 <= cp <= 0x30FF or 0x4E00 <= cp <= 0x9FFF
                or 0x2000 <= cp <= 0x2BFF or 0xFF00 <= cp <= 0xFFEF or 0x1F000 <= cp <= 0x1FAFF
                or 0x370 <= cp <= 0x451)
    if all("a" <= c <= "z" or c.isdigit() and c.isascii() for c in body):
        return len(body) <= 3 and old_id < 60000 or old_id < 16000
    if all("\u4e00" <= c <= "\u9fff" for c in body):
        return old_id < 140000
    return False


def _model(pieces, scores):
    from tokenizers import Tokenizer, models, pre_tokenizers

    # Names with a space can be matched by no word.
    vocab = [(f"{name} special", 0.0) for name in SPECIALS[:4]] if len(pieces) > 1 else []
    vocab += list(zip(pieces, scores))
    tok = Tokenizer(models.Unigram(vocab, unk_id=UNK))
    tok.pre_tokenizer = pre_tokenizers.Metaspace(replacement=fold.META, prepend_scheme="always", split=True)
    return tok


def save(path, pieces, scores):
    """vocab.tsv.gz: line n is id n: piece TAB score * 1024. The first seven are the specials."""
    with gzip.GzipFile(path, "wb", 9, mtime=0) as out:
        for name in SPECIALS:
            out.write(f"{name}\t0\n".encode())
        for piece, score in zip(pieces, scores):
            out.write(f"{piece}\t{round(float(score) * SCALE)}\n".encode())


def load(path):
    pieces, scores = [], []
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            piece, score = line.rstrip("\n").split("\t")
            pieces.append(piece)
            scores.append(int(score))
    return pieces, scores


class Encoder:
    """Texts to ids, through the fold table and the pruned reference model."""

    def __init__(self, folder):
        from tokenizers import Tokenizer, models, pre_tokenizers

        self.table = fold.load(f"{folder}/fold.tsv.gz")
        pieces, scores = load(f"{folder}/vocab.tsv.gz")
        self.size = len(pieces)
        # The unknown score is the reference's: ten below the worst piece that is no special.
        vocab = [(f"{p} special", 0.0) if i < len(SPECIALS) else (p, s / SCALE)
                 for i, (p, s) in enumerate(zip(pieces, scores))]
        self.tok = Tokenizer(models.Unigram(vocab, unk_id=UNK))
        self.tok.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement=fold.META, prepend_scheme="always", split=True)

    def tokens(self, text):
        words = fold.words(text, self.table)
        if not words:
            return []
        return self.tok.encode(" ".join(words), add_special_tokens=False).ids

    def batch(self, texts):
        joined = [" ".join(fold.words(t, self.table)) for t in texts]
        out = [[] for _ in texts]
        todo = [i for i, t in enumerate(joined) if t]
        for i, enc in zip(todo, self.tok.encode_batch([joined[i] for i in todo], add_special_tokens=False)):
            out[i] = enc.ids
        return out


def arrange(text_ids, turns, limit=MAX_TOKENS, window=WINDOW):
    """One window's ids with its context. `turns` is [("o"|"s", ids)], oldest first.

    Without context: <s> text </s>. With: <s> (<other>|<self> turn)... <text> text </s>, oldest turn
    first. Of each turn its first TURN tokens stand; turns are taken from the newest back, at most
    TURNS of them, until one does not fit whole; that one and all before it are left out.
    """
    body = list(text_ids[:window])
    room = limit - len(body) - 3
    kept = []
    for who, ids in reversed(turns[-TURNS:]):
        ids = list(ids[:TURN])
        if len(ids) + 1 > room:
            break
        if not ids:
            continue
        kept.append([OTHER if who == "o" else SELF] + ids)
        room -= len(ids) + 1
    if not kept:
        return [BOS] + body + [EOS]
    front = [i for turn in reversed(kept) for i in turn]
    return [BOS] + front + [TEXT] + body + [EOS]


def windows(ids, window=WINDOW, stride=STRIDE):
    """Cuts long texts: starts 0, stride, 2*stride ... until a window reaches the end."""
    if len(ids) <= window:
        return [ids]
    out, at = [], 0
    while True:
        out.append(ids[at:at + window])
        if at + window >= len(ids):
            return out
        at += stride
