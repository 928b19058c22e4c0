package speech

import (
	"bytes"
	"compress/zlib"
	"slices"
	"strings"
	"unicode"
)

// Doubt is why words that were written down do not count as heard.
type Doubt string

// The doubts.
const (
	Unlikely      Doubt = "unlikely"       // the recogniser thought its own words improbable
	NobodySpeaks  Doubt = "nobody_speaks"  // it thought that nobody speaks, and wrote words
	Loop          Doubt = "loop"           // the same words over and over
	OtherLanguage Doubt = "other_language" // neither Chinese nor English
	CutShort      Doubt = "cut_short"      // more words than it may write
	Phantom       Doubt = "phantom"        // words that recognisers are known to make up
	TooFast       Doubt = "too_fast"       // more words than anybody says in that time
	NoWords       Doubt = "no_words"       // somebody speaks, and no word came of it
	Faint         Doubt = "faint"          // there may be speech, and there may not
)

// Bars are what a piece must reach to count as heard. Zero fields take their defaults.
type Bars struct {
	MinLogProb     float64 // mean logarithm of a token's probability; default -1.0
	MaxNoSpeech    float64 // probability that nobody speaks; default 0.6
	MaxCompression float64 // how many times smaller the text packs; default 2.4
	MinKnown       float64 // probability that it is Chinese or English; default 0.15
	MaxSpeed       float64 // characters a second of speech, counting a Latin letter as a third; default 12
}

func (b Bars) withDefaults() Bars {
	fill(&b.MinLogProb, -1)
	fill(&b.MaxNoSpeech, 0.6)
	fill(&b.MaxCompression, 2.4)
	fill(&b.MinKnown, 0.15)
	fill(&b.MaxSpeed, 12)
	return b
}

func fill(field *float64, value float64) {
	if *field == 0 {
		*field = value
	}
}

// doubt gives the first bar that a segment misses, or nothing.
func (b Bars) doubt(s Segment) Doubt {
	switch {
	case s.Cut:
		return CutShort
	case !(s.Known >= b.MinKnown):
		return OtherLanguage
	case !(s.NoSpeech <= b.MaxNoSpeech):
		return NobodySpeaks
	case s.Compression > b.MaxCompression, loops(s.Text):
		return Loop
	case !(s.AvgLogProb >= b.MinLogProb):
		return Unlikely
	case phantom(s.Text):
		return Phantom
	case length(s.Text) > b.MaxSpeed*max(s.End-s.Start, 0.5)+4:
		return TooFast
	}
	return ""
}

// length counts what is said: a letter of an alphabet is about a third of a Chinese character.
func length(text string) float64 {
	n := 0.0
	for _, r := range text {
		switch {
		case r > 0x2E80:
			n++
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			n += 1.0 / 3
		}
	}
	return n
}

// compression is how many times smaller zlib makes a text. Short texts get larger, so below 1 is usual.
func compression(text string) float64 {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // a buffer takes everything
	_ = z.Close()
	return float64(len(text)) / float64(b.Len())
}

// loops tells of a text of which most is one piece, of up to 12 characters, four times and more in a row.
func loops(text string) bool {
	runes := slices.DeleteFunc([]rune(strings.ToLower(text)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for period := 1; period <= 12; period++ {
		run := 0
		for i := period; i < len(runes); i++ {
			if runes[i] != runes[i-period] {
				run = 0
				continue
			}
			run++
			if run >= 3*period && 2*(run+period) > len(runes) && run+period >= 6 {
				return true
			}
		}
	}
	return false
}

// phantoms are what Whisper, which learned from films with captions, writes when there is nothing to hear.
var phantoms = []string{
	"thankyouforwatching", "thanksforwatching", "pleasesubscribe", "likeandsubscribe", "subscribetomychannel", "subtitlesby", "amaraorg",
	"谢谢观看", "感谢观看", "谢谢收看", "感谢收看", "谢谢大家收看", "请不吝点赞", "订阅转发打赏", "点赞订阅", "明镜与点点", "字幕由", "字幕志愿者", "字幕提供", "中文字幕", "字幕制作",
	"优优独播剧场", "独播剧场", "词曲", "作词", "作曲", "编曲",
}

// phantom tells of a text that is mostly such a phrase.
func phantom(text string) bool {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
	for _, p := range phantoms {
		if strings.Contains(plain, p) && len(plain) < 4*len(p) {
			return true
		}
	}
	return false
}

// clean takes blanks from both ends, and notes such as [music] or (笑) that are no words.
func clean(text string) string {
	text = strings.TrimSpace(text)
	for _, pair := range [][2]string{{"[", "]"}, {"(", ")"}, {"（", "）"}, {"【", "】"}, {"♪", "♪"}, {"*", "*"}} {
		if strings.HasPrefix(text, pair[0]) && strings.HasSuffix(text, pair[1]) && len(text) >= len(pair[0])+len(pair[1]) {
			return ""
		}
	}
	if strings.IndexFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) < 0 {
		return ""
	}
	return text
}
