package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"
)

// LoadOptions say what Load sends, and how fast.
type LoadOptions struct {
	URL, Key string
	// Rate is how many messages a second are due, For how long they are.
	Rate float64
	For  time.Duration
	// Even spaces messages evenly. Otherwise they come as from many people
	// who do not know of each other, sometimes several at once (a Poisson
	// process, the same at each run).
	Even bool
	// Settle is how long after the last send a verdict still counts as in time
	// (default 1 s); what has none by then is backlog.
	Settle time.Duration
	// InFlight bounds how many requests are open (default 1,500). Beyond it
	// messages are sent late, and their latency counts from when they were due.
	InFlight int
}

// LoadResult is what came of an open loop. Latencies are in milliseconds, from
// the moment a message was due to be sent until its verdict was read.
type LoadResult struct {
	Rate    float64 `json:"rate"`
	Seconds float64 `json:"seconds"`
	Due     int     `json:"due"`
	Judged  int     `json:"judged"`
	Refused int     `json:"refused"`
	Failed  int     `json:"failed"`
	// Unfinished had no verdict in time.
	Unfinished int `json:"unfinished"`
	// Growing tells that waiting grew from the beginning to the end: the
	// system did not keep up, and the percentiles would depend on how long the
	// load went on.
	Growing bool    `json:"growing"`
	P50     float64 `json:"p50_ms"`
	P95     float64 `json:"p95_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
	// SentLate is the 99th percentile of how late this generator itself sent;
	// it is part of the latencies.
	SentLate float64 `json:"sent_late_p99_ms"`
}

// Steady reports whether the percentiles mean anything: everything due was
// judged in time and waiting did not grow.
func (r LoadResult) Steady() bool {
	return r.Due > 0 && r.Unfinished == 0 && r.Failed == 0 && r.Refused == 0 && !r.Growing
}

// Print writes the result as lines.
func (r LoadResult) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%.4g/s for %.4g s: %d due, %d judged, %d refused, %d failed, %d unfinished\n%s\n",
		r.Rate, r.Seconds, r.Due, r.Judged, r.Refused, r.Failed, r.Unfinished, r.latencies())
	return err
}

func (r LoadResult) latencies() string {
	if !r.Steady() {
		return "no latency figure: it did not keep up"
	}
	return fmt.Sprintf("p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, largest %.1f ms (the generator sent late by %.1f ms at p99)", r.P50, r.P95, r.P99, r.Max, r.SentLate)
}

// Load sends made-up chat messages to an API on a schedule that does not wait
// for answers, and measures each latency from the moment that the message was
// due. Each request waits for its verdict (Prefer: wait), so a latency holds
// both ways of HTTP and nothing of polling, as long as API and workers are one
// process; an API whose workers run elsewhere looks for verdicts at growing
// pauses, which then count too.
func Load(ctx context.Context, o LoadOptions) (LoadResult, error) {
	if o.Rate <= 0 || o.For <= 0 {
		return LoadResult{}, fmt.Errorf("load of %v a second for %v: want more than none", o.Rate, o.For)
	}
	o = o.withDefaults()
	t := newTarget(o.URL, o.Key, o.InFlight)
	defer t.close()
	run := "load-" + rand.Text()
	return openLoop(ctx, o, func(ctx context.Context, n int) error {
		p, err := messageItem(run, n)
		if err != nil {
			return err
		}
		_, err = t.judge(ctx, p)
		return err
	})
}

func (o LoadOptions) withDefaults() LoadOptions {
	if o.Settle == 0 {
		o.Settle = time.Second
	}
	if o.InFlight == 0 {
		o.InFlight = 1500
	}
	return o
}

// schedule lists when each message is due, counted from the start.
func (o LoadOptions) schedule() []time.Duration {
	r := mathrand.New(mathrand.NewPCG(1, 2))
	var due []time.Duration
	gap := float64(time.Second) / o.Rate
	for at := 0.0; ; {
		if !o.Even {
			at += r.ExpFloat64() * gap
		}
		if at >= float64(o.For) {
			return due
		}
		due = append(due, time.Duration(at))
		if o.Even {
			at += gap
		}
	}
}

// sent is what became of one message.
type sent struct {
	late, latency time.Duration
	err           error
	done          bool
}

// grace is how long requests that are late are still waited for, so that they
// do not disturb what is measured next. It changes no figure.
const grace = 30 * time.Second

// openLoop calls send for every message when it is due.
func openLoop(ctx context.Context, o LoadOptions, send func(context.Context, int) error) (LoadResult, error) {
	due := o.schedule()
	all := make([]sent, len(due))
	room := make(chan struct{}, o.InFlight)
	start := time.Now()
	ctx, cancel := context.WithDeadline(ctx, start.Add(o.For+o.Settle+grace))
	defer cancel()
	var wg sync.WaitGroup
	for i, at := range due {
		if !sleepUntil(ctx, start.Add(at)) || !enter(ctx, room) {
			break // what is left has no verdict
		}
		wg.Go(func() {
			defer func() { <-room }()
			late := time.Since(start) - at
			err := send(ctx, i)
			all[i] = sent{late: late, latency: time.Since(start) - at, err: err, done: true}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return LoadResult{}, err
	}
	return o.sum(due, all), nil
}

// sleepUntil reports false when ctx ends first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.NewTimer(time.Until(at))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wait.C:
		return true
	}
}

func enter(ctx context.Context, room chan<- struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case room <- struct{}{}:
		return true
	}
}

// sum turns what became of the messages into figures.
func (o LoadOptions) sum(due []time.Duration, all []sent) LoadResult {
	r := LoadResult{Rate: o.Rate, Seconds: o.For.Seconds(), Due: len(due)}
	var inOrder, late []float64
	for i, s := range all {
		var refused errRefused
		switch {
		case errors.As(s.err, &refused):
			r.Refused++
		case s.err != nil && !errors.Is(s.err, context.DeadlineExceeded):
			r.Failed++
		case s.err != nil, !s.done, due[i]+s.latency > o.For+o.Settle:
			r.Unfinished++
		default:
			r.Judged++
			inOrder = append(inOrder, milliseconds(s.latency))
			late = append(late, milliseconds(s.late))
		}
	}
	if r.Judged == 0 {
		return r
	}
	r.Growing = growing(inOrder)
	sorted := slices.Sorted(slices.Values(inOrder))
	r.P50, r.P95, r.P99, r.Max = percentile(sorted, 0.5), percentile(sorted, 0.95), percentile(sorted, 0.99), sorted[len(sorted)-1]
	slices.Sort(late)
	r.SentLate = percentile(late, 0.99)
	return r
}

// growing compares the medians of the first and last fifth of latencies in the
// order in which messages were due: twice as long, and by 50 ms or more, is no
// accident.
func growing(inOrder []float64) bool {
	fifth := len(inOrder) / 5
	if fifth < 5 {
		return false
	}
	first := percentile(slices.Sorted(slices.Values(inOrder[:fifth])), 0.5)
	last := percentile(slices.Sorted(slices.Values(inOrder[len(inOrder)-fifth:])), 0.5)
	return last > 2*first && last > first+50
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
