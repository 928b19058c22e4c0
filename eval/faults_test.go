package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"nightlight/api/client"
	"nightlight/eval/samples"
	"nightlight/pipeline"
	"nightlight/pipeline/rules"
	"nightlight/queue"
)

// number reads a size from the environment, so that one test serves CI and a
// long run: NIGHTLIGHT_FAULT_ITEMS=2000 NIGHTLIGHT_FAULT_KILLS=50.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// receiver counts webhooks by item and by id. The first try of one delivery in
// twenty fails, so that retries happen.
type receiver struct {
	refused map[string]bool
	addr    string
	mu      sync.Mutex
	byItem  map[string]map[string]int // item → delivery id → deliveries taken
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{addr: l.Addr().String(), byItem: map[string]map[string]int{}, refused: map[string]bool{}}
	srv := &http.Server{Handler: r}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	if r.firstFails(req.Header.Get("webhook-id")) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var e struct {
		Type string `json:"type"`
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &e) != nil || e.Data.ID == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byItem[e.Data.ID] == nil {
		r.byItem[e.Data.ID] = map[string]int{}
	}
	r.byItem[e.Data.ID][req.Header.Get("webhook-id")]++
}

func (r *receiver) firstFails(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused[id] || rand.IntN(20) != 0 {
		return false
	}
	r.refused[id] = true
	return true
}

// cluster is an API process and workers of their own, which a test may kill.
type cluster struct {
	*system
	hooks   *receiver
	workers []*process
}

