package models_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nightlight/models"
	"nightlight/models/modelstest"
	"nightlight/models/onnx"
)

// doubling is a model that adds its input to itself.
func doubling(t testing.TB) []byte {
	t.Helper()
	g := onnx.NewGraph("doubling")
	g.Input("x", onnx.Float32, []onnx.Dim{{Name: "n"}})
	g.Node("Add", []string{"x", "x"}, []string{"y"})
	g.Output("y", onnx.Float32, []onnx.Dim{{Name: "n"}})
	return marshal(t, g)
}

// side is the side of heavy's matrices.
const side = 1024

// heavy is a model that multiplies big matrices again and again: most of a minute of work on one core, in short steps.
func heavy(t testing.TB) []byte {
	t.Helper()
	const steps = 3000
	g := onnx.NewGraph("heavy")
	g.Input("x", onnx.Float32, onnx.Fixed(side, side))
	last := "x"
	for i := range steps {
		next := fmt.Sprint("m", i)
		g.Node("MatMul", []string{last, "x"}, []string{next})
		last = next
	}
	g.Node("Identity", []string{last}, []string{"y"})
	g.Output("y", onnx.Float32, onnx.Fixed(side, side))
	return marshal(t, g)
}

func marshal(t testing.TB, g *onnx.Graph) []byte {
	t.Helper()
	b, err := g.Marshal(13)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func session(t testing.TB, model []byte, o models.SessionOptions) *models.Session {
	t.Helper()
	s, err := modelstest.Runtime(t).NewSession(model, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASessionRunsItsModelOnTheGivenTensors(t *testing.T) {
	s := session(t, doubling(t), models.SessionOptions{Name: "doubling"})
	mine := make([]float32, 3)
	for name, out := range map[string]models.Tensor{
		"into memory of its own":    {},
		"into memory of the caller": {Shape: []int64{3}, Float32: mine},
	} {
		t.Run(name, func(t *testing.T) {
			outs := []models.Tensor{out}
			err := s.Run(t.Context(), []models.Tensor{{Shape: []int64{3}, Float32: []float32{1, 2, 3}}}, outs)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(outs[0].Shape, outs[0].Float32); got != "[3] [2 4 6]" {
				t.Errorf("got %s, want [3] [2 4 6]", got)
			}
		})
	}
	if got := fmt.Sprint(mine); got != "[2 4 6]" {
		t.Errorf("the caller's memory holds %s, want [2 4 6]", got)
	}
}

func TestARunThatCannotBeIsAnErrorAndTheNextOneWorks(t *testing.T) {
	s := session(t, doubling(t), models.SessionOptions{Name: "doubling"})
	for name, in := range map[string][]models.Tensor{
		"no inputs":               {},
		"values of no kind":       {{Shape: []int64{3}}},
		"values of both kinds":    {{Shape: []int64{1}, Float32: []float32{1}, Int64: []int64{1}}},
		"fewer values than shape": {{Shape: []int64{3}, Float32: []float32{1}}},
		"the wrong element type":  {{Shape: []int64{1}, Int64: []int64{1}}},
		"the wrong rank":          {{Shape: []int64{1, 1}, Float32: []float32{1}}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Run(t.Context(), in, make([]models.Tensor, 1)); err == nil {
				t.Error("got no error")
			}
		})
	}
	if err := s.Run(t.Context(), []models.Tensor{{Shape: []int64{1}, Float32: []float32{1}}}, make([]models.Tensor, 1)); err != nil {
		t.Error("after errors:", err)
	}
}

func TestAPanicBelowComesBackAsAnErrorAndFreesItsSlot(t *testing.T) {
	modelstest.Runtime(t)
	s := models.NewBrokenSession()
	in := []models.Tensor{{Shape: []int64{1}, Float32: []float32{1}}}
	for range 2 { // the second would wait for ever on a slot that was not freed
		if err := s.Run(t.Context(), in, make([]models.Tensor, 1)); err == nil || !strings.Contains(err.Error(), "panic") {
			t.Errorf("got %v, want the panic", err)
		}
	}
}

func TestCancellingEndsALongRunAndLeavesNothingBehind(t *testing.T) {
	s := session(t, heavy(t), models.SessionOptions{Name: "heavy"})
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	in := []models.Tensor{{Shape: []int64{side, side}, Float32: make([]float32, side*side)}}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, in, make([]models.Tensor, 1)) }()
	time.Sleep(50 * time.Millisecond) // so that most times the run is under way; the test holds if it is not
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want one that wraps context.Canceled", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the run goes on a minute after it was cancelled")
	}
	goleak.VerifyNone(t, before)
}

