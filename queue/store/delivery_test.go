package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// only returns the one delivery to a recipient.
func (w *world) only(recipient string) store.Delivery {
	w.Helper()
	list, _, err := w.Deliveries(w.Context(), w.tenant, recipient, "", "", 0)
	w.must(err)
	if len(list) != 1 {
		w.Fatalf("got %d deliveries to %s, want 1", len(list), recipient)
	}
	return list[0]
}

func (w *world) hold(id string) *store.DeliveryLease {
	w.Helper()
	l, err := w.ClaimDelivery(w.Context(), id, "w", time.Minute)
	w.must(err)
	return l
}

func (w *world) try(l *store.DeliveryLease, a store.Attempt) store.DeliveryState {
	w.Helper()
	state, err := w.RecordAttempt(w.Context(), l, a)
	w.must(err)
	return state
}

func TestADeliveryIsTriedUntilItArrives(t *testing.T) {
	both(t, func(w *world) {
		e := w.endpoint()
		w.judged(allowed())
		d := w.only(e.ID)
		if ids, err := w.DueDeliveries(t.Context(), 10); len(ids) != 1 || ids[0] != d.ID || err != nil {
			t.Errorf("got due %v, %v, want %s", ids, err, d.ID)
		}
		l := w.hold(d.ID)
		if l.Endpoint == nil || l.Endpoint.URL != e.URL || l.Endpoint.Secrets[0] != "whsec_a" || l.Effect != store.EventJudged {
			t.Errorf("got %+v, want the endpoint with its secret", l)
		}
		if _, err := w.ClaimDelivery(t.Context(), d.ID, "other", time.Minute); !errors.Is(err, store.ErrClaimed) {
			t.Errorf("got %v under a live lease, want ErrClaimed", err)
		}
		if got := w.try(l, store.Attempt{Channel: "webhook", StatusCode: 500, ErrorClass: "status", RetryIn: time.Minute}); got != store.DeliveryPending {
			t.Errorf("got %s after a 500, want pending", got)
		}
		if _, err := w.ClaimDelivery(t.Context(), d.ID, "w", time.Minute); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v before it is due, want ErrConflict", err)
		}
		w.clock.pass(2 * time.Minute)
		late := w.hold(d.ID)
		w.clock.pass(2 * time.Minute)
		l = w.hold(d.ID)
		if _, err := w.RecordAttempt(t.Context(), late, store.Attempt{Delivered: true}); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v from a late worker, want ErrLost", err)
		}
		if got := w.try(l, store.Attempt{Channel: "webhook", Delivered: true, StatusCode: 204}); got != store.DeliveryDone {
			t.Errorf("got %s, want done", got)
		}
		if _, err := w.ClaimDelivery(t.Context(), d.ID, "w", time.Minute); !errors.Is(err, store.ErrDone) {
			t.Errorf("got %v for a done one, want ErrDone", err)
		}
		got, tries, err := w.Delivery(t.Context(), w.tenant, d.ID)
		w.must(err)
		if got.Attempts != 2 || len(tries) != 2 || tries[0].StatusCode != 500 || tries[0].RetryIn != time.Minute || !tries[1].Delivered {
			t.Errorf("got %+v with %+v, want both tries", got, tries)
		}
		w.must(w.Replay(t.Context(), w.tenant, d.ID, "test"))
		if err := w.Replay(t.Context(), w.tenant, d.ID, "test"); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v for a pending one, want ErrConflict", err)
		}
		w.try(w.hold(d.ID), store.Attempt{Channel: "webhook", Delivered: true, StatusCode: 204})
		if _, _, err := w.Delivery(t.Context(), "ten_other", d.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant, want ErrNotFound", err)
		}
		w.well()
	})
}

func TestADeliveryDiesAfterTheLastTry(t *testing.T) {
	bothWith(t, store.Options{MaxDeliveries: 3}, func(w *world) {
		e := w.endpoint()
		w.judged(allowed())
		d := w.only(e.ID)
		for i := range 3 {
			want := store.DeliveryPending
			if i == 2 {
				want = store.DeliveryDead
			}
			if got := w.try(w.hold(d.ID), store.Attempt{ErrorClass: "timeout", RetryIn: time.Second}); got != want {
				t.Errorf("try %d: got %s, want %s", i+1, got, want)
			}
			w.clock.pass(2 * time.Second)
		}
		if l := w.well(); l.DeadDeliveries != 1 {
			t.Errorf("got %d dead, want 1", l.DeadDeliveries)
		}
		w.must(w.Replay(t.Context(), w.tenant, d.ID, "test"))
		if got := w.only(e.ID); got.Round != 0 || got.Attempts != 3 {
			t.Errorf("got %d tries this round and %d in all, want 0 and 3", got.Round, got.Attempts)
		}
		if got := w.try(w.hold(d.ID), store.Attempt{ErrorClass: "timeout", RetryIn: time.Second}); got != store.DeliveryPending {
			t.Errorf("got %s after a replay, want new tries", got)
		}
	})
}

