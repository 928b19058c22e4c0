package bench

import "testing"

func TestAPercentileIsOneOfTheValues(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for _, c := range []struct {
		values []float64
		p      float64
		want   float64
	}{
		{hundred, 0.5, 50},
		{hundred, 0.95, 95},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
		{hundred, 0, 1},
		{hundred[:3], 0.5, 2},
		{hundred[:4], 0.5, 2},
		{hundred[:10], 0.99, 10},
		{hundred[:1], 0.01, 1},
		{hundred[:20], 0.95, 19}, // 0.95 · 20 is 19.000000000000004 when it is multiplied in floating point
		{hundred[:60], 0.7, 42},  // and 0.7 · 60 is a hair under 42
	} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("%d values, %v: got %v, want %v", len(c.values), c.p, got, c.want)
		}
	}
}

func TestAFigureIsTheMedianWithItsRange(t *testing.T) {
	for _, c := range []struct {
		rounds []float64
		want   Figure
	}{
		{nil, Figure{}},
		{[]float64{3}, Figure{3, 3, 3}},
		{[]float64{9, 1, 4}, Figure{4, 1, 9}},
		{[]float64{8, 2, 4, 6}, Figure{5, 2, 8}},
	} {
		if got := figureOf(c.rounds); got != c.want {
			t.Errorf("%v: got %v, want %v", c.rounds, got, c.want)
		}
	}
}

func TestDisturbedRoundsAreLeftOutUnlessThereAreNoOthers(t *testing.T) {
	round := func(ratio, pathOthers, bareOthers float64) Round {
		return Round{Ratio: ratio, Path: Turn{Others: pathOthers}, Bare: Turn{Others: bareOthers}}
	}
	p := Pairing{Rounds: []Round{round(0.9, 0.01, 0.06), round(0.1, 0.07, 0), round(0.7, 0, 0), round(0.2, 0, 0.5)}}
	p.figures()
	if want := (Figure{0.8, 0.7, 0.9}); p.CleanRounds != 2 || p.Ratio != want {
		t.Errorf("some clean: got %d clean and %v, want 2 and %v", p.CleanRounds, p.Ratio, want)
	}
	p = Pairing{Rounds: []Round{round(0.1, 0.07, 0), round(0.3, 0, 0.5)}}
	p.figures()
	if want := (Figure{0.2, 0.1, 0.3}); p.CleanRounds != 0 || p.Ratio != want {
		t.Errorf("none clean: got %d clean and %v, want 0 and %v", p.CleanRounds, p.Ratio, want)
	}
}

func TestARoundAsksForNoMoreThanTheKeyGrants(t *testing.T) {
	b := &bench{options: Options{Rounds: 3}.withDefaults()}
	for _, c := range []struct{ perSecond, most float64 }{{100, 1000}, {500, 5000}, {1000, 1800}, {100_000, 905}} {
		n := float64(b.roundSize(c.perSecond))
		if n > c.most || n < c.most-2 {
			t.Errorf("at %v/s: got %v items, want %v", c.perSecond, n, c.most)
		}
		// What is left of the bucket when the round ends.
		if left := b.options.KeyBurst + b.options.KeyRate*n/c.perSecond - n; left < 0 {
			t.Errorf("at %v/s: %v items ask for %v more than the key grants", c.perSecond, n, -left)
		}
	}
}
