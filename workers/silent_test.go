package workers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
	"nightlight/workers/webhook"
)

// mute is an endpoint whose receiver hangs up on everybody until it answers.
type mute struct {
	store.Endpoint
	answers atomic.Bool
	asked   atomic.Int32
	mu      sync.Mutex
	heard   []string // the ids it answered, in order
}

func (b *bench) mute(t *testing.T) *mute {
	t.Helper()
	m := &mute{}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m.asked.Add(1)
		if !m.answers.Load() {
			panic(http.ErrAbortHandler)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.heard = append(m.heard, r.Header.Get(webhook.HeaderID))
	}))
	t.Cleanup(srv.Close)
	port := netip.MustParseAddrPort(srv.Listener.Addr().String()).Port()
	b.Webhooks = webhook.NewSender(webhook.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{port}, PlainHTTP: true})
	e, err := b.Store.CreateEndpoint(t.Context(), store.Endpoint{Tenant: b.tenant, URL: srv.URL, Secrets: []string{webhook.NewSecret()}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	m.Endpoint = e
	return m
}

// due takes what is due from the outbox and has workers deliver it, until nothing
// more is due, and returns how often a worker was woken.
func (b *bench) due(t *testing.T, workers ...*Worker) (woken int) {
	t.Helper()
	for {
		tasks := b.pending(t)
		if len(tasks) == 0 {
			return woken
		}
		for _, k := range tasks {
			if k.Stage != store.StageDeliver {
				continue
			}
			if err := workers[woken%len(workers)].Deliver(t.Context(), k.Ref); err != nil {
				t.Fatal(err)
			}
			woken++
		}
	}
}

// states counts an endpoint's deliveries.
func (b *bench) states(t *testing.T, e store.Endpoint) map[store.DeliveryState]int {
	t.Helper()
	list, _, err := b.Store.Deliveries(t.Context(), b.tenant, e.ID, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	n := map[store.DeliveryState]int{}
	for _, d := range list {
		n[d.State]++
	}
	return n
}

func TestAnEndpointThatDoesNotAnswerIsTriedEverMoreSeldomAndNothingWaitsForItWithoutEnd(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	m := b.mute(t)
	const n = 12
	b.events(t, n, m.Endpoint)
	second := New(b.Settings) // another process
	began := b.clock()
	hours := func(from, until time.Duration) (tries int32, wakes int) {
		b.pass(from - b.clock().Sub(began))
		asked := m.asked.Load()
		for b.clock().Sub(began) < until {
			wakes += b.due(t, b.Worker, second)
			b.pass(time.Minute)
		}
		return m.asked.Load() - asked, wakes
	}
	if tries, wakes := hours(0, time.Hour); tries < 6 || tries > 9 || wakes > 10*n {
		t.Errorf("got %d tries and %d wake-ups in the first hour, want one try at 0, 1, 3, 7, 15 … minutes and few wake-ups of %d deliveries", tries, wakes, n)
	}
	hours(3*time.Hour, 4*time.Hour)
	if tries, wakes := hours(4*time.Hour, 6*time.Hour); tries < 1 || tries > 3 || wakes > 3*n {
		t.Errorf("got %d tries and %d wake-ups in two hours, want one try an hour, and one wake-up of each of %d deliveries", tries, wakes, n)
	}
	hours(webhook.Lasting()-3*time.Hour, webhook.Lasting()-time.Hour)
	if got := b.states(t, m.Endpoint); got[store.DeliveryPending] != n {
		t.Errorf("got %v an hour before the time that ten tries take, want all on their way still", got)
	}
	hours(webhook.Lasting(), webhook.Lasting()+2*time.Hour)
	if got := b.states(t, m.Endpoint); got[store.DeliveryDead] != n {
		t.Errorf("got %v, want all dead after the time that ten tries take", got)
	}
	if l, err := b.Store.Reconcile(t.Context(), time.Minute); err != nil || l.DeadDeliveries != n {
		t.Errorf("the books: %+v, %v", l, err)
	}
}

func TestWhatWaitedForAnEndpointGoesOutInOrderOnceItAnswers(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	m := b.mute(t)
	const n = broughtForward + 20
	for range n {
		b.events(t, 1, m.Endpoint)
		b.due(t, b.Worker)
		b.pass(3 * time.Minute)
	}
	m.answers.Store(true)
	for minutes := 0; len(m.heard) == 0; minutes++ {
		if minutes > 65 {
			t.Fatal("nobody asks whether it answers again")
		}
		b.due(t, b.Worker)
		b.pass(time.Minute)
	}
	if got := b.states(t, m.Endpoint); got[store.DeliveryPending] > 12 {
		t.Errorf("got %v, want all gone at once but those that failed and wait for their next try", got)
	}
	back := 0
	for i := range m.heard[1:] {
		if m.heard[i+1] < m.heard[i] {
			back++
		}
	}
	if back > 2 { // behind the one that asked, and one that was due by itself
		t.Errorf("got %v, want the oldest first", m.heard)
	}
	if e, err := b.Store.Endpoint(t.Context(), b.tenant, m.ID); err != nil || e.Silent != 0 || !e.RestUntil.IsZero() {
		t.Errorf("got it silent %d times until %s, %v, want it to answer", e.Silent, e.RestUntil, err)
	}
	b.pass(24 * time.Hour)
	if b.due(t, b.Worker); b.states(t, m.Endpoint)[store.DeliveryDone] != n {
		t.Errorf("got %v in the end, want all done", b.states(t, m.Endpoint))
	}
}

func TestWhatIsReplayedToAnEndpointThatRestsIsTriedAtOnce(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	m := b.mute(t)
	ids := b.events(t, 2, m.Endpoint)
	first := b.untilDead(t, ids[0], func(id string) error { return b.Deliver(t.Context(), id) })
	if first != webhook.MaxTries {
		t.Errorf("got %d tries of the only one that was taken up, want %d", first, webhook.MaxTries)
	}
	m.answers.Store(true)
	if err := b.Store.Replay(t.Context(), b.tenant, ids[0], "test"); err != nil {
		t.Fatal(err)
	}
	if err := b.Deliver(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	if d, _ := b.delivery(t, ids[0]); d.State != store.DeliveryDone {
		t.Errorf("got %s, want it done though the endpoint was to rest", d.State)
	}
}
