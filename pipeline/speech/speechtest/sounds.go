package speechtest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"nightlight/pipeline/speech"
)

// Wordless is a made sound in which nobody says a word.
type Wordless struct {
	Name    string
	Samples []float32
}

// Wordlesses makes n sounds without words, always the same: silence, noise, music, humming and knocks.
func Wordlesses(n int) []Wordless {
	r := rand.New(rand.NewPCG(7, 7))
	kinds := []struct {
		name string
		make func(*rand.Rand) []float64
	}{{"silence", quiet}, {"noise", noise}, {"music", music}, {"humming", humming}, {"knocks", knocks}}
	var out []Wordless
	for i := range n {
		k := kinds[i%len(kinds)]
		samples := k.make(r)
		w := Wordless{fmt.Sprintf("%s %d", k.name, i/len(kinds)), make([]float32, len(samples))}
		for j, v := range samples {
			w.Samples[j] = float32(max(-1, min(1, v)))
		}
		out = append(out, w)
	}
	return out
}

func between(r *rand.Rand, from, to float64) float64 { return from + (to-from)*r.Float64() }

func seconds(r *rand.Rand, from, to float64) []float64 {
	return make([]float64, int(between(r, from, to)*speech.Rate))
}

func quiet(r *rand.Rand) []float64 {
	x := seconds(r, 1, 10)
	level := math.Pow(10, between(r, -5, -3))
	for i := range x {
		x[i] = r.NormFloat64() * level
	}
	return x
}

// noise is between white and brown.
func noise(r *rand.Rand) []float64 {
	x := seconds(r, 1, 10)
	keep, level, last, top := between(r, 0, .98), between(r, .03, .7), 0.0, 0.0
	for i := range x {
		last = keep*last + r.NormFloat64()
		x[i] = last
		top = max(top, math.Abs(last))
	}
	for i := range x {
		x[i] *= level / top
	}
	return x
}

// music is a melody, with a second voice and a beat in every other.
func music(r *rand.Rand) []float64 {
	scale := []float64{0, 2, 4, 5, 7, 9, 11, 12}
	base, two := between(r, 110, 440), r.IntN(2) == 0
	overtones := []float64{1, between(r, .1, .9), between(r, .1, .7), between(r, 0, .5)}
	var x []float64
	for range 6 + r.IntN(14) {
		n := int(between(r, .15, .6) * speech.Rate)
		f := base * math.Pow(2, scale[r.IntN(len(scale))]/12)
		for i := range n {
			t, v := float64(i)/speech.Rate, 0.0
			for k, a := range overtones {
				v += a * math.Sin(2*math.Pi*f*float64(k+1)*t)
				if two {
					v += .5 * a * math.Sin(2*math.Pi*1.5*f*float64(k+1)*t)
				}
			}
			v *= math.Min(1, t*100) * math.Exp(-3*float64(i)/float64(n))
			if two && t < .04 {
				v += r.NormFloat64() * (.04 - t) * 10
			}
			x = append(x, v*.15)
		}
	}
	return x
}

// humming has the source of a voice, gliding and trembling, and the nose's resonance alone.
func humming(r *rand.Rand) []float64 {
	x := seconds(r, 1.5, 8)
	pitch, glide, phase := between(r, 120, 320), between(r, -.4, .4), 0.0
	for i := range x {
		t := float64(i) / speech.Rate
		f := pitch * (1 + glide*math.Sin(2*math.Pi*.3*t)) * (1 + .01*math.Sin(2*math.Pi*5.5*t))
		phase += 2 * math.Pi * f / speech.Rate
		for h := 1.0; h < 12; h++ {
			x[i] += math.Sin(phase*h) / math.Pow(h, 1.5) * math.Exp(-math.Pow((h*f-250)/600, 2))
		}
		x[i] = x[i]*.25*math.Min(1, 10*t) + r.NormFloat64()*.002
	}
	return x
}

func knocks(r *rand.Rand) []float64 {
	x := seconds(r, 2, 8)
	for i := range x {
		x[i] = r.NormFloat64() * .001
	}
	for range 3 + r.IntN(12) {
		at, n, f := r.IntN(len(x)-speech.Rate/3), int(between(r, .02, .25)*speech.Rate), between(r, 400, 2500)
		for i := range n {
			v := r.NormFloat64()
			if f > 1200 {
				v = math.Sin(2 * math.Pi * f * float64(i) / speech.Rate)
			}
			x[at+i] += v * .5 * math.Exp(-4*float64(i)/float64(n))
		}
	}
	return x
}
