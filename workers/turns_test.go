package workers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
	"nightlight/workers/webhook"
)

// hangs is an endpoint whose receiver answers nobody until the test lets it,
// beside one that answers at once.
type hangs struct {
	slow, quick store.Endpoint
	taken       atomic.Int32 // tries that hang
	heard       atomic.Int32 // deliveries that the quick one took
	free        func()
}

func (b *bench) hangs(t *testing.T) *hangs {
	t.Helper()
	h := &hangs{}
	gate := make(chan struct{})
	h.free = sync.OnceFunc(func() { close(gate) })
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { h.taken.Add(1); <-gate }))
	t.Cleanup(slow.Close)
	quick := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { h.heard.Add(1) }))
	t.Cleanup(quick.Close)
	t.Cleanup(h.free) // before the servers close
	rules := webhook.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, PlainHTTP: true}
	for _, s := range []struct {
		srv *httptest.Server
		to  *store.Endpoint
	}{{slow, &h.slow}, {quick, &h.quick}} {
		rules.Ports = append(rules.Ports, netip.MustParseAddrPort(s.srv.Listener.Addr().String()).Port())
		e, err := b.Store.CreateEndpoint(t.Context(), store.Endpoint{Tenant: b.tenant, URL: s.srv.URL, Secrets: []string{webhook.NewSecret()}}, "test")
		if err != nil {
			t.Fatal(err)
		}
		*s.to = e
	}
	b.Webhooks = webhook.NewSender(rules)
	return h
}

// events has n items judged and returns the deliveries of their events to e.
func (b *bench) events(t *testing.T, n int, e store.Endpoint) (ids []string) {
	t.Helper()
	for range n {
		if err := b.Judge(t.Context(), b.accept(t, pipeline.Item{})); err != nil {
			t.Fatal(err)
		}
	}
	list, _, err := b.Store.Deliveries(t.Context(), b.tenant, e.ID, "", "", n)
	if err != nil || len(list) != n {
		t.Fatalf("got %d deliveries, %v, want %d", len(list), err, n)
	}
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	return ids
}

