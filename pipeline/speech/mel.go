package speech

import (
	"math"
	"sync"
)

// The picture of sound that Whisper reads: so many bands, and a column each hundredth of a second.
const (
	bands  = 80
	hop    = Rate / 100
	window = 400 // samples that one column is made of
	bins   = window/2 + 1
)

// LogMel gives the picture of samples, [80][columns], as Whisper was trained on: powers in bands that follow the ear,
// their logarithm, at most 8 below the highest (80 dB), moved to about -1 to 1. Beyond the samples there is silence.
func LogMel(samples []float32, columns int) []float32 {
	out := make([]float32, bands*columns)
	filters := melFilters()
	shape := hann()
	var frame [window]complex128
	var power [bins]float64
	top := math.Inf(-1)
	for c := range columns {
		fillFrame(&frame, samples, c*hop-window/2, shape)
		spectrum := fft(frame[:])
		for k := range power {
			power[k] = real(spectrum[k])*real(spectrum[k]) + imag(spectrum[k])*imag(spectrum[k])
		}
		for m, f := range filters {
			sum := 0.0
			for i, w := range f.weights {
				sum += w * power[f.first+i]
			}
			v := math.Log10(max(sum, 1e-10))
			top = max(top, v)
			out[m*columns+c] = float32(v)
		}
	}
	low := float32(top - 8)
	for i, v := range out {
		out[i] = (max(v, low) + 4) / 4
	}
	return out
}

// fillFrame takes the samples from at on, mirrored at the start, and fades them in and out.
func fillFrame(frame *[window]complex128, samples []float32, at int, shape []float64) {
	for i := range frame {
		n := at + i
		if n < 0 {
			n = -n
		}
		frame[i] = 0
		if n < len(samples) {
			frame[i] = complex(float64(samples[n])*shape[i], 0)
		}
	}
}

var hann = sync.OnceValue(func() []float64 {
	w := make([]float64, window)
	for i := range w {
		w[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/window)
	}
	return w
})

// filter is a triangle over the bins from first on.
type filter struct {
	first   int
	weights []float64
}

// melFilters are triangles on Slaney's scale, straight up to 1 kHz and logarithmic above, each of the same area.
var melFilters = sync.OnceValue(func() []filter {
	var corner [bands + 2]float64 // in Hz
	top := toMel(Rate / 2)
	for i := range corner {
		corner[i] = fromMel(top * float64(i) / (bands + 1))
	}
	filters := make([]filter, bands)
	for m := range filters {
		low, mid, high := corner[m], corner[m+1], corner[m+2]
		for k := range bins {
			hz := float64(k) * Rate / window
			w := min((hz-low)/(mid-low), (high-hz)/(high-mid)) * 2 / (high - low)
			if w <= 0 {
				continue
			}
			if len(filters[m].weights) == 0 {
				filters[m].first = k
			}
			filters[m].weights = append(filters[m].weights, w)
		}
	}
	return filters
})

// melStep is the logarithm of a step above 1 kHz, which is mel 15.
var melStep = math.Log(6.4) / 27

func toMel(hz float64) float64 {
	if hz < 1000 {
		return hz * 3 / 200
	}
	return 15 + math.Log(hz/1000)/melStep
}

func fromMel(mel float64) float64 {
	if mel < 15 {
		return mel * 200 / 3
	}
	return 1000 * math.Exp(melStep*(mel-15))
}
