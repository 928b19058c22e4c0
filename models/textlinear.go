package models

import (
	"context"
	"fmt"
	"math"
	"slices"

	"nightlight/models/ngram"
	"nightlight/pipeline"
)

// TextLinear is the linear text model over hashed n-grams: the yardstick of the encoder, its stand-in when it is
// missing, and a first look that costs microseconds. It is safe for use by many goroutines.
type TextLinear struct {
	head    *textHead
	session *Session
	grams   *ngram.Extractor
}

// newTextLinear checks that the graph has the inputs that are known here.
func newTextLinear(head *textHead, session *Session, grams *ngram.Extractor) (*TextLinear, error) {
	if !slices.Equal(session.Inputs(), []string{"ids", "values"}) || len(session.Outputs()) != 1 {
		return nil, fmt.Errorf("inputs %v and outputs %v are not known", session.Inputs(), session.Outputs())
	}
	return &TextLinear{head: head, session: session, grams: grams}, nil
}

// Ref names the model exactly.
func (m *TextLinear) Ref() pipeline.ModelRef { return m.head.ref }

// ClassifyText gives one Signal for each text label. Long texts are judged window by window, none is cut off.
func (m *TextLinear) ClassifyText(ctx context.Context, t pipeline.Text) ([]pipeline.Signal, error) {
	spans, best, han, err := m.highest(ctx, t)
	if err != nil {
		return nil, err
	}
	return m.head.signals(best, spans, han)
}

// highest gives the windows of a text, the highest logit of each label over them, and whether the text holds Han
// characters.
func (m *TextLinear) highest(ctx context.Context, t pipeline.Text) (spans []span, best highest, han bool, err error) {
	windows, han := m.grams.Windows(t.Text, turns(t.Context))
	spans = make([]span, len(windows))
	for i, w := range windows {
		logits, err := m.logits(ctx, w.Buckets)
		if err != nil {
			return nil, best, han, fmt.Errorf("judge text: %w", err)
		}
		if err := best.take(i, logits); err != nil {
			return nil, best, han, fmt.Errorf("judge text by %s: %w", m.head.ref, err)
		}
		spans[i] = span{w.Start, w.End}
	}
	if len(best.logits) != len(m.head.labels) {
		return nil, best, han, fmt.Errorf("run %s: %d logits for %d labels", m.head.ref, len(best.logits), len(m.head.labels))
	}
	return spans, best, han, nil
}

// logits runs the model on one window. A window of nothing is one bucket that weighs nothing.
func (m *TextLinear) logits(ctx context.Context, buckets []int64) ([]float32, error) {
	value := float32(1 / math.Sqrt(float64(len(buckets)+1)))
	if len(buckets) == 0 {
		buckets, value = []int64{0}, 0
	}
	values := make([]float32, len(buckets))
	for i := range values {
		values[i] = value
	}
	n := int64(len(buckets))
	in := [2]Tensor{{Shape: []int64{1, n}, Int64: buckets}, {Shape: []int64{1, n}, Float32: values}}
	var out [1]Tensor
	if err := m.session.Run(ctx, in[:], out[:]); err != nil {
		return nil, err
	}
	return out[0].Float32, nil
}