func TestAGuardianWhoCannotBeReachedIsACase(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.PutAccount(t.Context(), w.tenant, store.Account{ID: "mia", Guardians: []store.Guardian{{ID: "mum", Channels: []store.Channel{{Kind: "mail", Address: "mum@example.org"}}}}}))
		n := notice("")
		n.Urgency = pipeline.Urgent
		id, _ := w.judged(allowed(), n)
		l := w.hold(w.only("mum").ID)
		if l.Guardian == nil || l.Guardian.Channels[0].Address != "mum@example.org" || l.Notice.TextKey != "bullying" {
			t.Errorf("got %+v, want the guardian and the notice", l.Delivery)
		}
		if got := w.try(l, store.Attempt{Channel: "mail", ErrorClass: "refused"}); got != store.DeliveryDead {
			t.Errorf("got %s, want dead", got)
		}
		c, _ := w.take(w.user("rita", review.RoleReviewer))
		if c.Kind != review.KindNotice || c.ItemID != id || c.Severity != 3 {
			t.Errorf("got %+v, want a case about the notice", c)
		}
		w.well()
	})
}

func TestANoticeThatWaitsCannotBeSent(t *testing.T) {
	both(t, func(w *world) {
		w.judged(held(3), notice("review"), notice("review"))
		d := w.only("mum") // twice the same notice is one
		if d.State != store.DeliveryWaiting {
			t.Errorf("got %s, want waiting", d.State)
		}
		if _, err := w.ClaimDelivery(t.Context(), d.ID, "w", time.Minute); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
	})
}

func TestEndpointsHearWhatTheyAskedFor(t *testing.T) {
	both(t, func(w *world) {
		all := w.endpoint()
		some, err := w.CreateEndpoint(t.Context(), store.Endpoint{Tenant: w.tenant, URL: "https://example.org/2", Events: []string{store.EventQuarantined}, Secrets: []string{"whsec_b"}}, "test")
		w.must(err)
		w.judged(allowed())
		w.only(all.ID)
		if list, _, err := w.Deliveries(t.Context(), w.tenant, some.ID, "", "", 0); len(list) != 0 || err != nil {
			t.Errorf("got %v, %v, want nothing for the other event", list, err)
		}
		w.must(w.RotateSecret(t.Context(), w.tenant, some.ID, "whsec_c", "test"))
		w.must(w.RotateSecret(t.Context(), w.tenant, some.ID, "whsec_d", "test"))
		e, err := w.Endpoint(t.Context(), w.tenant, some.ID)
		w.must(err)
		if len(e.Secrets) != 2 || e.Secrets[0] != "whsec_d" || e.Secrets[1] != "whsec_c" {
			t.Errorf("got secrets %v, want the newest two", e.Secrets)
		}
		w.must(w.DisableEndpoint(t.Context(), w.tenant, all.ID, "gone", "worker"))
		if d := w.only(all.ID); d.State != store.DeliveryDead {
			t.Errorf("got %s after disabling, want dead", d.State)
		}
		w.judged(allowed())
		w.only(all.ID)
		list, err := w.Endpoints(t.Context(), w.tenant)
		w.must(err)
		if len(list) != 2 || list[0].DisabledWhy != "gone" || list[0].Secrets != nil || list[1].Events[0] != store.EventQuarantined {
			t.Errorf("got %+v, want both without secrets", list)
		}
		w.well()
	})
}

func TestDeliveriesAreListedPageByPageInAnyLocale(t *testing.T) {
	both(t, func(w *world) {
		e := w.endpoint()
		var want []string
		for range 3 {
			id, _ := w.judged(allowed())
			want = append([]string{id}, want...)
		}
		var got []string
		cursor := ""
		for {
			list, next, err := w.Deliveries(t.Context(), w.tenant, e.ID, "", cursor, 2)
			w.must(err)
			for _, d := range list {
				got = append(got, d.ItemID)
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got events of %v, want %v", got, want)
		}
		if _, _, err := w.Deliveries(t.Context(), w.tenant, e.ID, "", "x", 2); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for a made-up cursor, want ErrNotFound", err)
		}
	})
}

