package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// Handler works on one task. A nil error ends the task; an error has it tried
// again after a pause.
type Handler func(ctx context.Context, subject string) error

// Grave keeps the id of a task that was tried for the last time. Asynq's own
// archive forgets all but the newest 10,000.
type Grave func(ctx context.Context, taskID, stage string)

// Class is a group of queues served by one Asynq server with its own workers,
// so that one kind of load cannot starve another.
type Class struct {
	Name        string         // classes of one name are picked together
	Queues      map[string]int // queue → weight
	Concurrency int
}

// Classes returns the classes that serve the named queues; none means all.
func Classes(cores int, only ...string) ([]Class, error) {
	all := []Class{
		{"text", map[string]int{QueueUrgent: 9, QueueText: 1}, max(4, 2*cores)},
		{"photo", map[string]int{QueuePhoto: 1}, max(2, cores)},
		{"video", map[string]int{QueueVideo: 1}, max(1, cores/2)},
		// They wait for others' servers and cost nothing meanwhile. A receiver
		// that hangs must not keep word from a guardian, and a letter whose time
		// is tomorrow must not keep one whose time is now.
		{"effects", map[string]int{QueueEffects: 1}, 32},
		{"effects", map[string]int{QueueNotices: 1}, 32},
		{"effects", map[string]int{QueueUrgentNotices: 1}, 32},
	}
	if len(only) == 0 {
		return all, nil
	}
	var picked []Class
	for _, name := range only {
		found := false
		for _, c := range all {
			if c.Name == name {
				picked, found = append(picked, c), true
			}
		}
		if !found {
			return nil, fmt.Errorf("queue class %q: want text, photo, video or effects", name)
		}
	}
	return picked, nil
}

// Servers runs one Asynq server a class.
type Servers struct {
	redis    asynq.RedisConnOpt
	log      *slog.Logger
	handlers map[Stage]Handler
	bury     Grave
	classes  []Class
	drain    time.Duration
}

// NewServers prepares servers for the classes. drain is how long tasks in
// flight may take to finish at shutdown.
func NewServers(redis asynq.RedisConnOpt, classes []Class, handlers map[Stage]Handler, bury Grave, log *slog.Logger, drain time.Duration) *Servers {
	return &Servers{redis, log, handlers, bury, classes, drain}
}

// Run serves until ctx ends, then drains: no new task is taken, tasks in
// flight get the drain time, and what does not finish is handed back.
func (s *Servers) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	bell := dial(s.redis)
	defer bell.Close()
	rings := bell.Subscribe(ctx, bellChannel)
	defer rings.Close()

	sleepers := make([]*sleeper, len(s.classes))
	for i, c := range s.classes {
		client := dial(s.redis)
		sleepers[i] = newSleeper(c.Queues, ctx.Done())
		client.AddHook(sleepers[i])
		srv := asynq.NewServerFromRedisClient(client, s.config(c))
		mux := asynq.NewServeMux()
		for stage, h := range s.handlers {
			mux.HandleFunc(string(stage), s.handle(h))
		}
		if err := srv.Start(mux); err != nil {
			client.Close()
			return fmt.Errorf("start %s workers: %w", c.Name, err)
		}
		running.Go(func() {
			<-ctx.Done()
			srv.Shutdown()
			client.Close()
		})
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-rings.Channel():
			for _, s := range sleepers {
				s.hear(m.Payload)
			}
		}
	}
}

func (s *Servers) config(c Class) asynq.Config {
	return asynq.Config{
		Concurrency:              c.Concurrency,
		Queues:                   c.Queues,
		TaskCheckInterval:        pause,
		DelayedTaskCheckInterval: time.Second,
		RetryDelayFunc:           retryDelay,
		ShutdownTimeout:          s.drain,
		Logger:                   asynqLog{s.log},
		LogLevel:                 asynq.WarnLevel,
		ErrorHandler:             asynq.ErrorHandlerFunc(s.failed),
	}
}

// failed buries a task whose last try failed.
func (s *Servers) failed(ctx context.Context, t *asynq.Task, err error) {
	tries, _ := asynq.GetRetryCount(ctx)
	most, _ := asynq.GetMaxRetry(ctx)
	id, _ := asynq.GetTaskID(ctx)
	if s.bury != nil && (tries >= most || errors.Is(err, asynq.SkipRetry)) {
		s.bury(ctx, id, t.Type())
	}
}

// handle checks the payload and hides a handler's panic from Asynq's log,
// which would print it: a panic message can quote content.
func (s *Servers) handle(h Handler) asynq.HandlerFunc {
	return func(ctx context.Context, t *asynq.Task) (err error) {
		subject, err := ParsePayload(t.Payload())
		if err != nil {
			return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
		}
		defer func() {
			if recover() != nil {
				err = fmt.Errorf("%s %s: %w", t.Type(), subject, ErrPanic)
			}
		}()
		return h(ctx, subject)
	}
}

// ErrPanic is a handler that panicked. What it said is not kept.
var ErrPanic = errors.New("handler panicked")

// retryDelay is 1, 2, 4 … 60 seconds. Asynq's own default starts at 15 s.
func retryDelay(n int, _ error, _ *asynq.Task) time.Duration {
	return min(time.Second<<min(n, 6), time.Minute)
}

// asynqLog sends Asynq's log lines to slog.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug("asynq", "said", fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.log.Info("asynq", "said", fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn("asynq", "said", fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Error("asynq", "said", fmt.Sprint(args...)) }

// Fatal is logged, not obeyed: a library does not end this process.
func (l asynqLog) Fatal(args ...any) { l.log.Error("asynq", "said", fmt.Sprint(args...)) }
