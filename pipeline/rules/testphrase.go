package rules

import (
	"strings"
	"unicode/utf8"

	"nightlight/pipeline"
)

// TestScore is the score of a harmless test phrase.
const TestScore = 0.99

// zhNames are the labels' names in the Chinese test phrases. No two are alike
// in all but one character, so that one misread character still tells them.
var zhNames = map[pipeline.Label]string{
	pipeline.SexualText: "色情文字", pipeline.SexualImageRequest: "索要私照", pipeline.SexualImageOffer: "提供私照", pipeline.SexualExtortion: "照片勒索",
	pipeline.GroomingAgeProbe: "打听年龄", pipeline.GroomingSecrecy: "要求保密", pipeline.GroomingIsolation: "隔离孤立", pipeline.GroomingInducement: "礼物引诱",
	pipeline.GroomingRomance: "诱导恋爱", pipeline.GroomingMeeting: "诱导见面",
	pipeline.SelfharmExpressed: "表达自伤", pipeline.SelfharmEncouraged: "怂恿自伤", pipeline.SelfharmEating: "饮食失调",
	pipeline.BullyingInsult: "辱骂他人", pipeline.BullyingExclusion: "排挤同学", pipeline.BullyingThreat: "威胁恐吓", pipeline.BullyingDoxxing: "人肉曝光", pipeline.BullyingHate: "群体仇恨",
	pipeline.PrivacyAsks: "打探隐私", pipeline.PrivacyGives: "泄露信息",
	pipeline.ScamFraud: "欺诈骗局", pipeline.ScamPaymentRequest: "索要钱财",
	pipeline.MarketAccountTrade: "账号买卖", pipeline.MarketLikeService: "刷赞服务",
	pipeline.WellbeingLikePressure: "点赞压力", pipeline.WellbeingCompulsiveUse: "沉迷上网",
	pipeline.DangerSubstances: "烟酒药物", pipeline.DangerChallenge: "危险挑战",
	pipeline.ViolenceThreatOther: "暴力威胁", pipeline.SpamFlood: "垃圾刷屏",
}

// TestPhrase returns the harmless phrase that makes exactly label fire, in
// "zh" or "en" (any other lang gives English). It is "" for a label that text
// cannot carry. Anyone may send it in production to try the whole path.
func TestPhrase(label pipeline.Label, lang string) string {
	zh, ok := zhNames[label]
	if !ok {
		return ""
	}
	if lang == "zh" || strings.HasPrefix(lang, "zh-") {
		return "夜灯测试 " + zh
	}
	return "nightlight test for " + strings.NewReplacer(".", " ", "_", " ").Replace(string(label))
}

// phrasebook knows the test phrases as they look after squeezing.
type phrasebook struct {
	en, zh []testKey
}

type testKey struct {
	label pipeline.Label
	key   []rune
}

func newPhrasebook() phrasebook {
	var p phrasebook
	for _, l := range pipeline.TextLabels {
		en := strings.NewReplacer(".", "", "_", "").Replace(string(l))
		p.en = append(p.en, testKey{l, []rune(squeezeLetters(en))})
		p.zh = append(p.zh, testKey{l, []rune(zhNames[l])})
	}
	return p
}

// squeezed is a text without what recognisers add or lose: only letters and
// Han characters, with signs that look alike written alike.
type squeezed struct {
	runes []rune
	at    []int // byte offset of each rune
}

// alike maps signs that a camera or a recogniser takes for each other to one.
func alike(r rune) rune {
	switch r {
	case '0':
		return 'o'
	case '1', 'i', '|', '!':
		return 'l'
	case '5':
		return 's'
	}
	if r >= 'a' && r <= 'z' || r >= 0x4E00 && r <= 0x9FFF {
		return r
	}
	return 0
}

func squeezeLetters(text string) string {
	return string(squeeze(text).runes)
}