func TestNothingIsReplayedToAnEndpointThatIsDisabled(t *testing.T) {
	both(t, func(w *world) {
		e := w.endpoint()
		w.judged(allowed())
		d := w.only(e.ID)
		if err := w.Replay(t.Context(), w.tenant, d.ID, "test"); !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrDisabled) {
			t.Errorf("got %v while it is on its way, want ErrConflict alone", err)
		}
		w.try(w.hold(d.ID), store.Attempt{ErrorClass: "timeout"})
		w.must(w.DisableEndpoint(t.Context(), w.tenant, e.ID, "asked", "test"))
		if err := w.Replay(t.Context(), w.tenant, d.ID, "test"); !errors.Is(err, store.ErrDisabled) {
			t.Errorf("got %v, want ErrDisabled", err)
		}
		if got := w.only(e.ID); got.State != store.DeliveryDead {
			t.Errorf("got %s, want it dead as before", got.State)
		}
		if err := w.Replay(t.Context(), w.tenant, "msg_none", "test"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for no delivery, want ErrNotFound", err)
		}
		w.well()
	})
}

// sweptFor lets time pass while a sweeper looks and what it sends gets as far as
// the queue, and returns how often something was sent.
func (w *world) sweptFor(d time.Duration) (sent int) {
	w.Helper()
	for end := w.clock.now().Add(d); w.clock.now().Before(end); w.clock.pass(5 * time.Second) {
		_, err := w.Sweep(w.Context(), 15*time.Second)
		w.must(err)
		tasks, err := w.PendingTasks(w.Context(), 100)
		w.must(err)
		for _, k := range tasks {
			w.must(w.MarkSent(w.Context(), []int64{k.ID}))
			sent++
		}
	}
	return sent
}

func TestADeliveryThatNobodyTakesIsSentToTheQueueEverMoreSeldom(t *testing.T) {
	both(t, func(w *world) {
		e := w.endpoint()
		w.judged(allowed())
		d := w.only(e.ID)
		first, second := w.sweptFor(time.Hour), w.sweptFor(time.Hour)
		if first < 3 || first > 20 || second >= first || second < 1 {
			t.Errorf("got it sent %d times in the first hour and %d in the second, want some, at growing distances", first, second)
		}
		w.hold(d.ID) // by a worker that dies
		if n := w.sweptFor(50 * time.Second); n != 0 {
			t.Errorf("got it sent %d times under a live lease, want none", n)
		}
		if n := w.sweptFor(30 * time.Second); n != 1 {
			t.Errorf("got it sent %d times once the lease was over, want once, without a long wait", n)
		}
		w.well()
	})
}

func TestADeliveryThatIsPutOffIsDueLaterAndWasNotTried(t *testing.T) {
	both(t, func(w *world) {
		e := w.endpoint()
		w.judged(allowed())
		d := w.only(e.ID)
		w.sweptFor(time.Minute)
		lost := w.hold(d.ID)
		w.clock.pass(time.Minute)
		l := w.hold(d.ID)
		w.must(w.PutOff(t.Context(), []store.Later{{Lease: lost, After: time.Hour}, {Lease: l, After: time.Minute}}))
		got, tries, err := w.Delivery(t.Context(), w.tenant, d.ID)
		w.must(err)
		if got.State != store.DeliveryPending || got.Attempts != 0 || len(tries) != 0 || !got.DueAt.Equal(w.clock.now().Add(time.Minute)) {
			t.Errorf("got %s with %d tries, due at %s, want it due in a minute and untried", got.State, got.Attempts, got.DueAt)
		}
		if _, err := w.ClaimDelivery(t.Context(), d.ID, "w", time.Minute); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v before it is due, want ErrConflict", err)
		}
		if n := w.sweptFor(50 * time.Second); n != 0 {
			t.Errorf("got it sent %d times before it is due, want none", n)
		}
		if n := w.sweptFor(20 * time.Second); n != 1 {
			t.Errorf("got it sent %d times when it was due, want once", n)
		}
		l = w.hold(d.ID)
		w.must(w.PutOff(t.Context(), []store.Later{{Lease: lost, After: time.Hour}}))
		if state := w.try(l, store.Attempt{Channel: "webhook", Delivered: true}); state != store.DeliveryDone {
			t.Errorf("got %s, want it done: a late worker puts nothing off", state)
		}
		w.must(w.PutOff(t.Context(), []store.Later{{Lease: l, After: time.Hour}}))
		if got := w.only(e.ID); got.State != store.DeliveryDone {
			t.Errorf("got %s, want what is done to stay so", got.State)
		}
		w.well()
	})
}
