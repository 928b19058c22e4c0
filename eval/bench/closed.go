package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts what a closed loop brought.
type tally struct {
	Items   int            `json:"items"`
	Refused int            `json:"refused"`
	Actions map[string]int `json:"actions"`
	Models  []string       `json:"models"`
	wall    time.Duration
}

// drive has conns workers call once for each of n numbers from first on, until
// all are done: the next one starts when the last has ended. It stops at the
// first error.
func drive(ctx context.Context, conns, first, n int, once func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := once(ctx, first+i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// through sends n items, conns at a time, until all have verdicts. Items that
// the key's rate refuses are sent again; they are counted, since the rate and
// not the system was measured then.
func (t *target) through(ctx context.Context, conns, first, n int, of func(i int) (payload, error)) (tally, error) {
	sum := tally{Items: n, Actions: map[string]int{}}
	var mu sync.Mutex
	started := time.Now()
	err := drive(ctx, conns, first, n, func(ctx context.Context, i int) error {
		p, err := of(i)
		if err != nil {
			return err
		}
		view, refused, err := t.insist(ctx, p)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		sum.Refused += refused
		if i%16 != 0 && sum.Models != nil { // reading every answer in full would cost the processors it runs on
			return nil
		}
		action, models, err := verdictOf(view)
		sum.Actions[action]++
		sum.Models = models
		return err
	})
	sum.wall = time.Since(started)
	return sum, err
}

// insist sends an item again as long as the key's rate refuses it.
func (t *target) insist(ctx context.Context, p payload) (view []byte, refused int, err error) {
	for {
		view, err = t.judge(ctx, p)
		var wait errRefused
		if !errors.As(err, &wait) {
			return view, refused, err
		}
		refused++
		if !sleepUntil(ctx, time.Now().Add(min(wait.after, time.Second))) {
			return nil, refused, ctx.Err()
		}
	}
}