// pending takes all tasks from the outbox, as a relay does.
func (b *bench) pending(t *testing.T) []store.Task {
	t.Helper()
	tasks, err := b.Store.PendingTasks(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var sent []int64
	for _, k := range tasks {
		sent = append(sent, k.ID)
	}
	if err := b.Store.MarkSent(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	return tasks
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestAReceiverThatHangsTakesAFewWorkersAndWhatWaitsForItIsNoAttempt(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	h := b.hangs(t)
	const more = 12
	ids := b.events(t, triesAtOnce+more, h.slow)
	var busy sync.WaitGroup
	for _, id := range ids[:triesAtOnce] {
		busy.Go(func() {
			if err := b.Deliver(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "the workers it may have hang", func() bool { return h.taken.Load() == triesAtOnce })
	for _, id := range ids[triesAtOnce:] {
		if err := b.Deliver(t.Context(), id); err != nil { // would hang too
			t.Fatal(err)
		}
		if d, tries := b.delivery(t, id); d.State != store.DeliveryPending || d.Attempts != 0 || len(tries) != 0 {
			t.Fatalf("got %s with %d tries, want it pending without any", d.State, d.Attempts)
		}
	}
	list, _, err := b.Store.Deliveries(t.Context(), b.tenant, h.quick.ID, "", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Deliver(t.Context(), list[0].ID); err != nil || h.heard.Load() != 1 {
		t.Errorf("the other endpoint heard of %d, %v, want 1", h.heard.Load(), err)
	}

	h.free()
	busy.Wait()
	for _, id := range ids {
		if d, _ := b.delivery(t, id); d.State != store.DeliveryDone || d.Attempts != 1 {
			t.Errorf("got %s after %d tries, want all in line done by those who were there, with one try each", d.State, d.Attempts)
		}
	}
	if n := h.taken.Load(); n != triesAtOnce+more {
		t.Errorf("got %d requests, want %d", n, triesAtOnce+more)
	}
	if len(b.turns.lines) != 0 {
		t.Errorf("got %d lines kept for nobody", len(b.turns.lines))
	}
}

func TestWhatWaitsForADrainingWorkerIsSentAgainAtOnce(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	h := b.hangs(t)
	ids := b.events(t, triesAtOnce+1, h.slow)
	b.pending(t) // they are on their way
	var busy sync.WaitGroup
	for _, id := range ids[:triesAtOnce] {
		busy.Go(func() { _ = b.Deliver(t.Context(), id) })
	}
	eventually(t, "the workers it may have hang", func() bool { return h.taken.Load() == triesAtOnce })
	last := ids[triesAtOnce]
	if err := b.Deliver(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	b.Drain()
	h.free()
	busy.Wait()
	if d, _ := b.delivery(t, last); d.Attempts != 0 {
		t.Fatalf("got %d tries, want none by a worker that stops", d.Attempts)
	}
	if !slices.ContainsFunc(b.pending(t), func(k store.Task) bool { return k.Ref == last }) {
		t.Error("got it not sent again")
	}
	if err := New(b.Settings).Deliver(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if d, _ := b.delivery(t, last); d.State != store.DeliveryDone || d.Attempts != 1 {
		t.Errorf("got %s after %d tries, want another worker's one", d.State, d.Attempts)
	}
}

func TestWhatIsLetGoFromALineIsDueAgainInAMinuteAndWasNotTried(t *testing.T) {
	for name, tt := range map[string]struct{ before, after func(l *line) }{
		"because it waited too long": {
			func(*line) {},
			func(l *line) { l.waiting[0].until = time.Now().Add(-time.Second) },
		},
		"because the line was full": {
			func(l *line) { l.waiting = slices.Repeat([]turn{{until: time.Now().Add(time.Hour)}}, longestLine) },
			func(l *line) { l.waiting = nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, says(pipeline.SexualText, .01))
			h := b.hangs(t)
			ids := b.events(t, triesAtOnce+1, h.slow)
			last := ids[triesAtOnce]
			b.pending(t) // they are on their way
			inLine := func(f func(l *line)) {
				b.turns.mu.Lock()
				defer b.turns.mu.Unlock()
				f(b.turns.lines[h.slow.ID])
			}
			var busy sync.WaitGroup
			for _, id := range ids[:triesAtOnce] {
				busy.Go(func() { _ = b.Deliver(t.Context(), id) })
			}
			eventually(t, "the workers it may have hang", func() bool { return h.taken.Load() == triesAtOnce })
			inLine(tt.before)
			if err := b.Deliver(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			inLine(tt.after)
			h.free()
			busy.Wait()
			d, _ := b.delivery(t, last)
			if due := d.DueAt.Sub(b.clock()); d.State != store.DeliveryPending || d.Attempts != 0 || due != time.Minute {
				t.Fatalf("got %s after %d tries, due in %v, want it untried and due in a minute", d.State, d.Attempts, due)
			}
			sent := func() bool {
				if _, err := b.Store.Sweep(t.Context(), b.SentFor); err != nil {
					t.Fatal(err)
				}
				return slices.ContainsFunc(b.pending(t), func(k store.Task) bool { return k.Ref == last })
			}
			b.pass(59 * time.Second)
			if sent() {
				t.Error("got it sent again before it is due")
			}
			b.pass(time.Second)
			if !sent() {
				t.Error("got it not sent again when it is due")
			}
			if err := b.Deliver(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			if d, _ := b.delivery(t, last); d.State != store.DeliveryDone || d.Attempts != 1 {
				t.Errorf("got %s after %d tries, want it done by one", d.State, d.Attempts)
			}
			if len(b.turns.lines) != 0 {
				t.Errorf("got %d lines kept for nobody", len(b.turns.lines))
			}
		})
	}
}

func TestAnEndpointInTurn(t *testing.T) {
	now := time.Now()
	in := func(d time.Duration) turn { return turn{&store.DeliveryLease{}, now.Add(d)} }
	enter := func(t *testing.T, q *turns, n int) (places []*place) {
		for range n {
			p := q.enter("e", in(time.Minute))
			if p == nil {
				t.Fatalf("got %d places, want %d", len(places), n)
			}
			places = append(places, p)
		}
		return places
	}
	t.Run("that did not answer gets one try at a time until it does", func(t *testing.T) {
		q := &turns{}
		places := enter(t, q, 3)
		places[0].heard(false)
		waits := in(time.Minute)
		if q.enter("e", waits) != nil {
			t.Error("got a place beside three others")
		}
		for _, p := range places[:2] {
			if p.next(now) != nil {
				t.Error("got another try beside others")
			}
		}
		if places[2].next(now) != waits.lease {
			t.Error("got not the one in line by the last who is there")
		}
		places[2].leave()
		alone := enter(t, q, 1)[0]
		if q.enter("e", in(time.Minute)) != nil {
			t.Error("got two tries at once, want one: it is silent still")
		}
		alone.heard(true)
		enter(t, q, triesAtOnce-1)
	})
	t.Run("lets go of what waited too long for its lease", func(t *testing.T) {
		q := &turns{}
		p := enter(t, q, triesAtOnce)[0]
		late, good := in(-time.Second), in(time.Second)
		q.enter("e", late)
		q.enter("e", good)
		if p.next(now) != good.lease {
			t.Error("got one whose lease may end during the try")
		}
		if got := q.letGo("e"); !slices.Equal(got, []*store.DeliveryLease{late.lease}) || q.letGo("e") != nil {
			t.Errorf("got %d let go, want that one, once", len(got))
		}
	})
	t.Run("lets go of all that wait when nobody is there any more", func(t *testing.T) {
		q := &turns{}
		places := enter(t, q, triesAtOnce)
		waits := in(time.Minute)
		q.enter("e", waits)
		for i, p := range places {
			if got := q.letGo("e"); len(got) != 0 {
				t.Errorf("got %d let go while %d are there", len(got), len(places)-i)
			}
			p.leave()
		}
		if got := q.letGo("e"); !slices.Equal(got, []*store.DeliveryLease{waits.lease}) {
			t.Errorf("got %d let go, want the one in line", len(got))
		}
		if len(q.lines) != 0 {
			t.Error("got a line kept for nobody")
		}
	})
	t.Run("has a line of bounded length", func(t *testing.T) {
		q := &turns{}
		enter(t, q, triesAtOnce)
		for range longestLine + 10 {
			q.enter("e", in(time.Minute))
		}
		if n := len(q.lines["e"].waiting); n != longestLine {
			t.Errorf("got %d in line, want %d", n, longestLine)
		}
		if n := len(q.letGo("e")); n != 10 {
			t.Errorf("got %d let go, want the 10 who found it full", n)
		}
	})
}
