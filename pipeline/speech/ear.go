package speech

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"nightlight/pipeline"
	"nightlight/pipeline/normal"
)

// Passage is what was heard, in simplified characters.
type Passage struct {
	Start    float64 `json:"start"` // seconds from the start of the sound
	End      float64 `json:"end"`
	Text     string  `json:"text"`
	Language string  `json:"language"`
}

// Join gives all passages, one a line, and at which character each begins.
func Join(passages []Passage) (text string, starts []int) {
	var b strings.Builder
	n := 0
	for i, p := range passages {
		if i > 0 {
			b.WriteByte('\n')
			n++
		}
		starts = append(starts, n)
		b.WriteString(p.Text)
		n += utf8.RuneCountInString(p.Text)
	}
	return b.String(), starts
}

// Unheard is a stretch in which somebody seems to speak and no words could be trusted.
type Unheard struct {
	Start, End float64
	Why        Doubt
}

// Heard is what listening gave. Neither passages nor anything unheard means that nobody speaks.
type Heard struct {
	Passages []Passage
	Unheard  []Unheard
	Seconds  float64 // length of the sound
	Speech   float64 // seconds of it in which somebody speaks
	Loudness Loudness
}

// Ear listens. It is safe for concurrent use.
type Ear struct {
	detector    Detector
	transcriber Transcriber
	bars        Bars
}

// NewEar makes an Ear.
func NewEar(d Detector, t Transcriber, b Bars) (*Ear, error) {
	if d.Run == nil || t == nil {
		return nil, errors.New("make ear: the detector of speech or the transcriber is missing")
	}
	return &Ear{detector: d, transcriber: t, bars: b.withDefaults()}, nil
}

// Models names what an Ear hears with.
func (e *Ear) Models() []pipeline.ModelRef {
	return slices.Concat(e.detector.Refs, e.transcriber.Models())
}

// Listen hears sound of any length.
func (e *Ear) Listen(ctx context.Context, samples []float32) (Heard, error) {
	h := Heard{Seconds: float64(len(samples)) / Rate, Loudness: measure(samples)}
	for _, v := range samples {
		if !(v >= -1 && v <= 1) {
			return h, errors.New("listen: a sample is outside -1 to 1")
		}
	}
	if !(h.Loudness.Peak >= silence) {
		return h, nil
	}
	loud, gain := raised(samples, h.Loudness)
	heard, err := e.stretch(ctx, &h, loud, 0, false)
	if err != nil {
		return h, err
	}
	for _, s := range quieter(samples, heard, gain) {
		part := samples[s.from:s.to]
		loud, _ := raised(part, measure(part))
		if _, err := e.stretch(ctx, &h, loud, s.from, true); err != nil {
			return h, err
		}
	}
	slices.SortStableFunc(h.Passages, func(a, b Passage) int { return cmp.Compare(a.Start, b.Start) })
	return h, nil
}

// stretch adds what is said in samples that begin at one of the whole, and gives where somebody speaks. In what was
// quiet beside a clear voice, a tune or a bird has moments of speech too, so there only what goes on for half a second
// may be speech that was not heard. Words that are trusted count either way.
func (e *Ear) stretch(ctx context.Context, h *Heard, samples []float32, begin int, quiet bool) ([]span, error) {
	probs, err := e.detector.probabilities(ctx, samples)
	if err != nil {
		return nil, err
	}
	found := spans(probs, len(samples))
	least := leastFaint
	if quiet {
		least = leastSteady
	} else if len(found) == 0 {
		if slices.Max(probs) > surelyNone {
			h.Unheard = append(h.Unheard, Unheard{float64(begin) / Rate, float64(begin+len(samples)) / Rate, Faint})
		}
		return nil, nil
	}
	for _, s := range found {
		h.Speech += float64(s.to-s.from) / Rate
	}
	heard := windows(found, probs)
	for _, s := range faint(probs, heard, least) {
		h.Unheard = append(h.Unheard, Unheard{float64(begin+s.from) / Rate, float64(begin+s.to) / Rate, Faint})
	}
	for _, w := range heard {
		doubts := len(h.Unheard)
		if err := e.window(ctx, h, samples[w.from:w.to], float64(begin+w.from)/Rate); err != nil {
			return nil, err
		}
		if quiet && len(faint(probs[w.from/chunk:(w.to+chunk-1)/chunk], nil, leastSteady)) == 0 {
			h.Unheard = h.Unheard[:doubts]
		}
	}
	return heard, nil
}

// window adds what is said in one window.
func (e *Ear) window(ctx context.Context, h *Heard, samples []float32, at float64) error {
	length := float64(len(samples)) / Rate
	segments, err := e.transcriber.Transcribe(ctx, samples)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	whole := ""
	for _, s := range segments {
		whole += s.Text + "\n"
	}
	looped := loops(whole) // across segments too
	kept := false
	for _, s := range segments {
		if !(s.Start >= 0 && s.End >= s.Start && s.End <= length+1) {
			return errors.New("listen: a segment lies outside of its window")
		}
		s.Text = normal.Simplified(clean(s.Text))
		if s.Text == "" {
			continue
		}
		kept = true
		why := e.bars.doubt(s)
		if why == "" && looped {
			why = Loop
		}
		if why != "" {
			h.Unheard = append(h.Unheard, Unheard{at + s.Start, at + s.End, why})
			continue
		}
		h.Passages = append(h.Passages, Passage{round(at + s.Start), round(at + s.End), s.Text, s.Language})
	}
	if !kept {
		h.Unheard = append(h.Unheard, Unheard{at, at + length, NoWords})
	}
	return nil
}

// round gives hundredths of a second.
func round(seconds float64) float64 { return float64(int(seconds*100+0.5)) / 100 }
