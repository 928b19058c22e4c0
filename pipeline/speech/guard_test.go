package speech

import (
	"math"
	"strings"
	"testing"
)

func TestWhatIsBelowABarIsDoubtedAndWhatIsAboveIsHeard(t *testing.T) {
	good := Segment{Start: 0, End: 2, Text: "see you at school tomorrow", Language: "en", AvgLogProb: -.3, NoSpeech: .05, Compression: .9, Known: .99}
	bars := Bars{}.withDefaults()
	for name, c := range map[string]struct {
		change func(*Segment)
		want   Doubt
	}{
		"a clear sentence":             {func(*Segment) {}, ""},
		"words that seem improbable":   {func(s *Segment) { s.AvgLogProb = -1.2 }, Unlikely},
		"a probability that is none":   {func(s *Segment) { s.AvgLogProb = math.NaN() }, Unlikely},
		"nobody may be speaking":       {func(s *Segment) { s.NoSpeech = .8 }, NobodySpeaks},
		"that is not known":            {func(s *Segment) { s.NoSpeech = math.NaN() }, NobodySpeaks},
		"text that packs too well":     {func(s *Segment) { s.Compression = 3 }, Loop},
		"the same piece over and over": {func(s *Segment) { s.Text = "ha ha ha ha ha ha ha ha" }, Loop},
		"another language":             {func(s *Segment) { s.Known = .02 }, OtherLanguage},
		"words that never end":         {func(s *Segment) { s.Cut = true }, CutShort},
		"what captions say":            {func(s *Segment) { s.Text = "Thank you for watching!" }, Phantom},
		"what Chinese captions say":    {func(s *Segment) { s.Text = "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目" }, Phantom},
		"faster than anybody talks":    {func(s *Segment) { s.Text = strings.Repeat("abcdefg hijklm nopqrs ", 8) }, TooFast},
	} {
		s := good
		c.change(&s)
		if got := bars.doubt(s); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestOnlyTextThatIsMostlyOnePieceIsALoop(t *testing.T) {
	for text, want := range map[string]bool{
		"no no no no no no":                     true,
		"好好好好好好好好":                              true,
		"谢谢大家谢谢大家谢谢大家谢谢大家":                      true,
		"haha that was so funny at lunch":       false,
		"bye bye, see you on monday":            false,
		"不要不要 我今天真的不想去":                         false,
		"":                                      false,
		"very very very tired after the match!": false,
	} {
		if got := loops(text); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestNotesThatAreNoWordsAreTakenAway(t *testing.T) {
	for text, want := range map[string]string{
		" [Music] ": "", "(笑)": "", "♪ la la ♪": "", "...": "", " ok ": "ok", "(really?) yes": "(really?) yes",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
