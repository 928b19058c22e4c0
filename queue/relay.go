package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Outbox is the table that the relay empties; queue/store implements it.
type Outbox interface {
	// TakeOutbox returns up to limit wake-ups that were not sent yet and
	// hides them from other relays for a while. None is not an error.
	TakeOutbox(ctx context.Context, limit int) ([]Outgoing, error)
	// MarkSent records that Redis has the wake-ups.
	MarkSent(ctx context.Context, ids []int64) error
}

// Outgoing is one outbox row.
type Outgoing struct {
	ID   int64
	Task Task
}

// Relay moves wake-ups from the outbox to Asynq.
type Relay struct {
	outbox Outbox
	redis  redis.UniversalClient
	client *asynq.Client
	log    *slog.Logger
	wake   chan struct{}
	every  time.Duration
}

// relayBatch is how many wake-ups one round takes.
const relayBatch = 200

// NewRelay returns a relay that looks at the outbox when Wake is called and
// at least once every interval.
func NewRelay(outbox Outbox, opt asynq.RedisConnOpt, log *slog.Logger, every time.Duration) *Relay {
	c := dial(opt)
	return &Relay{outbox: outbox, redis: c, client: asynq.NewClientFromRedisClient(c), log: log, wake: make(chan struct{}, 1), every: every}
}

// Wake asks for a round now. It never blocks.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run relays until ctx ends. Redis or the database being away is logged once
// per change and tried again; nothing is lost, because rows stay in the outbox
// until Redis has taken them.
func (r *Relay) Run(ctx context.Context) error {
	defer r.redis.Close()
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	failing := false
	for {
		n, err := r.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				r.log.Warn("outbox relay waits", "error", err)
			} else {
				r.log.Info("outbox relay works again")
			}
		}
		if err == nil && n == relayBatch {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-r.wake:
		}
	}
}

// round sends one batch and returns how many it took. The bell rings for the
// first wake-up of a queue at once, and again when all are there.
func (r *Relay) round(ctx context.Context) (int, error) {
	rows, err := r.outbox.TakeOutbox(ctx, relayBatch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	sent := make([]int64, 0, len(rows))
	var queues []string
	var failed error
	for _, row := range rows {
		if failed = r.send(ctx, row.Task); failed != nil {
			break
		}
		sent = append(sent, row.ID)
		if !slices.Contains(queues, row.Task.Queue) {
			queues = append(queues, row.Task.Queue)
			ring(ctx, r.redis, row.Task.Queue)
		}
	}
	if len(sent) > len(queues) {
		ring(ctx, r.redis, queues...)
	}
	if len(sent) > 0 {
		if err := r.outbox.MarkSent(ctx, sent); err != nil {
			return 0, fmt.Errorf("mark %d wake-ups as sent: %w", len(sent), err)
		}
	}
	return len(rows), failed
}

// send enqueues one wake-up. A conflict means that Redis already has it.
func (r *Relay) send(ctx context.Context, t Task) error {
	_, err := r.client.EnqueueContext(ctx, asynq.NewTask(string(t.Stage), []byte(t.Subject)),
		asynq.TaskID(t.ID()), asynq.Queue(t.Queue), asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout))
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("enqueue %s: %w", t.ID(), err)
	}
	return nil
}

const (
	// maxRetry is never 0: with 0 a crash spends the only try and Asynq
	// archives the task.
	maxRetry = 8
	// taskTimeout is above every handler's own limit, so that Asynq never
	// abandons a handler that still runs.
	taskTimeout = 10 * time.Minute
)
