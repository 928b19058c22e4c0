package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Asynq looks for work by asking Redis again and again; how often bounds how
// soon an idle server sees a message. Here the relay rings a bell, a message of
// Redis' publish and subscribe, and an idle server's next question waits for
// it. A ring that is lost costs longestRest and nothing else.
const (
	bellChannel = "nightlight:bell" // carries the names of queues, by commas
	// longestRest is how long an idle server leaves Redis alone: what comes by
	// another way than the relay (a try again, a queue taken up after a pause)
	// waits that long at most.
	longestRest = 250 * time.Millisecond
	// pause is what Asynq itself waits between two questions of a server that
	// found nothing; the bell does the rest.
	pause = time.Millisecond
)

// dial makes the client of a connection's settings. Like asynq.NewClient it
// panics on settings that give none, which OpenRedis never returns.
func dial(opt asynq.RedisConnOpt) redis.UniversalClient {
	c, ok := opt.MakeRedisClient().(redis.UniversalClient)
	if !ok {
		panic(fmt.Sprintf("queue: redis settings of type %T give no client", opt))
	}
	return c
}

// ring tells whoever listens that there is work in the queues. That it failed
// is no error: if Redis is away, the next wake-up says so.
func ring(ctx context.Context, c redis.UniversalClient, queues ...string) {
	c.Publish(ctx, bellChannel, strings.Join(queues, ","))
}

// sleeper is the hook on one class's client that lets its questions wait.
type sleeper struct {
	queues map[string]int
	rung   chan struct{} // of one place: a bell that rings while nobody waits is not lost
	ended  <-chan struct{}
	empty  atomic.Int32 // queues found empty one after the other
}

func newSleeper(queues map[string]int, ended <-chan struct{}) *sleeper {
	return &sleeper{queues: queues, rung: make(chan struct{}, 1), ended: ended}
}

// hear passes on a ring that names one of the class's queues.
func (s *sleeper) hear(names string) {
	for name := range strings.SplitSeq(names, ",") {
		if _, mine := s.queues[name]; mine {
			select {
			case s.rung <- struct{}{}:
			default:
			}
			return
		}
	}
}

// DialHook is part of redis.Hook.
func (s *sleeper) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook is part of redis.Hook.
func (s *sleeper) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook holds a question for work back while all queues of the class were
// empty the last time and nobody has rung.
func (s *sleeper) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !asksForWork(cmd) {
			return next(ctx, cmd)
		}
		if int(s.empty.Load()) >= len(s.queues) {
			rest := time.NewTimer(longestRest)
			select {
			case <-s.rung:
			case <-rest.C:
			case <-s.ended:
			}
			rest.Stop()
			s.empty.Store(0)
		}
		err := next(ctx, cmd)
		if errors.Is(err, redis.Nil) {
			s.empty.Add(1)
		} else {
			s.empty.Store(0)
		}
		return err
	}
}

// asksForWork knows Asynq's dequeue by its keys: a script on a queue's pending,
// paused, active and lease keys. Were it not known any more, servers would ask
// every pause: much work for Redis, and nothing lost.
func asksForWork(cmd redis.Cmder) bool {
	name, args := cmd.Name(), cmd.Args()
	if name != "evalsha" && name != "eval" || len(args) < 7 {
		return false
	}
	for i, end := range []string{":pending", ":paused", ":active", ":lease"} {
		key, ok := args[3+i].(string)
		if !ok || !strings.HasSuffix(key, end) {
			return false
		}
	}
	return true
}
