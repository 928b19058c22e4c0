package speech

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"nightlight/pipeline"
)

// speaks is a detector that hears somebody all the time, or nobody.
func speaks(p float32) Detector {
	return Detector{Refs: []pipeline.ModelRef{{Name: "detector", Version: "1"}}, Run: func(_ context.Context, _, state []float32) (float32, []float32, error) {
		return p, state, nil
	}}
}

type writer struct {
	segments []Segment
	err      error
}

func (w writer) Models() []pipeline.ModelRef {
	return []pipeline.ModelRef{{Name: "writer", Version: "1"}}
}

func (w writer) Transcribe(context.Context, []float32) ([]Segment, error) { return w.segments, w.err }

func hum(seconds float64) []float32 {
	x := make([]float32, int(seconds*Rate))
	for i := range x {
		x[i] = float32(.3 * math.Sin(float64(i)/10))
	}
	return x
}

func listen(t *testing.T, d Detector, w Transcriber, samples []float32) (Heard, error) {
	t.Helper()
	e, err := NewEar(d, w, Bars{})
	if err != nil {
		t.Fatal(err)
	}
	return e.Listen(t.Context(), samples)
}

func sure(text string) Segment {
	return Segment{Start: .2, End: 1.8, Text: text, Language: "zh", AvgLogProb: -.2, NoSpeech: .1, Known: 1}
}

func TestWordsAreHeardInSimplifiedCharactersWithTheirTimes(t *testing.T) {
	h, err := listen(t, speaks(.99), writer{segments: []Segment{sure(" 我們明天見面 ")}}, hum(2))
	if err != nil || len(h.Passages) != 1 || len(h.Unheard) != 0 {
		t.Fatalf("got %+v, %v", h, err)
	}
	if p := h.Passages[0]; p.Text != "我们明天见面" || p.Start != .2 || p.End != 1.8 {
		t.Errorf("got %+v", p)
	}
}

func TestSpeechWithoutWordsAndDoubtfulWordsAreNotHeardRatherThanSilence(t *testing.T) {
	doubtful := sure("你好")
	doubtful.AvgLogProb = -2
	for name, w := range map[string]writer{"no words": {}, "doubtful words": {segments: []Segment{doubtful}}, "only a note": {segments: []Segment{sure("[Music]")}}} {
		h, err := listen(t, speaks(.99), w, hum(2))
		if err != nil || len(h.Passages) != 0 || len(h.Unheard) == 0 {
			t.Errorf("%s: got %+v, %v", name, h, err)
		}
	}
}

func TestSilenceAndSoundsWithoutAVoiceAskNobody(t *testing.T) {
	w := writer{err: errors.New("asked")}
	if h, err := listen(t, speaks(.99), w, make([]float32, Rate)); err != nil || len(h.Unheard) != 0 {
		t.Errorf("silence: got %+v, %v", h, err)
	}
	if h, err := listen(t, speaks(.001), w, hum(2)); err != nil || len(h.Unheard) != 0 {
		t.Errorf("a hum: got %+v, %v", h, err)
	}
}

// byLoudness is a detector that takes what is loud for a voice, and is unsure of what is less so.
func byLoudness(sure, unsure float64) Detector {
	return Detector{Refs: []pipeline.ModelRef{{Name: "detector", Version: "1"}}, Run: func(_ context.Context, samples, state []float32) (float32, []float32, error) {
		most := 0.0
		for _, v := range samples[before:] {
			most = max(most, math.Abs(float64(v)))
		}
		switch {
		case most >= sure:
			return .99, state, nil
		case most >= unsure:
			return .4, state, nil
		}
		return .01, state, nil
	}}
}

// atLevels is two seconds of a hum at each of the levels, of which the loudest is 1.
func atLevels(levels ...float32) (all []float32) {
	for _, l := range levels {
		for _, v := range hum(2) {
			all = append(all, v*l)
		}
	}
	return all
}

func TestOneClearWordHidesNoWhisperBehindIt(t *testing.T) {
	said := sure("你好")
	h, err := listen(t, byLoudness(.05, .05), writer{segments: []Segment{said}}, atLevels(1, 0, .03, 0))
	if err != nil || len(h.Passages) != 2 || h.Passages[1].Start < 3.5 || h.Passages[1].Start > 4.5 || len(h.Unheard) != 0 {
		t.Errorf("got %+v, %v, want a passage at 0 and one at 4 seconds", h, err)
	}
}

