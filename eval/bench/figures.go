package bench

import (
	"cmp"
	"math"
	"slices"
)

// percentile is the smallest value that at least the share p of all values
// does not exceed; it is one of the values, never between two. sorted must not
// be empty.
func percentile[T cmp.Ordered](sorted []T, p float64) T {
	// The product of a share and a number may lie a hair above a whole number.
	rank := int(math.Ceil(p*float64(len(sorted)) - 1e-9))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Figure is one quantity over the rounds of a run.
type Figure struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// figureOf sums up rounds; of an even number of rounds the median is the mean
// of the middle two.
func figureOf(rounds []float64) Figure {
	if len(rounds) == 0 {
		return Figure{}
	}
	v := slices.Sorted(slices.Values(rounds))
	n := len(v)
	return Figure{Median: (v[(n-1)/2] + v[n/2]) / 2, Low: v[0], High: v[n-1]}
}
