package rules

import (
	"context"
	"testing"

	"nightlight/pipeline"
)

func classify(t testing.TB, r *Rules, text string) []pipeline.Signal {
	t.Helper()
	s, err := r.ClassifyText(context.Background(), pipeline.Text{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scoreOf(signals []pipeline.Signal, l pipeline.Label) float64 {
	best := 0.0
	for _, s := range signals {
		if s.Label == l {
			best = max(best, s.Score)
		}
	}
	return best
}

func TestEveryExampleOfTheTableIsReadAsItSays(t *testing.T) {
	r := New()
	for _, e := range readTable() {
		for _, text := range e.Hit {
			if got := scoreOf(classify(t, r, text), e.Label); got < e.Score {
				t.Errorf("%s: %q: got %s %.2f, want at least %.2f", e.ID, text, e.Label, got, e.Score)
			}
		}
		for _, text := range e.Miss {
			if got := scoreOf(classify(t, r, text), e.Label); got >= 0.5 {
				t.Errorf("%s: %q: got %s %.2f, want nothing", e.ID, text, e.Label, got)
			}
		}
		for _, text := range e.Doubt {
			if got := scoreOf(classify(t, r, text), e.Label); got != doubt {
				t.Errorf("%s: %q: got %s %.2f, want %.2f", e.ID, text, e.Label, got, doubt)
			}
		}
	}
}