func TestWhatMayBeSpeechBesideClearWordsIsNotHeard(t *testing.T) {
	click := atLevels(1, 0, 0)
	copy(click[4*Rate:], hum(.1))
	for name, c := range map[string]struct {
		samples []float32
		want    bool
	}{
		"two seconds of it": {atLevels(1, 0, .6), true},
		"nothing":           {atLevels(1, 0, 0), false},
		"a click":           {click, false},
	} {
		// Sure of what is at the full level only.
		h, err := listen(t, byLoudness(.29, .1), writer{segments: []Segment{sure("你好")}}, c.samples)
		got := err == nil && len(h.Unheard) == 1 && h.Unheard[0].Why == Faint && h.Unheard[0].Start > 3.5 && h.Unheard[0].End > 5.5
		if err != nil || got != c.want || !c.want && len(h.Unheard) > 0 {
			t.Errorf("%s: unheard %+v, %v", name, h.Unheard, err)
		}
	}
}

func TestATuneBeneathAVoiceIsNotTakenForUnheardSpeech(t *testing.T) {
	doubtful := sure("你好")
	doubtful.NoSpeech = .9
	for name, c := range map[string]struct {
		every, length int // chunks of the quiet part that the detector takes for a voice
		probability   float32
		said          []Segment
		another       bool // passage besides the clear word
		unheard       bool
	}{
		"moments that may be speech":                  {12, 1, .4, nil, false, false},
		"a moment of speech, and doubtful words":      {40, 4, .9, []Segment{doubtful}, false, false},
		"a moment of speech, and no words":            {40, 4, .9, nil, false, false},
		"a moment of speech, and words that are sure": {40, 4, .9, []Segment{sure("你好")}, true, false},
		"half a second that may be speech":            {60, 14, .4, nil, false, true},
		"half a second of speech, and doubtful words": {60, 14, .9, []Segment{doubtful}, false, true},
	} {
		quiet := 0
		d := speaks(0)
		d.Run = func(_ context.Context, samples, state []float32) (float32, []float32, error) {
			switch top := slices.Max(samples[before:]); {
			case top > .25: // the clear word
				return .99, state, nil
			case top > .05: // the tune, once it is raised
				if quiet++; quiet%c.every < c.length {
					return c.probability, state, nil
				}
			}
			return .01, state, nil
		}
		first := true
		w := said(func() []Segment {
			if first {
				first = false
				return []Segment{sure("你好")}
			}
			return c.said
		})
		h, err := listen(t, d, w, atLevels(1, 0, .03))
		if err != nil || (len(h.Passages) > 1) != c.another || (len(h.Unheard) > 0) != c.unheard {
			t.Errorf("%s: got %+v, %v", name, h, err)
		}
	}
}

// said is a writer who says something else each time.
type said func() []Segment

func (s said) Models() []pipeline.ModelRef { return writer{}.Models() }

func (s said) Transcribe(context.Context, []float32) ([]Segment, error) { return s(), nil }

func TestABrokenAnswerIsAnErrorAndNeverSilence(t *testing.T) {
	outside := sure("你好")
	outside.End = 99
	for name, w := range map[string]writer{"an error": {err: errors.New("no")}, "a time outside": {segments: []Segment{outside}}} {
		if _, err := listen(t, speaks(.99), w, hum(2)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	loud := hum(2)
	loud[5] = float32(math.NaN())
	if _, err := listen(t, speaks(.99), writer{}, loud); err == nil {
		t.Error("a sample that is no number: no error")
	}
}

// vocabulary is the smallest that Tokens read.
func vocabulary(t testing.TB) *Tokens {
	t.Helper()
	tokens := &Tokens{languages: map[int]string{4: "zh", 5: "en"}, end: 2, start: 3, transcribe: 6, noSpeech: 7, noTimes: 8, firstTime: 9, pieces: []string{"a", "b"}}
	return tokens
}

func FuzzWhateverTheDecoderSaysEndsInWordsOrAnError(f *testing.F) {
	f.Add([]byte{1, 2, 3, 250})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, answers []byte) {
		tokens, at := vocabulary(t), 0
		nets := WhisperNetworks{Layers: 1, Width: 2, Tokens: tokens,
			Encode: func(context.Context, Tensor) ([]Tensor, error) { return nil, nil },
			Decode: func(_ context.Context, ids []int64, _, _ []Tensor) ([]float32, []Tensor, error) {
				logits := make([]float32, tokens.size())
				for i := range logits {
					if len(answers) > 0 {
						logits[i] = float32(int8(answers[(at+i*7)%len(answers)]))
					}
				}
				at++
				row := Tensor{Values: make([]float32, 2*len(ids))}
				return logits, []Tensor{row, row}, nil
			}}
		w, err := NewWhisper(nets)
		if err != nil {
			t.Fatal(err)
		}
		segments, err := w.Transcribe(t.Context(), make([]float32, Rate))
		if err != nil {
			return
		}
		for _, s := range segments {
			if s.End < s.Start || s.Start < 0 || s.End > 1 {
				t.Errorf("a segment from %v to %v of one second", s.Start, s.End)
			}
		}
	})
}
