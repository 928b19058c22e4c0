package catalog

import (
	"errors"
	"fmt"
	"math"
)

// Calibration maps a model's own score to one of which 0.5 is the label's decision point. It is a line through
// Points, given as [raw, calibrated] in rising order; below the first and above the last it stays flat. Without
// points the score is used as it is.
type Calibration struct {
	Points [][2]float64 `yaml:"points"`
	Note   string       `yaml:"note"` // how it was fitted, or why it was not
}

// Apply gives the calibrated score in 0..1. A raw score that is not a number gives one too, so that the caller's
// check of the result catches it.
func (c Calibration) Apply(raw float64) float64 {
	if len(c.Points) == 0 || math.IsNaN(raw) {
		return raw
	}
	last := c.Points[0]
	if raw <= last[0] {
		return last[1]
	}
	for _, p := range c.Points[1:] {
		if raw <= p[0] {
			return last[1] + (raw-last[0])/(p[0]-last[0])*(p[1]-last[1])
		}
		last = p
	}
	return last[1]
}

func (c Calibration) check() error {
	for i, p := range c.Points {
		if p[1] < 0 || p[1] > 1 || math.IsNaN(p[0]) || math.IsInf(p[0], 0) {
			return fmt.Errorf("point %v is outside 0..1", p)
		}
		if i > 0 && (p[0] <= c.Points[i-1][0] || p[1] < c.Points[i-1][1]) {
			return errors.New("points must rise")
		}
	}
	return nil
}
