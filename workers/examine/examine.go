// Package examine looks at content with every classifier there is and says
// what was found. The same Examiner serves the workers, `nightlight score` and
// the evals, so that a figure in an eval is a figure of the product.
//
// It never decides. What could not be looked at comes back as a Fault, which
// policy holds for a person; what may work in a minute comes back as an error
// that wraps ErrAgain.
package examine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/normal"
	"nightlight/pipeline/ocr"
	"nightlight/pipeline/speech"
)

// ErrAgain is a fault of this machine or moment: judging again later is
// right.
var ErrAgain = errors.New("cannot look now")

// ImageClassifier scores one prepared picture. Implementations are safe for
// concurrent use and return a Signal for every label that they support.
type ImageClassifier interface {
	Ref() pipeline.ModelRef
	Classify(ctx context.Context, tensor []float32) ([]pipeline.Signal, error)
}

// Eye is an ImageClassifier with the tensor that it wants.
type Eye struct {
	Model  ImageClassifier
	Square media.Square
}

// Examiner holds the classifiers. It is immutable and safe for concurrent use.
type Examiner struct {
	// Text is the best text classifier. Fallback serves when it is nil, and when
	// it fails: then that is a fault, since the scores that hold were not tuned
	// on Fallback. Both nil is a fault on every text.
	Text, Fallback pipeline.TextClassifier
	// Rules reads its own views of a text and is always asked.
	Rules pipeline.TextClassifier
	// Eyes look at every picture and frame; none is a fault on every picture.
	Eyes []Eye
	// Second look at pictures and frames of which an Eye is unsure: unless all
	// its scores are below Clear, or one has reached Settled, by label. A label
	// without a Clear score is never clear.
	Second         []Eye
	Clear, Settled map[string]float64
	// OCR reads the text in pictures, which is then judged like a message; nil
	// reads none.
	OCR *ocr.Reader
	// Ear hears what is said in voice notes and films, which is then judged like
	// a message; nil hears nothing, and that is a fault on each of them.
	Ear *speech.Ear
	// Missing lists what the manifest requires and is not there.
	MissingText, MissingImage []pipeline.Fault
	Decoder                   *media.Decoder
	Video                     *media.Video
	// Known are the lists of known pictures that each picture, frame and file
	// is looked up in. BankLabel says by policy what a bank's pictures show.
	Known     []Known
	BankLabel func(bank string) pipeline.Label

	memory Memory
}

// ReadText scores a text, or a caption, in every view.
func (e *Examiner) ReadText(ctx context.Context, t pipeline.Text) (pipeline.Findings, error) {
	var f pipeline.Findings
	f.Faults = append(f.Faults, e.MissingText...)
	if t.Text == "" {
		f.Models = append(f.Models, e.Rules.Ref())
		return f, nil
	}
	ruled, err := e.Rules.ClassifyText(ctx, t)
	if err != nil {
		return f, again(ctx, e.Rules.Ref(), err)
	}
	f.Add(pipeline.Findings{Signals: ruled, Models: []pipeline.ModelRef{e.Rules.Ref()}})
	read, err := e.views(ctx, t)
	if err != nil {
		return f, err
	}
	f.Add(read)
	return f, nil
}

// views scores the raw text and, where it differs, its normalised reading.
func (e *Examiner) views(ctx context.Context, t pipeline.Text) (pipeline.Findings, error) {
	classifiers := slices.DeleteFunc([]pipeline.TextClassifier{e.Text, e.Fallback}, func(c pipeline.TextClassifier) bool { return c == nil })
	if len(classifiers) == 0 {
		return pipeline.Findings{Faults: []pipeline.Fault{{Source: "text", Reason: "missing_model"}}}, nil
	}
	var failed error
	var faults []pipeline.Fault
	for _, c := range classifiers {
		f, err := e.with(ctx, c, t)
		if err == nil {
			f.Faults = append(f.Faults, faults...)
			return f, nil
		}
		failed = again(ctx, c.Ref(), err)
		faults = append(faults, pipeline.Fault{Source: c.Ref().String(), Reason: "error"})
	}
	return pipeline.Findings{}, failed
}

func (e *Examiner) with(ctx context.Context, c pipeline.TextClassifier, t pipeline.Text) (pipeline.Findings, error) {
	f := pipeline.Findings{Models: []pipeline.ModelRef{c.Ref()}}
	for _, v := range normal.Views(t.Text) {
		seen := t
		seen.Text = v.Text
		signals, err := c.ClassifyText(ctx, seen)
		if err != nil {
			return f, err
		}
		for _, s := range signals {
			s.View = v.Name
			s.Start, s.End = v.Original(s.Start, s.End)
			f.Signals = append(f.Signals, s)
		}
	}
	return f, nil
}

// again wraps a classifier's error so that the item is judged again. The
// error keeps no word of the text: it is replaced by its class.
func again(ctx context.Context, ref pipeline.ModelRef, err error) error {
	class := "error"
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, speech.ErrAway):
		return fmt.Errorf("%s: %w", ref, speech.ErrAway)
	case errors.Is(err, context.DeadlineExceeded):
		class = "timeout"
	}
	return fmt.Errorf("%s: %s: %w", ref, class, ErrAgain)
}

// Class names an error's kind without its words, which could quote content.
func Class(err error) string {
	switch {
	case errors.Is(err, ErrAgain):
		return "classifier"
	case errors.Is(err, speech.ErrAway):
		return "transcriber"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "error"
}

// Close ends the decoding children.
func (e *Examiner) Close() error { return e.Decoder.Close() }