func TestADeadlineEndsALongRun(t *testing.T) {
	s := session(t, heavy(t), models.SessionOptions{Name: "heavy"})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	in := []models.Tensor{{Shape: []int64{side, side}, Float32: make([]float32, side*side)}}
	if err := s.Run(ctx, in, make([]models.Tensor, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want one that wraps context.DeadlineExceeded", err)
	}
}

func TestWaitingForASlotEndsWithTheContext(t *testing.T) {
	s := session(t, heavy(t), models.SessionOptions{Name: "heavy", Parallel: 1})
	in := []models.Tensor{{Shape: []int64{side, side}, Float32: make([]float32, side*side)}}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	errs := make([]error, 3) // one of them runs, two wait
	for i := range errs {
		group.Go(func() { errs[i] = s.Run(ctx, in, make([]models.Tensor, 1)) })
	}
	time.Sleep(20 * time.Millisecond)
	cancel()
	group.Wait()
	for _, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want one that wraps context.Canceled", err)
		}
	}
}

func TestOneSessionServesManyGoroutines(t *testing.T) {
	s := session(t, doubling(t), models.SessionOptions{Name: "doubling", Parallel: 4, AnyShape: true})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 50 {
				n := 1 + (g+i)%9
				in := make([]float32, n)
				in[n-1] = float32(g*100 + i)
				out := make([]models.Tensor, 1)
				if err := s.Run(t.Context(), []models.Tensor{{Shape: []int64{int64(n)}, Float32: in}}, out); err != nil {
					t.Error(err)
					return
				}
				if got, want := out[0].Float32[n-1], 2*in[n-1]; len(out[0].Float32) != n || got != want {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
	group.Wait()
}

func TestClosingWaitsForRunsAndRefusesLaterOnes(t *testing.T) {
	r := modelstest.Runtime(t)
	s, err := r.NewSession(heavy(t), models.SessionOptions{Name: "heavy", Parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	in := []models.Tensor{{Shape: []int64{side, side}, Float32: make([]float32, side*side)}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, in, make([]models.Tensor, 1)) }()
	time.AfterFunc(30*time.Millisecond, cancel)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, models.ErrClosed) {
		t.Errorf("the run gave %v, want cancelled or closed", err)
	}
	if err := s.Run(t.Context(), in, make([]models.Tensor, 1)); !errors.Is(err, models.ErrClosed) {
		t.Errorf("after Close got %v, want ErrClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Error("second Close:", err)
	}
}

func TestABrokenModelIsAnErrorAndNoCrash(t *testing.T) {
	r := modelstest.Runtime(t)
	whole := doubling(t)
	for name, model := range map[string][]byte{
		"empty":    nil,
		"no model": []byte("this is a text, not a model"),
		"cut off":  whole[:len(whole)-5],
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := r.NewSession(model, models.SessionOptions{Name: name}); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestAProcessHoldsOneRuntime(t *testing.T) {
	r := modelstest.Runtime(t)
	library, err := modelstest.Dirs(t).Library(modelstest.Manifest(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.OpenRuntime(library); err == nil {
		t.Error("a second runtime opened without an error")
	}
	if got := r.Version(); got != "1.32.0" {
		t.Errorf("got version %s, want 1.32.0", got)
	}
}

func BenchmarkSmallestRun(b *testing.B) {
	s := session(b, doubling(b), models.SessionOptions{Name: "doubling"})
	in := []models.Tensor{{Shape: []int64{8}, Float32: make([]float32, 8)}}
	out := []models.Tensor{{Shape: []int64{8}, Float32: make([]float32, 8)}}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Run(context.Background(), in, out); err != nil {
			b.Fatal(err)
		}
	}
}