func squeeze(text string) squeezed {
	var s squeezed
	for i, r := range text {
		r = alike(r)
		if r == 0 {
			continue
		}
		if n := len(s.runes); r == 'n' && n > 0 && s.runes[n-1] == 'r' { // rn for m
			s.runes[n-1] = 'm'
			continue
		}
		s.runes, s.at = append(s.runes, r), append(s.at, i)
	}
	return s
}

// spoken begins the English phrases where they are said aloud, "this is a
// safety test for scam fraud": recognisers seldom know the name Nightlight.
const spoken = "thlslsasafetytestfor"

// longestTest bounds the texts that are searched for a test phrase, in bytes;
// an essay is no test.
const longestTest = 1200

// find looks for a test phrase in a folded text and returns its label and
// place in bytes.
func (p phrasebook) find(text string) (label pipeline.Label, from, to int, ok bool) {
	if len(text) > longestTest || !worthSqueezing(text) {
		return "", 0, 0, false
	}
	s := squeeze(text)
	if l, a, b, ok := s.look(p.zh, [][]rune{[]rune("夜灯测试")}, 1, 1); ok {
		return l, a, tail(text, s, b), true
	}
	if l, a, b, ok := s.look(p.en, [][]rune{[]rune("nlghtllghttestfor"), []rune("nlghtllghttest")}, 3, 2); ok {
		return l, a, tail(text, s, b), true
	}
	if l, a, b, ok := s.look(p.en, [][]rune{[]rune(spoken)}, 1, 2); ok {
		return l, a, tail(text, s, b), true
	}
	return "", 0, 0, false
}

// worthSqueezing is a cheap look for something like the start of a phrase.
func worthSqueezing(text string) bool {
	return has(text, "test", "夜灯", "测试", "t3st", "te st", "灯测", "tesl", "lest") && has(text, "夜", "灯", "ight", "lite", "lght", "nite", "1ght", "lgh", "igh", "n i g", "测试", "ite", "safety")
}

// tail returns the byte offset behind rune i-1 of s.
func tail(text string, s squeezed, i int) int {
	at := s.at[i-1]
	_, size := utf8.DecodeRuneInString(text[at:])
	return at + size
}

// look finds a trigger within slack edits, and behind it the one key that is
// nearest, at most one edit for every six runes (at least least) away.
func (s squeezed) look(keys []testKey, triggers [][]rune, slack, least int) (label pipeline.Label, from, to int, ok bool) {
	for start := range s.runes {
		for _, trigger := range triggers {
			n, d := prefix(trigger, s.runes[start:])
			if d > slack || s.runes[start] != trigger[0] && d == slack {
				continue
			}
			rest := s.runes[start+n:]
			best, second, length := 99, 99, 0
			for _, k := range keys {
				m, d := prefix(k.key, rest)
				if d > max(least, len(k.key)/6) {
					continue
				}
				if d < best {
					best, second, label, length = d, best, k.label, m
				} else if d < second {
					second = d
				}
			}
			if best < second {
				return label, s.at[start], start + n + length, true
			}
		}
	}
	return "", 0, 0, false
}

// prefix returns the length of the prefix of text that is nearest to key and
// how many insertions, losses and swaps it is away.
func prefix(key, text []rune) (n, distance int) {
	const widest = 40
	var rows [2][widest + 1]int
	text = text[:min(len(text), len(key)+4, widest)]
	a, b := &rows[0], &rows[1]
	for j := range len(text) + 1 {
		a[j] = j
	}
	for i, k := range key {
		b[0] = i + 1
		for j, t := range text {
			cost := 1
			if k == t {
				cost = 0
			}
			b[j+1] = min(a[j]+cost, a[j+1]+1, b[j]+1)
		}
		a, b = b, a
	}
	distance = a[0]
	for j := range len(text) + 1 {
		if a[j] < distance {
			n, distance = j, a[j]
		}
	}
	return n, distance
}

func has(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
