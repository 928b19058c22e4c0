package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"nightlight/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs a test on redis-server and on the stand-in in memory.
func each(t *testing.T, test func(t *testing.T, r *Redis)) {
	t.Run("redis-server", func(t *testing.T) {
		if _, err := exec.LookPath("redis-server"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("redis-server is missing")
			}
			t.Skip("redis-server is not installed")
		}
		test(t, open(t, ""))
	})
	t.Run("in memory", func(t *testing.T) { test(t, open(t, "memory")) })
}

func open(t *testing.T, uri string) *Redis {
	t.Helper()
	r, err := OpenRedis(t.Context(), uri, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// box is an outbox in memory.
type box struct {
	mu   sync.Mutex
	rows []Outgoing
	sent map[int64]bool
}

func (b *box) TakeOutbox(_ context.Context, limit int) ([]Outgoing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Outgoing
	for _, r := range b.rows {
		if !b.sent[r.ID] && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (b *box) MarkSent(_ context.Context, ids []int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.sent[id] = true
	}
	return nil
}

func (b *box) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.rows) - len(b.sent)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// running starts f and stops it when the test ends.
func running(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestEveryWakeUpInTheOutboxReachesAHandler(t *testing.T) {
	each(t, func(t *testing.T, r *Redis) {
		const n = 450 // more than two rounds of the relay
		b := &box{sent: map[int64]bool{}}
		for i := range n {
			b.rows = append(b.rows, Outgoing{int64(i), Task{Subject: fmt.Sprintf("item-%d", i), Stage: StageJudge, Queue: QueueText}})
		}
		var seen sync.Map
		var count atomic.Int32
		h := func(_ context.Context, id string) error {
			if _, again := seen.LoadOrStore(id, true); !again {
				count.Add(1)
			}
			return nil
		}
		classes, _ := Classes(2, "text")
		running(t, NewServers(r.Opt, classes, map[Stage]Handler{StageJudge: h}, nil, quiet(), 5*time.Second).Run)
		running(t, NewRelay(b, r.Opt, quiet(), 20*time.Millisecond).Run)
		eventually(t, "all handled", func() bool { return count.Load() == n })
		eventually(t, "all marked as sent", func() bool { return b.left() == 0 })
	})
}

// counted is a connection whose clients count their questions for work.
type counted struct {
	asynq.RedisConnOpt
	asked *atomic.Int32
}

func (c counted) MakeRedisClient() any {
	client := dial(c.RedisConnOpt)
	client.AddHook(countHook{c.asked})
	return client
}

type countHook struct{ asked *atomic.Int32 }

func (h countHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h countHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h countHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if asksForWork(cmd) {
			h.asked.Add(1)
		}
		return next(ctx, cmd)
	}
}

func TestAnIdleServerLeavesRedisAloneUntilTheRelayRings(t *testing.T) {
	each(t, func(t *testing.T, r *Redis) {
		var asked atomic.Int32
		handled := make(chan string, 1)
		h := func(_ context.Context, id string) error { handled <- id; return nil }
		classes, _ := Classes(2, "text")
		opt := counted{r.Opt, &asked}
		running(t, NewServers(opt, classes, map[Stage]Handler{StageJudge: h}, nil, quiet(), 5*time.Second).Run)
		eventually(t, "first questions", func() bool { return asked.Load() >= 4 })
		began, before := time.Now(), asked.Load()
		time.Sleep(2 * time.Second)
		rests := int32(time.Since(began)/longestRest) + 2
		if n := asked.Load() - before; n < 4 || n > 2*rests {
			t.Errorf("questions of an idle server: got %d in %v, want at most %d: one for each of two queues a rest", n, time.Since(began), 2*rests)
		}

		b := &box{sent: map[int64]bool{}, rows: []Outgoing{{1, Task{Subject: "a", Stage: StageJudge, Queue: QueueUrgent}}}}
		running(t, NewRelay(b, r.Opt, quiet(), 20*time.Millisecond).Run)
		if got := <-handled; got != "a" {
			t.Errorf("handled: got %q", got)
		}
	})
}

func TestARingIsHeardByTheClassThatServesTheQueue(t *testing.T) {
	ended := make(chan struct{})
	defer close(ended)
	s := newSleeper(map[string]int{QueueUrgent: 9, QueueText: 1}, ended)
	s.hear(QueuePhoto + "," + QueueEffects)
	if len(s.rung) != 0 {
		t.Error("rung for the queues of others")
	}
	s.hear(QueuePhoto + "," + QueueText)
	s.hear(QueueUrgent)
	if len(s.rung) != 1 {
		t.Error("not rung, or a second ring had to wait for the first to be heard")
	}

	asks := redis.NewCmd(t.Context(), "evalsha", "sum", 4, "asynq:{text}:pending", "asynq:{text}:paused", "asynq:{text}:active", "asynq:{text}:lease", 1, "x")
	sent := 0
	process := s.ProcessHook(func(context.Context, redis.Cmder) error { sent++; return redis.Nil })
	s.empty.Store(2)
	if err := process(t.Context(), asks); !errors.Is(err, redis.Nil) || sent != 1 {
		t.Errorf("a question after a ring: got %v, sent %d", err, sent)
	}
	if len(s.rung) != 0 {
		t.Error("a ring that came before the question was not heard")
	}
}

func TestAnEqualWakeUpThatRedisStillHasCountsAsSent(t *testing.T) {
	each(t, func(t *testing.T, r *Redis) {
		task := Task{Subject: "a", Stage: StageJudge, Queue: QueueText}
		b := &box{sent: map[int64]bool{}, rows: []Outgoing{{1, task}, {2, task}}}
		running(t, NewRelay(b, r.Opt, quiet(), 20*time.Millisecond).Run)
		eventually(t, "both marked as sent", func() bool { return b.left() == 0 })
		i := asynq.NewInspector(r.Opt)
		defer i.Close()
		info, err := i.GetQueueInfo(QueueText)
		if err != nil || info.Pending != 1 {
			t.Errorf("pending: got %v, %v; want 1", info, err)
		}
	})
}

func TestALaterSendIsAnotherTaskSoThatAStuckOneCannotSwallowIt(t *testing.T) {
	a, b := Task{Subject: "x", Stage: StageJudge}, Task{Subject: "x", Stage: StageJudge, Sends: 1}
	if a.ID() != "x:judge" || a.ID() == b.ID() {
		t.Errorf("ids: %q and %q", a.ID(), b.ID())
	}
}

func TestAHandlerThatFailsOrPanicsIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, r *Redis) {
		var tries atomic.Int32
		h := func(context.Context, string) error {
			switch tries.Add(1) {
			case 1:
				return errors.New("not now")
			case 2:
				panic("the child wrote: SECRET")
			}
			return nil
		}
		var logged strings.Builder
		var mu sync.Mutex
		log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return logged.Write(p)
		}), nil))
		classes, _ := Classes(2, "text")
		running(t, NewServers(r.Opt, classes, map[Stage]Handler{StageJudge: h}, nil, log, 5*time.Second).Run)
		running(t, NewRelay(&box{sent: map[int64]bool{}, rows: []Outgoing{{1, Task{Subject: "a", Stage: StageJudge, Queue: QueueText}}}}, r.Opt, log, 20*time.Millisecond).Run)
		eventually(t, "a third try", func() bool { return tries.Load() >= 3 })
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(logged.String(), "SECRET") {
			t.Errorf("the panic's words are in the log: %s", logged.String())
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestATaskThatNobodyCanWorkOnIsBuriedWhereItIsNotForgotten(t *testing.T) {
	each(t, func(t *testing.T, r *Redis) {
		buried := make(chan string, 1)
		classes, _ := Classes(2, "text")
		h := func(context.Context, string) error { return fmt.Errorf("never: %w", asynq.SkipRetry) }
		bury := func(_ context.Context, id, stage string) { buried <- id + " " + stage }
		running(t, NewServers(r.Opt, classes, map[Stage]Handler{StageJudge: h}, bury, quiet(), 5*time.Second).Run)
		running(t, NewRelay(&box{sent: map[int64]bool{}, rows: []Outgoing{{1, Task{Subject: "a", Stage: StageJudge, Queue: QueueText}}}}, r.Opt, quiet(), 20*time.Millisecond).Run)
		if got := <-buried; got != "a:judge judge" {
			t.Errorf("buried: got %q", got)
		}
	})
}

func TestShutdownWaitsForTheTaskInHand(t *testing.T) {
	each(t, func(t *testing.T, r *Redis) {
		entered, finished := make(chan struct{}), atomic.Bool{}
		h := func(ctx context.Context, _ string) error {
			close(entered)
			time.Sleep(200 * time.Millisecond)
			finished.Store(true)
			return nil
		}
		classes, _ := Classes(2, "text")
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			done <- NewServers(r.Opt, classes, map[Stage]Handler{StageJudge: h}, nil, quiet(), 10*time.Second).Run(ctx)
		}()
		running(t, NewRelay(&box{sent: map[int64]bool{}, rows: []Outgoing{{1, Task{Subject: "a", Stage: StageJudge, Queue: QueueText}}}}, r.Opt, quiet(), 20*time.Millisecond).Run)
		<-entered
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if !finished.Load() {
			t.Error("the server ended before the task did")
		}
	})
}