func newCluster(t *testing.T, b backends, workers int) *cluster {
	t.Helper()
	need(t, "redis-server", onPath("redis-server"))
	c := &cluster{system: newSystem(t, b), hooks: startReceiver(t)}
	r, err := queue.OpenRedis(t.Context(), "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	c.redis = r
	opt := r.Opt.(asynq.RedisClientOpt)
	_, port, _ := net.SplitHostPort(c.hooks.addr)
	c.flags = append(c.flags, "--redis", fmt.Sprintf("redis://:%s@%s/0", opt.Password, opt.Addr),
		"--webhook-allow", "127.0.0.0/8", "--webhook-ports", port, "--webhook-plain")
	p := start(t, c.log, nil, append([]string{"api", "--listen", "127.0.0.1:0"}, c.flags...)...)
	c.ready(t, p)
	c.subscribe(t)
	for range workers {
		c.workers = append(c.workers, c.startWorker(t))
	}
	return c
}

// subscribe has the receiver told of every item's verdict.
func (c *cluster) subscribe(t *testing.T) {
	t.Helper()
	body := fmt.Sprintf(`{"url":"http://%s/hook","events":["item.judged","item.quarantined"]}`, c.hooks.addr)
	req, err := http.NewRequest(http.MethodPost, c.url+"/v1/webhooks", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		said, _ := io.ReadAll(resp.Body)
		t.Fatalf("subscribe: status %d: %s", resp.StatusCode, said)
	}
}

func (c *cluster) startWorker(t *testing.T) *process {
	return start(t, c.log, nil, append([]string{"work", "--listen", "127.0.0.1:0"}, c.flags...)...)
}

// send posts n mixed items, ten at a time, and returns their ids.
func (c *cluster) send(t *testing.T, n int) []string {
	t.Helper()
	ids := make([]string, n)
	var wg sync.WaitGroup
	next := make(chan int)
	photo := photoFile(t)
	for range 10 {
		wg.Go(func() {
			for i := range next {
				it := mixed(i)
				var a client.Status
				var err error
				if it.Kind == pipeline.KindPhoto {
					a, err = c.client.SubmitMedia(context.Background(), it, bytes.NewReader(photo), 0)
				} else {
					a, err = c.client.Submit(context.Background(), it, 0)
				}
				if err != nil {
					t.Errorf("item %d: %v", i, err)
					continue
				}
				ids[i] = a.ID
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return ids
}

// mixed is mostly messages, some of them urgent, and a tenth photos.
func mixed(i int) client.Item {
	it := message(fmt.Sprintf("practice is at %d today, bring water", 3+i%5))
	it.ExternalID = fmt.Sprintf("mixed-%d", i)
	it.ConversationID = fmt.Sprintf("c-%d", i%37)
	switch i % 10 {
	case 3:
		it.Text = rules.TestPhrase(pipeline.SelfharmExpressed, "en")
	case 7:
		it.Kind, it.Text = pipeline.KindPhoto, ""
	}
	return it
}

func photoFile(t *testing.T) []byte {
	t.Helper()
	for _, s := range samples.All(t.Context()) {
		if s.ContentType == "image/jpeg" && s.State == client.Closed {
			return s.File
		}
	}
	t.Fatal("no plain photo among the samples")
	return nil
}

// endedOnce checks that every item has its verdict, that the books balance
// and that the receiver heard of each item by one delivery only.
func (c *cluster) endedOnce(t *testing.T, ids []string) {
	t.Helper()
	c.settled(t, ids, 5*time.Minute)
	heard := func() int {
		c.hooks.mu.Lock()
		defer c.hooks.mu.Unlock()
		return len(c.hooks.byItem)
	}
	deadline := time.Now().Add(3 * time.Minute)
	for heard() < len(ids) && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	c.hooks.mu.Lock()
	defer c.hooks.mu.Unlock()
	untold, twice := 0, 0
	for _, id := range ids {
		switch n := len(c.hooks.byItem[id]); {
		case n == 0:
			untold++
		case n > 1:
			twice++
		}
	}
	if twice > 0 || untold > 0 {
		t.Errorf("of %d items %d were told of twice and %d not yet", len(ids), twice, untold)
	}
	c.reconciled(t, len(ids))
}

func TestWorkersThatAreKilledLoseNothingAndDoNothingTwice(t *testing.T) {
	items, kills := number("NIGHTLIGHT_FAULT_ITEMS", 200), number("NIGHTLIGHT_FAULT_KILLS", 6)
	for _, b := range []backends{{name: "SQLite", database: "sqlite"}, {name: "PostgreSQL", database: "postgres"}} {
		t.Run(b.name, func(t *testing.T) {
			c := newCluster(t, b, 2)
			stop, stopped := make(chan struct{}), make(chan int, 1)
			go func() {
				killed := 0
				defer func() { stopped <- killed }()
				for killed < kills {
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(400+rand.IntN(1200)) * time.Millisecond):
					}
					i := rand.IntN(len(c.workers))
					c.workers[i].kill()
					killed++
					c.workers[i] = c.startWorker(t)
				}
			}()
			ids := c.send(t, items)
			for len(stopped) == 0 { // keep work in hand until every kill has been
				ids = append(ids, c.sendMore(t, len(ids), 20)...)
			}
			if got := <-stopped; got != kills {
				t.Errorf("kills: got %d, want %d", got, kills)
			}
			t.Logf("%d items, %d kills", len(ids), kills)
			c.endedOnce(t, ids)
		})
	}
}

// sendMore sends n further messages, numbered from first.
func (c *cluster) sendMore(t *testing.T, first, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		it := message("one more while workers die")
		it.ExternalID = fmt.Sprintf("more-%d", first+i)
		a, err := c.client.Submit(t.Context(), it, 0)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID)
	}
	return ids
}

func TestAnUrgentItemRunsAgainSoonAfterItsWorkerDied(t *testing.T) {
	c := newCluster(t, backends{database: "sqlite"}, 1)
	ids := c.send(t, 40)
	c.workers[0].kill()
	died := time.Now()
	c.workers[0] = c.startWorker(t)
	c.settled(t, ids, time.Minute)
	took := time.Since(died)
	t.Logf("the last item ended %v after its worker died", took.Round(time.Millisecond))
	if took > time.Minute {
		t.Errorf("the last item ended %v after its worker died, bare Asynq needs 66 s", took)
	}
	c.endedOnce(t, ids)
}

func TestRedisMayBeWipedAtAnyTime(t *testing.T) {
	c := newCluster(t, backends{database: "sqlite"}, 1)
	opt := c.redis.Opt.(asynq.RedisClientOpt)
	db := redis.NewClient(&redis.Options{Addr: opt.Addr, Password: opt.Password})
	defer db.Close()
	wiped := make(chan struct{})
	go func() {
		defer close(wiped)
		for range 5 {
			time.Sleep(300 * time.Millisecond)
			if err := db.FlushAll(context.Background()).Err(); err != nil {
				t.Error(err)
			}
		}
	}()
	ids := c.send(t, number("NIGHTLIGHT_FAULT_ITEMS", 150))
	<-wiped
	c.endedOnce(t, ids)
}

func TestSIGTERMDrainsAndLosesNothing(t *testing.T) {
	c := newCluster(t, backends{database: "sqlite"}, 1)
	ids := c.send(t, 60)
	c.workers[0].stop(t)
	if code := c.workers[0].cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code on SIGTERM: got %d, want 0", code)
	}
	c.workers[0] = c.startWorker(t)
	c.endedOnce(t, ids)
}

func TestNothingIsLeftInTheTemporaryFolder(t *testing.T) {
	tmp := t.TempDir()
	s := newSystem(t, backends{redis: "memory"})
	p := start(t, s.log, []string{"TMPDIR=" + tmp}, append([]string{"up", "--listen", "127.0.0.1:0", "--redis", "memory"}, s.flags...)...)
	s.ready(t, p)
	for _, sample := range samples.All(t.Context()) {
		if sample.Missing == "" {
			if _, err := samples.Send(t.Context(), s.client, sample); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.stop(t)
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
