package store_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// events has n messages judged and returns the deliveries about them to an
// endpoint, oldest first.
func (w *world) events(e store.Endpoint, n int) (ids []string) {
	w.Helper()
	for range n {
		w.judged(allowed())
		w.clock.pass(time.Millisecond)
	}
	list, _, err := w.Deliveries(w.Context(), w.tenant, e.ID, "", "", 100)
	w.must(err)
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}

// noAnswer is a try that got none.
func noAnswer(rest time.Duration) store.Attempt {
	return store.Attempt{Channel: "webhook", ErrorClass: "timeout", RetryIn: time.Hour, Rest: rest}
}

// silence returns how often an endpoint did not answer and how long it rests.
func (w *world) silence(e store.Endpoint) (int, time.Duration) {
	w.Helper()
	e, err := w.Endpoint(w.Context(), w.tenant, e.ID)
	w.must(err)
	if e.RestUntil.IsZero() {
		return e.Silent, 0
	}
	return e.Silent, e.RestUntil.Sub(w.clock.now())
}

func TestAnEndpointThatDoesNotAnswerRestsAndIsThenTriedByOneDeliveryAlone(t *testing.T) {
	both(t, func(w *world) {
		e := w.endpoint()
		ids := w.events(e, 5)
		first, second := w.hold(ids[0]), w.hold(ids[1])
		if first.Rests || second.Rests {
			t.Fatal("got it to rest before anybody tried")
		}
		w.try(first, noAnswer(time.Minute))
		w.try(second, noAnswer(time.Minute))
		if n, rest := w.silence(e); n != 1 || rest != time.Minute {
			t.Errorf("got it silent %d times, at rest for %v, want once for two that were under way at once", n, rest)
		}
		l := w.hold(ids[2])
		if !l.Rests || l.Endpoint.Silent != 1 {
			t.Errorf("got %+v, want it to rest", l)
		}
		w.must(w.PutOff(t.Context(), []store.Later{{Lease: l, After: time.Minute}}))

		w.clock.pass(time.Minute)
		var asks []*store.DeliveryLease
		var racing sync.WaitGroup
		var mu sync.Mutex
		for _, id := range ids[2:] {
			racing.Go(func() {
				l, err := w.ClaimDelivery(t.Context(), id, "w", time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if !l.Rests {
					asks = append(asks, l)
				}
			})
		}
		racing.Wait()
		if len(asks) != 1 {
			t.Fatalf("got %d who may try it when its rest is over, want one", len(asks))
		}
		w.try(asks[0], noAnswer(2*time.Minute))
		if n, rest := w.silence(e); n != 2 || rest != 2*time.Minute {
			t.Errorf("got it silent %d times, at rest for %v, want twice and two minutes", n, rest)
		}
		w.clock.pass(2 * time.Minute)
		left := slices.DeleteFunc(slices.Clone(ids[2:]), func(id string) bool { return id == asks[0].ID })
		asks = []*store.DeliveryLease{w.hold(left[0])} // whose worker dies
		if !w.hold(left[1]).Rests {
			t.Error("got two who try it at once")
		}
		w.clock.pass(time.Minute)
		l = w.hold(left[1])
		if l.Rests {
			t.Error("got nobody to try it after a worker died")
		}
		w.try(l, store.Attempt{Channel: "webhook", StatusCode: 500, ErrorClass: "status", RetryIn: time.Hour})
		if n, rest := w.silence(e); n != 0 || rest != 0 {
			t.Errorf("got it silent %d times, at rest for %v, want it to answer: a refusal is an answer", n, rest)
		}
		if w.hold(left[0]).Rests {
			t.Error("got it to rest when it has answered")
		}
		w.well()
	})
}

func TestWhatWasPutOffIsBroughtForwardOldestFirst(t *testing.T) {
	both(t, func(w *world) {
		e, other := w.endpoint(), w.endpoint()
		ids := w.events(e, 5)
		w.pending()
		w.try(w.hold(ids[0]), noAnswer(time.Minute)) // failed, and waits for its next try
		var later []store.Later
		for _, id := range slices.Backward(ids[1:]) {
			later = append(later, store.Later{Lease: w.hold(id), After: time.Hour})
		}
		w.must(w.PutOff(t.Context(), later))
		forward := func(e store.Endpoint, most, want int) {
			t.Helper()
			if n, err := w.BringForward(t.Context(), w.tenant, e.ID, most); err != nil || n != want {
				t.Errorf("got %d brought forward, %v, want %d", n, err, want)
			}
		}
		forward(other, 10, 0)
		forward(e, 3, 3)
		if got := w.pending(); !slices.Equal(got, ids[1:4]) {
			t.Errorf("got %v sent, want the three oldest that were put off, %v", got, ids[1:4])
		}
		for _, id := range ids[1:4] {
			w.try(w.hold(id), store.Attempt{Channel: "webhook", Delivered: true, StatusCode: 200})
		}
		forward(e, 3, 1)
		forward(e, 3, 0)
		if got := w.pending(); !slices.Equal(got, ids[4:]) {
			t.Errorf("got %v sent, want the last that was put off, %v", got, ids[4:])
		}
		if d := w.delivery(ids[0]); d.DueAt.Sub(w.clock.now()) < 50*time.Minute {
			t.Errorf("got what failed due at %s, want it to keep its pause", d.DueAt)
		}
		w.well()
	})
}

// pending takes all tasks of deliveries from the outbox, as a relay does, and
// returns whose they are.
func (w *world) pending() (refs []string) {
	w.Helper()
	tasks, err := w.PendingTasks(w.Context(), 100)
	w.must(err)
	for _, k := range tasks {
		w.must(w.MarkSent(w.Context(), []int64{k.ID}))
		if k.Subject == store.SubjectDelivery {
			refs = append(refs, k.Ref)
		}
	}
	slices.Sort(refs)
	return refs
}

func (w *world) delivery(id string) store.Delivery {
	w.Helper()
	d, _, err := w.Delivery(w.Context(), w.tenant, id)
	w.must(err)
	return d
}

func TestADeliveryKnowsSinceWhenItIsTriedUntilItIsReplayed(t *testing.T) {
	both(t, func(w *world) {
		e := w.endpoint()
		id := w.events(e, 1)[0]
		if d := w.delivery(id); !d.Began.IsZero() {
			t.Errorf("got it begun at %s, want nobody to have taken it up", d.Began)
		}
		w.clock.pass(time.Hour)
		began := w.clock.now()
		l := w.hold(id)
		w.must(w.PutOff(t.Context(), []store.Later{{Lease: l, After: time.Hour}}))
		w.clock.pass(time.Hour)
		l = w.hold(id)
		if !l.Began.Equal(began) {
			t.Errorf("got it begun at %s, want the first time that it was taken up, %s", l.Began, began)
		}
		w.try(l, store.Attempt{Channel: "webhook", ErrorClass: "expired"})
		if _, rest := w.silence(e); rest != 0 {
			t.Error("got an endpoint to rest that nobody tried")
		}
		w.must(w.Replay(t.Context(), w.tenant, id, "test"))
		if l := w.hold(id); !l.Began.Equal(w.clock.now()) {
			t.Errorf("got it begun at %s, want it to begin anew", l.Began)
		}
		w.well()
	})
}

func TestAReplayWakesAnEndpointThatRests(t *testing.T) {
	both(t, func(w *world) {
		e := w.endpoint()
		ids := w.events(e, 2)
		a := noAnswer(time.Hour)
		a.RetryIn = 0
		w.try(w.hold(ids[0]), a)
		if l := w.hold(ids[1]); !l.Rests {
			t.Fatal("got it not to rest")
		}
		w.must(w.Replay(t.Context(), w.tenant, ids[0], "test"))
		if l := w.hold(ids[0]); l.Rests {
			t.Error("got it to rest still")
		}
		if n, _ := w.silence(e); n != 1 {
			t.Errorf("got it silent %d times, want 1: it has not answered yet", n)
		}
		if err := w.Replay(t.Context(), w.tenant, ids[0], "test"); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
	})
}

func TestALetterIsInTheQueueOfItsUrgency(t *testing.T) {
	both(t, func(w *world) {
		queues := func() (got []string) {
			tasks, err := w.PendingTasks(t.Context(), 10)
			w.must(err)
			for _, k := range tasks {
				w.must(w.MarkSent(t.Context(), []int64{k.ID}))
				if k.Stage == store.StageNotify {
					got = append(got, k.Queue)
				}
			}
			return got
		}
		n := notice("")
		n.Urgency = pipeline.Urgent
		w.judged(allowed(), n)
		if got := queues(); !slices.Equal(got, []string{"urgent-notices"}) {
			t.Errorf("got queues %v, want that of urgent letters", got)
		}
		w.judged(allowed(), notice(""))
		if got := queues(); !slices.Equal(got, []string{"notices"}) {
			t.Errorf("got queues %v, want that of letters which can wait", got)
		}
		n = notice("review") // as judging saw it; the reviewer sees another letter in it
		n.Letters = []review.Letter{{Label: pipeline.BullyingThreat, TextKey: "bullying", Urgency: pipeline.Urgent}}
		w.judged(held(3), n)
		r := w.user("rita", review.RoleReviewer)
		_, l := w.take(r)
		_, err := w.Decide(t.Context(), r, decision(l, pipeline.Block))
		w.must(err)
		w.settles()
		if got := queues(); !slices.Equal(got, []string{"urgent-notices"}) {
			t.Errorf("got queues %v, want that of the letter which was chosen", got)
		}
	})
}
