package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"nightlight/models/tokenizer"
	"nightlight/pipeline"
)

// textHead turns the logits of a text model into Signals: a label for each, the highest logit over the windows of
// a text, and a calibration by label and script of which 0.5 is the decision point.
type textHead struct {
	ref    pipeline.ModelRef
	labels []pipeline.Label // by index of the logit
	en, zh []line           // by the same index
	// aside is the share of the linear model's logits that this model's calibration
	// was fitted with; 0 is none.
	aside float64
}

// line maps a logit to a score: 1 / (1 + exp(-(A·logit + B))).
type line struct {
	A float64 `json:"a"`
	B float64 `json:"b"`
}

func (l line) score(logit float32) float64 {
	return 1 / (1 + math.Exp(-(l.A*float64(logit) + l.B)))
}

// newTextHead reads the labels that the model's file names, in their order, and the calibration that goes with it.
func newTextHead(ref pipeline.ModelRef, labels string, calibration []byte) (*textHead, error) {
	var file struct {
		Labels map[pipeline.Label]struct{ EN, ZH *line }
		Linear float64
	}
	if err := json.Unmarshal(calibration, &file); err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	if !(file.Linear >= 0 && file.Linear <= 1) {
		return nil, fmt.Errorf("calibration: share %v of the linear model", file.Linear)
	}
	h := &textHead{ref: ref, aside: file.Linear}
	seen := map[pipeline.Label]bool{}
	for name := range strings.SplitSeq(labels, ",") {
		label := pipeline.Label(name)
		if !label.Known() || seen[label] {
			return nil, fmt.Errorf("label %q is not known or stands twice", name)
		}
		seen[label] = true
		lines, ok := file.Labels[label]
		if !ok || !usable(lines.EN) || !usable(lines.ZH) {
			return nil, fmt.Errorf("label %s has no calibration", label)
		}
		h.labels = append(h.labels, label)
		h.en, h.zh = append(h.en, *lines.EN), append(h.zh, *lines.ZH)
	}
	for _, label := range pipeline.TextLabels {
		if !seen[label] {
			return nil, fmt.Errorf("label %s has no output", label)
		}
	}
	return h, nil
}

// usable tells whether a line rises: a higher logit must never mean less.
func usable(l *line) bool {
	return l != nil && l.A > 0 && !math.IsInf(l.A, 0) && !math.IsNaN(l.B) && !math.IsInf(l.B, 0)
}

// highest collects the highest logit of each label and the window it came from.
type highest struct {
	logits []float32
	window []int
}

func (h *highest) take(window int, logits []float32) error {
	for _, l := range logits {
		if math.IsNaN(float64(l)) || math.IsInf(float64(l), 0) {
			return errors.New("a logit is not a number")
		}
	}
	if h.logits == nil {
		h.logits, h.window = append(h.logits, logits...), make([]int, len(logits))
		return nil
	}
	for i, l := range logits {
		if l > h.logits[i] {
			h.logits[i], h.window[i] = l, window
		}
	}
	return nil
}

// span is a half-open stretch of code points of the original text.
type span struct{ start, end int }

// signals gives one Signal for each label. The evidence of a text that was looked at in one piece is the whole of
// it; of a longer one, the window with the highest score.
func (h *textHead) signals(best highest, spans []span, han bool) ([]pipeline.Signal, error) {
	if len(best.logits) != len(h.labels) {
		return nil, fmt.Errorf("run %s: %d logits for %d labels", h.ref, len(best.logits), len(h.labels))
	}
	lines := h.en
	if han {
		lines = h.zh
	}
	source := h.ref.String()
	signals := make([]pipeline.Signal, len(h.labels))
	for i, label := range h.labels {
		s := pipeline.Signal{Label: label, Score: lines[i].score(best.logits[i]), Source: source}
		if len(spans) > 1 {
			s.Start, s.End = spans[best.window[i]].start, spans[best.window[i]].end
		}
		signals[i] = s
	}
	return signals, nil
}

// turns gives the conversation in the tokenizer's words. An author that is neither self nor other counts as other:
// words of a stranger must not be read as the child's own.
func turns(context []pipeline.Turn) []tokenizer.Turn {
	out := make([]tokenizer.Turn, len(context))
	for i, t := range context {
		out[i] = tokenizer.Turn{Self: t.From == pipeline.Self, Text: t.Text}
	}
	return out
}
