package bench

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// oneAtATime is a server that needs long for each message and takes them one
// after the other.
func oneAtATime(long time.Duration) func(context.Context, int) error {
	room := make(chan struct{}, 1)
	return func(ctx context.Context, _ int) error {
		if !enter(ctx, room) {
			return ctx.Err()
		}
		defer func() { <-room }()
		if !sleepUntil(ctx, time.Now().Add(long)) {
			return ctx.Err()
		}
		return nil
	}
}

func run(t *testing.T, o LoadOptions, send func(context.Context, int) error) LoadResult {
	t.Helper()
	r, err := openLoop(t.Context(), o.withDefaults(), send)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The clock in these tests is a made-up one: it moves on only when everybody
// waits, so that times are exact.

func TestALatencyCountsFromWhenTheMessageWasDue(t *testing.T) {
	for _, c := range []struct {
		what     string
		inFlight int
		sentLate float64 // of the last message, ms
	}{
		// 20 messages, one due every 10 ms, each of which takes 20 ms: the nth
		// (from 0) has its verdict at 20·(n+1) ms and so waits 20+10·n ms. A
		// generator that waited for answers would see 20 ms for all.
		{"requests wait in the server", 1500, 0},
		// The same when the generator may not send: the last leaves when the
		// nineteenth is answered, at 380 ms, 190 ms late.
		{"requests wait in the generator", 1, 190},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := run(t, LoadOptions{Rate: 100, For: 200 * time.Millisecond, Even: true, InFlight: c.inFlight}, oneAtATime(20*time.Millisecond))
				if r.Due != 20 || r.Judged != 20 {
					t.Errorf("got %d due and %d judged, want 20 and 20", r.Due, r.Judged)
				}
				near(t, "p50", r.P50, 20+10*9)
				near(t, "p95", r.P95, 20+10*18)
				near(t, "largest", r.Max, 20+10*19)
				near(t, "sent late", r.SentLate, c.sentLate)
			})
		})
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 0.01 {
		t.Errorf("%s: got %v ms, want %v", what, got, want)
	}
}

func TestALoadThatIsKeptUpWithIsSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, LoadOptions{Rate: 50, For: 2 * time.Second, Even: true}, oneAtATime(20*time.Millisecond))
		if !r.Steady() || r.Judged != 100 || r.Growing {
			t.Errorf("got %+v, want 100 judged and steady", r)
		}
		near(t, "p99", r.P99, 20)
	})
}

func TestALoadThatEndsWithBacklogHasNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Twice as much as the server can do: when the second to settle is over,
		// 3 s have gone by and 150 of 200 are judged.
		r := run(t, LoadOptions{Rate: 100, For: 2 * time.Second, Even: true}, oneAtATime(20*time.Millisecond))
		if r.Steady() || r.Due != 200 || r.Judged != 150 || r.Unfinished != 50 {
			t.Errorf("got %+v, want 150 judged, 50 unfinished and not steady", r)
		}
	})
}

func TestWaitingThatGrowsIsNoticedBeforeThereIsBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, LoadOptions{Rate: 100, For: time.Second, Even: true}, oneAtATime(15*time.Millisecond))
		if !r.Growing || r.Unfinished != 0 || r.Steady() {
			t.Errorf("got %+v, want growing with nothing unfinished", r)
		}
	})
}

func TestAServerThatNeverAnswersEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, LoadOptions{Rate: 10, For: time.Second, Even: true, InFlight: 3}, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if r.Due != 10 || r.Unfinished != 10 || r.Judged != 0 || r.Steady() {
			t.Errorf("got %+v, want 10 unfinished", r)
		}
	})
}

func TestWhatIsRefusedOrFailsIsCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, LoadOptions{Rate: 10, For: time.Second, Even: true}, func(_ context.Context, n int) error {
			switch n {
			case 0:
				return errRefused{time.Second}
			case 1, 2:
				return errors.New("status 500")
			}
			return nil
		})
		if r.Refused != 1 || r.Failed != 2 || r.Judged != 7 || r.Steady() {
			t.Errorf("got %+v, want 1 refused, 2 failed, 7 judged, not steady", r)
		}
	})
}

func TestALoadThatIsCalledOffIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("called off"))
		defer cancel()
		_, err := openLoop(ctx, LoadOptions{Rate: 10, For: time.Minute, Even: true}.withDefaults(), func(context.Context, int) error { return nil })
		if err == nil {
			t.Error("got no error")
		}
	})
}

func TestTheScheduleKeepsItsRateAndItsOrder(t *testing.T) {
	for _, even := range []bool{true, false} {
		o := LoadOptions{Rate: 200, For: 30 * time.Second, Even: even}
		due := o.schedule()
		if want := 6000; math.Abs(float64(len(due)-want)) > 300 { // four deviations of a Poisson process
			t.Errorf("even %v: got %d messages, want about %d", even, len(due), want)
		}
		var gaps []float64
		for i := 1; i < len(due); i++ {
			if due[i] < due[i-1] || due[i] >= o.For {
				t.Fatalf("even %v: message %d is due at %v, the one before at %v, all before %v", even, i, due[i], due[i-1], o.For)
			}
			gaps = append(gaps, milliseconds(due[i]-due[i-1]))
		}
		spread := deviation(gaps) / 5 // as a share of the mean gap
		if even && spread > 0.01 || !even && math.Abs(spread-1) > 0.1 {
			t.Errorf("even %v: got gaps that deviate by %.2f of their mean, want 0 when even and 1 when not", even, spread)
		}
	}
}

func deviation(v []float64) float64 {
	mean, sum := 0.0, 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sum += (x - mean) * (x - mean)
	}
	return math.Sqrt(sum / float64(len(v)))
}

func TestALoadOfNothingIsRefused(t *testing.T) {
	for _, o := range []LoadOptions{{Rate: 0, For: time.Second}, {Rate: 1}, {Rate: -1, For: time.Second}} {
		if _, err := Load(t.Context(), o); err == nil {
			t.Errorf("%+v: got no error", o)
		}
	}
}
