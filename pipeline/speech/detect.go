package speech

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nightlight/pipeline"
)

// chunk is how many samples the detector reads at a time, 32 ms, and before how many it remembers.
const (
	chunk    = 512
	before   = 64
	stateLen = 2 * 128
)

// Detector is Silero's network: it reads some samples of the past and a chunk, [1,576], and its state [2,1,128], and
// gives how likely somebody speaks in the chunk and the state to go on with.
type Detector struct {
	Run  func(ctx context.Context, samples, state []float32) (speech float32, next []float32, err error)
	Refs []pipeline.ModelRef
}

// span is a stretch in which somebody speaks, in samples.
type span struct{ from, to int }

// How speech is found.
const (
	onset      = 0.5  // speech starts at this probability
	offset     = 0.35 // and goes on down to this one
	leastSpeak = 3    // chunks of speech that make a span: a short word
	leastPause = 12   // chunks of silence that end one
	pad        = Rate / 5
	surelyNone = 0.3 // when no chunk is likelier than this, nobody speaks
	leastFaint = 6   // chunks over surelyNone in half a second that may be speech beside what is heard
	// leastSteady is the same of what was so quiet that it had to be raised. Of 360 made tunes, hums, birds and noises 2
	// reach it, of 36 sentences said or whispered 33.
	leastSteady = 13
)

// probabilities runs the detector over all samples.
func (d Detector) probabilities(ctx context.Context, samples []float32) ([]float32, error) {
	state := make([]float32, stateLen)
	in := make([]float32, before+chunk)
	var probs []float32
	for at := 0; at < len(samples); at += chunk {
		copy(in, in[chunk:])
		n := copy(in[before:], samples[at:])
		clear(in[before+n:])
		p, next, err := d.Run(ctx, in, state)
		if err != nil {
			return nil, fmt.Errorf("find speech: %w", err)
		}
		if len(next) != stateLen || !(p >= 0 && p <= 1) {
			return nil, errors.New("find speech: the detector's answer makes no sense")
		}
		probs = append(probs, p)
		state = next
	}
	return probs, nil
}

// spans gives where somebody speaks, with a fifth of a second around it.
func spans(probs []float32, samples int) []span {
	var out []span
	from, quiet := -1, 0
	close := func(to int) {
		if to-from >= leastSpeak {
			out = append(out, span{max(0, from*chunk-pad), min(samples, to*chunk+pad)})
		}
		from, quiet = -1, 0
	}
	for i, p := range probs {
		switch {
		case from < 0 && p >= onset:
			from, quiet = i, 0
		case from >= 0 && p < offset:
			if quiet++; quiet == leastPause {
				close(i + 1 - quiet)
			}
		case from >= 0:
			quiet = 0
		}
	}
	if from >= 0 {
		close(len(probs) - quiet)
	}
	return out
}

// faint gives the stretches outside of those that are heard in which somebody may
// speak, more faintly than there: at least so many chunks in half a second. A breath
// or a click is shorter.
func faint(probs []float32, heard []span, least int) (out []span) {
	const reach = Rate / 2 / chunk
	var recent []int
	for i, p := range probs {
		at := i * chunk
		inside := slices.ContainsFunc(heard, func(w span) bool { return w.from <= at && at < w.to })
		if inside || !(p > surelyNone) {
			continue
		}
		recent = slices.DeleteFunc(append(recent, i), func(k int) bool { return k <= i-reach })
		if len(recent) < least {
			continue
		}
		s := span{recent[0] * chunk, (i + 1) * chunk}
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = s.to
			continue
		}
		out = append(out, s)
	}
	return out
}

// windows joins spans that are less than two seconds apart into windows of at most MaxWindow, and cuts longer ones
// where speech is least likely in their last third.
func windows(found []span, probs []float32) []span {
	const most, apart = MaxWindow*Rate - 2*pad, 2 * Rate
	var out []span
	for _, s := range found {
		if n := len(out); n > 0 && s.from-out[n-1].to < apart && s.to-out[n-1].from <= most {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		for s.to-s.from > most {
			cut := quietest(probs, (s.from+most*2/3)/chunk, (s.from+most)/chunk) * chunk
			out = append(out, span{s.from, cut})
			s.from = cut
		}
		out = append(out, s)
	}
	return out
}

func quietest(probs []float32, from, to int) int {
	best := from
	for i := from; i < min(to, len(probs)); i++ {
		if probs[i] < probs[best] {
			best = i
		}
	}
	return best
}
