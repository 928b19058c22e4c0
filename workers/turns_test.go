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

// hangs is an endpoint whose receiver answers nobody until the test lets one or
// all go, beside one that answers at once.
type hangs struct {
	slow, quick store.Endpoint
	taken       atomic.Int32 // tries that hang
	heard       atomic.Int32 // deliveries that the quick one took
	one, free   func()
}

func (b *bench) hangs(t *testing.T) *hangs {
	t.Helper()
	h := &hangs{}
	gate := make(chan struct{})
	h.one = func() { gate <- struct{}{} }
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
	if len(b.turns.crowds) != 0 {
		t.Errorf("got %d crowds kept for nobody", len(b.turns.crowds))
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
	for name, tt := range map[string]struct {
		before, after func(l *line[*store.DeliveryLease])
		next          bool // one that was there is done
	}{
		"because it waited too long": {
			func(*line[*store.DeliveryLease]) {},
			func(l *line[*store.DeliveryLease]) { l.waiting[0].until = time.Now().Add(-time.Second) }, true,
		},
		"because the line was full": {
			func(l *line[*store.DeliveryLease]) {
				l.waiting = slices.Repeat([]turn[*store.DeliveryLease]{{until: time.Now().Add(time.Hour)}}, longestLine)
			},
			func(l *line[*store.DeliveryLease]) { l.waiting = nil }, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, says(pipeline.SexualText, .01))
			h := b.hangs(t)
			ids := b.events(t, triesAtOnce+1, h.slow)
			last := ids[triesAtOnce]
			b.pending(t) // they are on their way
			inLine := func(f func(l *line[*store.DeliveryLease])) {
				b.turns.mu.Lock()
				defer b.turns.mu.Unlock()
				f(b.turns.crowds[b.tenant].lines[h.slow.ID])
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
			if tt.next {
				h.one()
			}
			eventually(t, "it is put off", func() bool {
				d, _ := b.delivery(t, last)
				return d.DueAt.Equal(b.clock().Add(time.Minute))
			})
			if d, _ := b.delivery(t, last); d.State != store.DeliveryPending || d.Attempts != 0 {
				t.Fatalf("got %s after %d tries, want it untried", d.State, d.Attempts)
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
			h.free()
			busy.Wait()
			if err := b.Deliver(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			if d, _ := b.delivery(t, last); d.State != store.DeliveryDone || d.Attempts != 1 {
				t.Errorf("got %s after %d tries, want it done by one", d.State, d.Attempts)
			}
			if len(b.turns.crowds) != 0 {
				t.Errorf("got %d crowds kept for nobody", len(b.turns.crowds))
			}
		})
	}
}

func TestATenantWhoseEndpointsAllHangLeavesWorkersToOthers(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	h := b.hangs(t)
	for range 3 {
		if _, err := b.Store.CreateEndpoint(t.Context(), store.Endpoint{Tenant: b.tenant, URL: h.slow.URL, Secrets: []string{webhook.NewSecret()}}, "test"); err != nil {
			t.Fatal(err)
		}
	}
	b.events(t, 12, h.quick)
	due, err := b.Store.DueDeliveries(t.Context(), 100)
	if err != nil || len(due) != 60 {
		t.Fatalf("got %d due, %v, want those of five endpoints", len(due), err)
	}
	own := map[string]bool{}
	list, _, err := b.Store.Deliveries(t.Context(), b.tenant, h.quick.ID, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		own[d.ID] = true
	}
	var busy sync.WaitGroup
	deliver := func(quick bool) {
		for _, id := range due {
			if own[id] == quick {
				busy.Go(func() {
					if err := b.Deliver(t.Context(), id); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	deliver(false)
	eventually(t, "the workers it may have hang", func() bool { return h.taken.Load() == triesTogether })
	deliver(true)
	time.Sleep(50 * time.Millisecond)
	if n := h.taken.Load(); n != triesTogether || h.heard.Load() != 0 {
		t.Errorf("got %d tries under way and %d heard, want %d: a tenant has no more", n, h.heard.Load(), triesTogether)
	}

	tenant := b.tenant
	other, err := b.Store.CreateTenant(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	b.tenant = other.ID
	e, err := b.Store.CreateEndpoint(t.Context(), store.Endpoint{Tenant: b.tenant, URL: h.quick.URL, Secrets: []string{webhook.NewSecret()}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Deliver(t.Context(), b.judged(t, e)); err != nil || h.heard.Load() != 1 {
		t.Errorf("another tenant's endpoint heard of %d, %v, want 1", h.heard.Load(), err)
	}
	b.tenant = tenant

	h.one()
	eventually(t, "its endpoint that answers gets the turn that one gave back, before those that have some", func() bool { return h.heard.Load() == 13 })
	h.free()
	busy.Wait()
	if due, err := b.Store.DueDeliveries(t.Context(), 100); err != nil || len(due) != 0 {
		t.Errorf("got %d still due, %v, want all done by those who were there", len(due), err)
	}
	if len(b.turns.crowds) != 0 {
		t.Errorf("got %d crowds kept for nobody", len(b.turns.crowds))
	}
}

func TestAReceiverInTurn(t *testing.T) {
	now := time.Now()
	n := 0
	in := func(d time.Duration) turn[int] { n++; return turn[int]{n, now.Add(d)} }
	enter := func(t *testing.T, q *turns[int], receiver string, n int) (places []*place[int]) {
		t.Helper()
		for range n {
			p := q.enter("t", receiver, in(time.Minute))
			if p == nil {
				t.Fatalf("got %d places, want %d", len(places), n)
			}
			places = append(places, p)
		}
		return places
	}
	next := func(t *testing.T, p *place[int], want turn[int], at string) {
		t.Helper()
		if got, ok := p.next(now); !ok || got != want.what || p.receiver != at {
			t.Errorf("got %d at %s, %t, want %d at %s", got, p.receiver, ok, want.what, at)
		}
	}
	t.Run("that falls silent has nobody wait for it", func(t *testing.T) {
		q := &turns[int]{}
		places := enter(t, q, "e", triesAtOnce)
		waits, other := in(time.Minute), in(time.Minute)
		q.enter("t", "e", waits)
		enter(t, q, "f", triesAtOnce-1)
		enter(t, q, "g", 1)
		q.enter("t", "f", other)
		places[0].silent()
		if got := q.letGo("t"); !slices.Equal(got, []int{waits.what}) {
			t.Errorf("got %v let go, want the one in its line alone", got)
		}
		next(t, places[0], other, "f")
	})
	t.Run("lets go of what waited too long for its lease", func(t *testing.T) {
		q := &turns[int]{}
		p := enter(t, q, "e", triesAtOnce)[0]
		late, good := in(-time.Second), in(time.Second)
		q.enter("t", "e", late)
		q.enter("t", "e", good)
		next(t, p, good, "e")
		if got := q.letGo("t"); !slices.Equal(got, []int{late.what}) || q.letGo("t") != nil {
			t.Errorf("got %v let go, want that one, once", got)
		}
	})
	t.Run("lets go of all that wait when nobody of the tenant is there any more", func(t *testing.T) {
		q := &turns[int]{}
		places := append(enter(t, q, "e", triesAtOnce), enter(t, q, "f", triesAtOnce)...)
		here, there := in(time.Minute), in(time.Minute)
		q.enter("t", "e", here)
		q.enter("t", "g", there)
		for i, p := range places {
			if got := q.letGo("t"); len(got) != 0 {
				t.Errorf("got %d let go while %d are there", len(got), len(places)-i)
			}
			p.leave()
		}
		got := q.letGo("t")
		if slices.Sort(got); !slices.Equal(got, []int{here.what, there.what}) {
			t.Errorf("got %v let go, want those in both lines", got)
		}
		if len(q.crowds) != 0 {
			t.Error("got a crowd kept for nobody")
		}
	})
	t.Run("has a line of bounded length", func(t *testing.T) {
		q := &turns[int]{}
		enter(t, q, "e", triesAtOnce)
		for range longestLine + 10 {
			q.enter("t", "e", in(time.Minute))
		}
		if n := len(q.crowds["t"].lines["e"].waiting); n != longestLine {
			t.Errorf("got %d in line, want %d", n, longestLine)
		}
		if n := len(q.letGo("t")); n != 10 {
			t.Errorf("got %d let go, want the 10 who found it full", n)
		}
	})
	t.Run("shares its tenant's turns with the tenant's others and with nobody else", func(t *testing.T) {
		q := &turns[int]{}
		places := append(enter(t, q, "e", triesAtOnce), enter(t, q, "f", triesAtOnce)...)
		first, second, third := in(time.Minute), in(2*time.Minute), in(3*time.Minute)
		if q.enter("t", "e", first) != nil || q.enter("t", "g", second) != nil || q.enter("t", "g", third) != nil {
			t.Fatalf("got more than %d places", triesTogether)
		}
		if q.enter("other", "e", in(time.Minute)) == nil {
			t.Error("got no place for another tenant")
		}
		next(t, places[0], second, "g") // e has seven others
		next(t, places[1], third, "g")  // six others, while g has one
		next(t, places[2], first, "e")
		if _, ok := places[3].next(now); ok {
			t.Error("got a turn of nobody")
		}
		if c := q.crowds["t"]; c.tries != triesTogether-1 || c.lines["e"].tries != triesAtOnce-3 || c.lines["f"].tries != triesAtOnce || c.lines["g"].tries != 2 {
			t.Errorf("got %d tries counted in all, want %d", c.tries, triesTogether-1)
		}
	})
}