func TestAcknowledgedTasksSurviveTheDeathOfRedis(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is missing")
		}
		t.Skip("redis-server is not installed")
	}
	dir := t.TempDir()
	first, err := OpenRedis(t.Context(), "", dir)
	if err != nil {
		t.Fatal(err)
	}
	relay := NewRelay(&box{sent: map[int64]bool{}}, first.Opt, quiet(), time.Hour)
	for i := range 200 {
		if err := relay.send(t.Context(), Task{Subject: fmt.Sprint("i", i), Stage: StageJudge, Queue: QueueText}); err != nil {
			t.Fatal(err)
		}
	}
	relay.redis.Close()
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := OpenRedis(t.Context(), "", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	i := asynq.NewInspector(second.Opt)
	defer i.Close()
	info, err := i.GetQueueInfo(QueueText)
	if err != nil || info.Pending != 200 {
		t.Errorf("after the restart: got %+v, %v; want 200 pending", info, err)
	}
}

func TestRedisHoldsOnlyIds(t *testing.T) {
	each(t, func(t *testing.T, r *Redis) {
		relay := NewRelay(&box{sent: map[int64]bool{}}, r.Opt, quiet(), time.Hour)
		defer relay.redis.Close()
		if err := relay.send(t.Context(), Task{Subject: "the-id", Stage: StageJudge, Queue: QueueText}); err != nil {
			t.Fatal(err)
		}
		opt := r.Opt.(asynq.RedisClientOpt)
		c := redis.NewClient(&redis.Options{Addr: opt.Addr, Password: opt.Password})
		defer c.Close()
		got, err := c.HGet(t.Context(), "asynq:{text}:t:the-id:judge", "msg").Result()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, "the-id") || len(got) > 200 {
			t.Errorf("the message in Redis has %d bytes, want an id and little else", len(got))
		}
	})
}

