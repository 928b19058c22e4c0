package models

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"nightlight/models/tokenizer"
	"nightlight/pipeline"
)

// TextEncoder is the transformer text model. It reads a text with the newest messages before it, and knows who
// wrote which. It is safe for use by many goroutines.
type TextEncoder struct {
	head      *textHead
	session   *Session
	tokenizer *tokenizer.Tokenizer
	masked    bool // the graph asks for a mask too
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
	return m.head.signals(best, spans, m.tokenizer.Fold().HasHan(t.Text))
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
