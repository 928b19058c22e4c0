// Package speechtest holds what tests of speech share: what every Transcriber must do, and sounds in which nobody
// speaks.
package speechtest

import (
	"context"
	"sync"
	"testing"

	"nightlight/pipeline/speech"
)

// Conform holds a Transcriber to its promises, on a clip in which somebody speaks.
func Conform(t *testing.T, tr speech.Transcriber, clip []float32) {
	t.Run("it names its models", func(t *testing.T) {
		for _, m := range tr.Models() {
			if m.Name == "" || m.Version == "" {
				t.Errorf("got %+v", m)
			}
		}
		if len(tr.Models()) == 0 {
			t.Error("no model is named")
		}
	})
	t.Run("words lie inside of the sound, and two at a time say the same", func(t *testing.T) {
		var got [2][]speech.Segment
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				var err error
				if got[i], err = tr.Transcribe(t.Context(), clip); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(got[0]) == 0 || len(got[0]) != len(got[1]) {
			t.Fatalf("got %d and %d segments", len(got[0]), len(got[1]))
		}
		at, length := 0.0, float64(len(clip))/speech.Rate
		for i, s := range got[0] {
			if s.Start < at || s.End < s.Start || s.End > length || s.Text == "" || s.Language == "" || s.Text != got[1][i].Text {
				t.Errorf("segment %d: %+v", i, s)
			}
			at = s.Start
		}
	})
	t.Run("more than a window is refused", func(t *testing.T) {
		if _, err := tr.Transcribe(t.Context(), make([]float32, speech.MaxWindow*speech.Rate+1)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("it ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := tr.Transcribe(ctx, clip); err == nil {
			t.Error("no error")
		}
	})
}
