package models

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"nightlight/models/catalog"
	"nightlight/models/tokenizer"
	"nightlight/pipeline"
)

// TextEncoder is the transformer text model. It reads a text with the newest messages before it, and knows who
// wrote which. To each logit a share of the linear model's is added: the two err apart, so together they err less
// (logarithmic opinion pool, Genest and Zidek 1986). It is safe for use by many goroutines.
type TextEncoder struct {
	head      *textHead
	linear    *TextLinear // nil where the calibration gives it no share
	session   *Session
	tokenizer *tokenizer.Tokenizer
	masked    bool  // the graph asks for a mask too
	beside    []int // index of the linear model's logit of the same label
}

// newTextEncoder checks that the graph has the inputs that are known here.
func newTextEncoder(head *textHead, session *Session, tok *tokenizer.Tokenizer) (*TextEncoder, error) {
	m := &TextEncoder{head: head, session: session, tokenizer: tok}
	switch in := session.Inputs(); {
	case slices.Equal(in, []string{"ids"}):
	case slices.Equal(in, []string{"ids", "mask"}):
		m.masked = true
	default:
		return nil, fmt.Errorf("inputs %v are not known", in)
	}
	if len(session.Outputs()) != 1 {
		return nil, fmt.Errorf("outputs %v, want one", session.Outputs())
	}
	return m, nil
}

// Ref names the model exactly.
func (m *TextEncoder) Ref() pipeline.ModelRef { return m.head.ref }

// ClassifyText gives one Signal for each text label. Long texts are judged window by window, none is cut off, each
// with the same conversation before it; a label's score is its highest.
func (m *TextEncoder) ClassifyText(ctx context.Context, t pipeline.Text) ([]pipeline.Signal, error) {
	inputs := m.tokenizer.Inputs(turns(t.Context), t.Text)
	spans := make([]span, len(inputs))
	points := counter{text: t.Text}
	var best highest
	for i, in := range inputs {
		logits, err := m.logits(ctx, in.IDs)
		if err != nil {
			return nil, fmt.Errorf("judge text: %w", err)
		}
		if err := best.take(i, logits); err != nil {
			return nil, fmt.Errorf("judge text by %s: %w", m.head.ref, err)
		}
		spans[i] = points.span(in.Start, in.End)
	}
	if m.linear != nil {
		_, aside, _, err := m.linear.highest(ctx, t)
		if err != nil {
			return nil, err
		}
		for i, at := range m.beside {
			best.logits[i] += float32(m.head.aside) * aside.logits[at]
		}
	}
	return m.head.signals(best, spans, m.tokenizer.Fold().HasHan(t.Text))
}

// pair gives the linear model its share. A calibration that counts on one is wrong without it.
func (m *TextEncoder) pair(linear *TextLinear) error {
	if m.head.aside == 0 {
		return nil
	}
	if linear == nil {
		return fmt.Errorf("load %s: its calibration needs the linear model: %w", m.head.ref, catalog.ErrMissing)
	}
	m.linear, m.beside = linear, make([]int, len(m.head.labels))
	for i, label := range m.head.labels {
		m.beside[i] = slices.Index(linear.head.labels, label)
		if m.beside[i] < 0 {
			return fmt.Errorf("load %s: %s has no output for %s", m.head.ref, linear.head.ref, label)
		}
	}
	return nil
}

func (m *TextEncoder) logits(ctx context.Context, ids []int64) ([]float32, error) {
	n := int64(len(ids))
	in := []Tensor{{Shape: []int64{1, n}, Int64: ids}}
	if m.masked {
		mask := make([]int64, n)
		for i := range mask {
			mask[i] = 1
		}
		in = append(in, Tensor{Shape: []int64{1, n}, Int64: mask})
	}
	var out [1]Tensor
	if err := m.session.Run(ctx, in, out[:]); err != nil {
		return nil, err
	}
	return out[0].Float32, nil
}

// counter turns byte offsets, given with rising starts, into offsets in code points, without reading a text from
// its beginning for each.
type counter struct {
	text   string
	at     int // byte
	points int // code points before it
}

func (c *counter) span(start, end int) span {
	c.points += utf8.RuneCountInString(c.text[c.at:start])
	c.at = start
	return span{c.points, c.points + utf8.RuneCountInString(c.text[start:end])}
}
