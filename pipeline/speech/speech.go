// Package speech hears what is said in a voice note or in the sound of a film, in Chinese and English. An Ear measures
// how loud the sound is, finds where somebody speaks, has a Transcriber write that down, and holds each piece against
// bars, because recognisers make up words where there are none. What is below the bars was not heard, and is said to
// be so; it is never taken for silence. The networks are handed in as functions, so everything here is plain arithmetic
// on samples and numbers, and any answer of theirs, however broken, ends in words, doubts or an error and never in a
// panic. What it hears is a child's words: no error quotes it.
package speech

import (
	"context"
	"errors"

	"nightlight/pipeline"
)

// Rate is how many samples a second the sound has that this package reads: one channel, -1 to 1.
const Rate = 16000

// MaxWindow is the longest piece, in seconds, that a Transcriber is given.
const MaxWindow = 30

// Segment is a stretch of words as a Transcriber heard it.
type Segment struct {
	Start, End float64 // seconds from the start of what it was given
	Text       string
	Language   string // zh or en; another code where a transcriber knows more
	// AvgLogProb is the mean natural logarithm of the probability of each token.
	AvgLogProb float64
	// NoSpeech is how likely nobody speaks there, 0 to 1.
	NoSpeech float64
	// Compression is how many times smaller the text gets when it is packed; loops pack well. 0 means not known.
	Compression float64
	// Known is how sure it is that the language is one of those that are judged, 0 to 1.
	Known float64
	// Cut is true when the transcriber gave up before the words ended.
	Cut bool
}

// ErrAway is a transcriber elsewhere that does not answer for now.
var ErrAway = errors.New("speech: the transcriber does not answer")

// Transcriber writes down up to MaxWindow seconds of sound in which somebody speaks. Nothing heard is no segment and
// no error. Implementations are safe for concurrent use, end early when ctx does, and quote nothing in their errors;
// one that asks elsewhere and gets no answer for now gives ErrAway.
type Transcriber interface {
	Models() []pipeline.ModelRef
	Transcribe(ctx context.Context, samples []float32) ([]Segment, error)
}

// Tensor is numbers in row-major order and their shape.
type Tensor struct {
	Shape  []int64
	Values []float32
}
