package eval

import (
	"math"
	"testing"
)

func points(scores []float64, truth []bool) []Point {
	out := make([]Point, len(scores))
	for i := range scores {
		out[i] = Point{scores[i], truth[i]}
	}
	return out
}

func TestMetricsMatchHandWorkedExamples(t *testing.T) {
	p := points([]float64{.9, .8, .7, .6, .4, .3, .2, .1}, []bool{true, true, false, true, false, true, false, false})
	tests := []struct {
		name      string
		got, want float64
	}{
		{"accuracy", Measure(p).Accuracy, 6.0 / 8},
		{"precision", Measure(p).Precision, 3.0 / 4},
		{"recall", Measure(p).Recall, 3.0 / 4},
		{"F1", Measure(p).F1, .75},
		{"macro-F1", Measure(p).MacroF1.Value, .75},
		{"AUC: 13 of 16 pairs are in order", Measure(p).AUC.Value, 13.0 / 16},
		{"AUC with all scores equal is one half", auc(points([]float64{.5, .5, .5, .5}, []bool{true, false, true, false})), .5},
		{"recall at 1 % FPR allows no false positive among few", Measure(p).RecallAt1.Value, .5},
		{"ECE of sure and right scores is 0", calibrationError(points([]float64{1, 0}, []bool{true, false}), 15), 0},
		{"ECE of sure and wrong scores is 1", calibrationError(points([]float64{1, 0}, []bool{false, true}), 15), 1},
		{"Wilson's lower end of 0 in 100", wilson(0, 100).Low, 0},
		{"Wilson's upper end of 0 in 100", wilson(0, 100).High, 0.03699},
	}
	for _, tt := range tests {
		if math.Abs(tt.got-tt.want) > 1e-4 {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestTwoRunsGiveEqualIntervals(t *testing.T) {
	p := points([]float64{.9, .8, .7, .6, .4, .3, .2, .1}, []bool{true, true, false, true, false, true, false, false})
	if a, b := Measure(p), Measure(p); a != b {
		t.Errorf("got %+v and %+v", a, b)
	}
}
