package speech

import (
	"math"
	"slices"
)

// Loudness is how loud a sound is, in decibels below the loudest that the format holds.
type Loudness struct {
	Peak  float64 // of the loudest sample
	Level float64 // of the louder tenth of the sound
}

// silence is the peak below which nobody can hear anything: fewer than 33 of 32,768 steps.
const silence = -60.0

// measure gives the loudness of samples, in steps of a fiftieth of a second.
func measure(samples []float32) Loudness {
	const step = Rate / 50
	var levels []float64
	peak := 0.0
	for at := 0; at < len(samples); at += step {
		sum := 0.0
		part := samples[at:min(at+step, len(samples))]
		for _, v := range part {
			sum += float64(v) * float64(v)
			peak = max(peak, math.Abs(float64(v)))
		}
		levels = append(levels, math.Sqrt(sum/float64(len(part))))
	}
	if len(levels) == 0 {
		return Loudness{math.Inf(-1), math.Inf(-1)}
	}
	slices.Sort(levels)
	return Loudness{decibels(peak), decibels(levels[len(levels)*9/10])}
}

func decibels(v float64) float64 { return 20 * math.Log10(v) }

// wanted is the level to which faint sound is raised, so that a whisper is not missed, and most how far at most.
const (
	wanted = -23.0
	most   = 30.0
)

// raised gives faint samples louder, and others as they are, and by how many decibels.
func raised(samples []float32, l Loudness) ([]float32, float64) {
	gain := min(wanted-l.Level, most, -1-l.Peak)
	if gain < 1 {
		return samples, 0
	}
	f := float32(math.Pow(10, gain/20))
	out := make([]float32, len(samples))
	for i, v := range samples {
		out[i] = v * f
	}
	return out, gain
}

// Pieces of what is quieter than the rest, in samples, by how many decibels more than the rest they must be raised, and
// the level below which nobody hears anything beside a clear voice.
const (
	quietMost  = 4 * Rate
	quietLeast = Rate / 2
	quietGain  = 6
	quietLevel = -50.0
)

// quieter gives pieces outside of what was heard that can be raised further than the whole could, so that one clear
// word does not hide a whisper behind it.
func quieter(samples []float32, heard []span, gain float64) (out []span) {
	from := 0
	for _, s := range append(slices.Clone(heard), span{len(samples), len(samples)}) {
		for ; s.from-from >= quietLeast; from += quietMost {
			p := span{from, min(s.from, from+quietMost)}
			l := measure(samples[p.from:p.to])
			if g := min(wanted-l.Level, most, -1-l.Peak); l.Level >= quietLevel && g >= gain+quietGain {
				out = append(out, p)
			}
		}
		from = s.to
	}
	return out
}
