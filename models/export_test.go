package models

import (
	"nightlight/models/tokenizer"
	"nightlight/pipeline"
)

// NewTextEncoder lets tests put a graph of their own behind the encoder.
func NewTextEncoder(ref pipeline.ModelRef, session *Session, calibration []byte, tok *tokenizer.Tokenizer) (*TextEncoder, error) {
	head, err := newTextHead(ref, session.About().Metadata["labels"], calibration)
	if err != nil {
		return nil, err
	}
	return newTextEncoder(head, session, tok)
}

// NewBrokenSession gives a session that panics when it runs.
func NewBrokenSession() *Session {
	return &Session{name: "broken", inputs: []string{"x"}, outputs: []string{"y"}, slots: make(chan struct{}, 1), closing: make(chan struct{})}
}
