package speech

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nightlight/pipeline"
)

// WhisperNetworks are the two models, what they write in and what they are called in a verdict. Both are safe for
// concurrent use and end early when ctx does.
type WhisperNetworks struct {
	// Encode reads the picture of a window, [80][columns], and gives what Decode looks at.
	Encode func(ctx context.Context, mel Tensor) (memory []Tensor, err error)
	// Decode reads tokens, and the keys and values of those before, by layer; the first row of each is a place-holder.
	// It gives a number for each token that may follow the last, and the keys and values of those it read.
	Decode func(ctx context.Context, tokens []int64, memory, past []Tensor) (logits []float32, fresh []Tensor, err error)
	Tokens *Tokens
	// Layers and Width are those of the decoder.
	Layers, Width int
	Refs          []pipeline.ModelRef
}

// Whisper writes down speech with OpenAI's Whisper, greedily and with times. It is safe for concurrent use.
type Whisper struct {
	nets  WhisperNetworks
	whole bool
}

// NewWhisper makes a Whisper of its networks.
func NewWhisper(nets WhisperNetworks) (*Whisper, error) {
	if nets.Encode == nil || nets.Decode == nil || nets.Tokens == nil || nets.Layers < 1 || nets.Width < 1 {
		return nil, errors.New("make Whisper: a network or its tokens are missing")
	}
	return &Whisper{nets: nets}, nil
}

// WholeWindow gives a Whisper that looks at MaxWindow seconds always, as the original does, however short the sound.
func (w *Whisper) WholeWindow() *Whisper { return &Whisper{nets: w.nets, whole: true} }

// Models names the networks.
func (w *Whisper) Models() []pipeline.ModelRef { return slices.Clone(w.nets.Refs) }

// Transcribe writes down one window.
func (w *Whisper) Transcribe(ctx context.Context, samples []float32) ([]Segment, error) {
	if len(samples) > MaxWindow*Rate {
		return nil, fmt.Errorf("transcribe %d samples: more than %d seconds", len(samples), MaxWindow)
	}
	columns := w.columns(len(samples))
	memory, err := w.nets.Encode(ctx, Tensor{[]int64{1, bands, int64(columns)}, LogMel(samples, columns)})
	if err != nil {
		return nil, fmt.Errorf("encode speech: %w", err)
	}
	s := &spelling{whisper: w, memory: memory, seconds: float64(len(samples)) / Rate}
	s.begin()
	if err := s.run(ctx); err != nil {
		return nil, fmt.Errorf("decode speech: %w", err)
	}
	return s.segments(), nil
}

// stretch bounds what the encoder looks at: so many times the length of the sound, silence after it included. The
// original always looks at 30 seconds, and so does this for two and a half seconds and more. Less silence makes short sounds cheap
// and words wrong, with the same words over and over as the worst of it; the model's card has the measurements.
const stretch = 12

// columns is how many columns the encoder looks at. Its step of two wants an even number.
func (w *Whisper) columns(samples int) int {
	const all = MaxWindow * Rate / hop
	if w.whole {
		return all
	}
	return min(max(2, samples*stretch/hop&^1), all)
}