func TestEachKindHasAQueueThatSomeClassServes(t *testing.T) {
	classes, err := Classes(2)
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, c := range classes {
		for q := range c.Queues {
			served[q] = true
		}
	}
	for _, k := range pipeline.Kinds {
		if !served[QueueFor(k, pipeline.Person{}, nil)] {
			t.Errorf("nobody serves %s", k)
		}
	}
	for _, q := range Queues {
		if !served[q] {
			t.Errorf("nobody serves queue %s", q)
		}
	}
	if _, err := Classes(2, "vidoe"); err == nil {
		t.Error("a misspelt class is taken")
	}
}

func TestAGuardianIsToldWhileWhatIsLessUrgentHangs(t *testing.T) {
	for name, tt := range map[string]struct{ hangs, told Task }{
		"every webhook": {Task{Subject: "hook", Stage: StageWebhook, Queue: QueueEffects}, Task{Subject: "notice", Stage: StageNotice, Queue: QueueNotices}},
		"every letter that can wait": {Task{Subject: "routine", Stage: StageNotice, Queue: QueueNotices},
			Task{Subject: "notice", Stage: StageNotice, Queue: QueueUrgentNotices}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *Redis) {
				classes, err := Classes(2, "effects")
				if err != nil {
					t.Fatal(err)
				}
				hung, told := make(chan struct{}), make(chan string, 1)
				defer close(hung) // before the servers drain
				handle := func(_ context.Context, id string) error {
					if id == tt.told.Subject {
						told <- id
						return nil
					}
					<-hung
					return nil
				}
				b := &box{sent: map[int64]bool{}}
				for i := range 100 { // more than all workers of the class
					hangs := tt.hangs
					hangs.Subject = fmt.Sprintf("%s-%d", hangs.Subject, i)
					b.rows = append(b.rows, Outgoing{int64(i), hangs})
				}
				b.rows = append(b.rows, Outgoing{100, tt.told})
				running(t, NewServers(r.Opt, classes, map[Stage]Handler{StageWebhook: handle, StageNotice: handle}, nil, quiet(), 5*time.Second).Run)
				running(t, NewRelay(b, r.Opt, quiet(), 20*time.Millisecond).Run)
				select {
				case <-told:
				case <-time.After(20 * time.Second):
					t.Error("the notice waits for them")
				}
			})
		})
	}
}

func TestAnAdultsMessageToAChildComesFirst(t *testing.T) {
	of := func(age int) pipeline.Person { return pipeline.Person{ID: "p", Age: &age} }
	unknown := pipeline.Person{ID: "p"}
	tests := []struct {
		name     string
		kind     pipeline.Kind
		from, to pipeline.Person
		want     string
	}{
		{"an adult to a child", pipeline.KindMessage, of(40), of(9), QueueUrgent},
		{"somebody of unknown age to a child", pipeline.KindMessage, unknown, of(9), QueueUrgent},
		{"nobody's age is known", pipeline.KindMessage, unknown, unknown, QueueUrgent},
		{"a child to a child", pipeline.KindMessage, of(9), of(9), QueueText},
		{"an adult to an adult", pipeline.KindMessage, of(40), of(40), QueueText},
		{"a photo has its own queue", pipeline.KindPhoto, of(40), of(9), QueuePhoto},
	}
	for _, tt := range tests {
		if got := QueueFor(tt.kind, tt.from, []pipeline.Person{tt.to}); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func FuzzParsePayload(f *testing.F) {
	f.Add([]byte("01J-abc_9"))
	f.Add([]byte(""))
	f.Add([]byte("a b"))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := ParsePayload(b)
		if err != nil {
			if id != "" {
				t.Errorf("an error with id %q", id)
			}
			return
		}
		if id != string(b) || len(id) > maxID || strings.ContainsAny(id, " \n/:'\"\\") {
			t.Errorf("%q passes as an id", id)
		}
	})
}
