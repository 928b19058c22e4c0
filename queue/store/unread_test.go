package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

func TestAMessageThatDoesNotOpenIsMissedInTheConversationAndStopsNothing(t *testing.T) {
	torn := storetest.NewTorn(t)
	bothWith(t, store.Options{Keyring: torn}, func(w *world) {
		w.accept(w.message("first"))
		lost := w.accept(w.message("second"))
		before := w.claim(w.accept(w.message("third"))).Item
		if before.ContextUnread || len(before.Context) != 2 {
			t.Errorf("got %+v, want the conversation whole", before)
		}
		torn.Tear(lost)
		id := w.accept(w.message("fourth"))
		it := w.claim(id).Item
		if it.Text != "fourth" || !it.ContextUnread || len(it.Context) != 2 || it.Context[0].Text != "first" || it.Context[1].Text != "third" {
			t.Errorf("got %+v, want the rest, and word that it is not all", it)
		}
		talk, err := w.Conversation(w.Context(), w.tenant, id, 5, 5)
		w.must(err)
		if len(talk) != 4 || !talk[1].Gone || !talk[1].Unread || talk[0].Text != "first" {
			t.Errorf("got %+v, want a gap for the reviewer too", talk)
		}
	})
}

func TestAnItemThatDoesNotOpenEndsBeforeAPerson(t *testing.T) {
	torn := storetest.NewTorn(t)
	bothWith(t, store.Options{Keyring: torn, MaxAttempts: 2}, func(w *world) {
		w.must(w.PutAccount(w.Context(), w.tenant, store.Account{ID: "mia", Age: age(9), Guardians: []store.Guardian{{ID: "mum"}}}))
		home := w.message("hi mum")
		home.Sender.Age, home.Recipients = nil, []pipeline.Person{{ID: "mum"}}
		id := w.accept(home)
		torn.Tear(id)
		for i := range 2 {
			if _, err := w.Claim(w.Context(), id, store.StageJudge, "w"); err == nil {
				t.Errorf("claim %d: got a lease without the text", i+1)
			}
			w.clock.pass(time.Minute)
		}
		l := w.claim(id)
		if !l.Exhausted || !l.Item.ToGuardian || l.Item.Sender.Age == nil {
			t.Errorf("got %+v, want it exhausted, with who talks to whom", l)
		}
		if done := w.commit(l, store.Outcome{Verdict: held(2)}); done.State != store.InReview || done.CaseID == "" {
			t.Errorf("got %+v, want a case", done)
		}
		w.well()
	})
}

func TestAGuardianWhoseChannelsDoNotOpenIsStillBound(t *testing.T) {
	torn := storetest.NewTorn(t)
	bothWith(t, store.Options{Keyring: torn}, func(w *world) {
		dad := store.Guardian{ID: "dad", Channels: []store.Channel{{Kind: "mail", Address: "dad@example.org"}}}
		mum := store.Guardian{ID: "mum", Channels: []store.Channel{{Kind: "mail", Address: "mum@example.org"}}}
		w.must(w.PutAccount(w.Context(), w.tenant, store.Account{ID: "mia", Guardians: []store.Guardian{dad, mum}}))
		torn.Tear("mum")
		bound, err := w.Guardians(w.Context(), w.tenant, "mia")
		w.must(err)
		if len(bound) != 2 || len(bound[0].Channels) != 1 || bound[1].ID != "mum" || len(bound[1].Channels) != 0 {
			t.Errorf("got %+v, want both, and no channel of mum's", bound)
		}
		w.judged(held(3), notice(""))
		list, _, err := w.Deliveries(w.Context(), w.tenant, "mum", "", "", 0)
		w.must(err)
		l, err := w.ClaimDelivery(w.Context(), list[0].ID, "w", time.Minute)
		w.must(err)
		if state, err := w.RecordAttempt(w.Context(), l, store.Attempt{Channel: "none"}); state != store.DeliveryDead || err != nil {
			t.Errorf("got %s, %v, want it given up", state, err)
		}
		c, _ := w.take(w.user("rita", review.RoleReviewer))
		if !slices.Contains(c.Reasons, "guardian not reached") {
			t.Errorf("got %+v, want it before a reviewer", c)
		}
	})
}

func TestAnEndpointWhoseSecretsDoNotOpenComesWithoutAnyAndIsTriedAndGivenUp(t *testing.T) {
	torn := storetest.NewTorn(t)
	bothWith(t, store.Options{Keyring: torn, MaxDeliveries: 2}, func(w *world) {
		e := w.endpoint()
		w.judged(allowed())
		torn.Tear(e.ID)
		for i, want := range []store.DeliveryState{store.DeliveryPending, store.DeliveryDead} {
			l := w.hold(w.only(e.ID).ID)
			if l.Endpoint == nil || l.Endpoint.URL != e.URL || len(l.Endpoint.Secrets) != 0 {
				t.Fatalf("try %d: got %+v, want the endpoint without secrets", i+1, l.Endpoint)
			}
			if got := w.try(l, store.Attempt{Channel: "webhook", ErrorClass: "secret", RetryIn: time.Second}); got != want {
				t.Errorf("try %d: got %s, want %s", i+1, got, want)
			}
			w.clock.pass(time.Minute)
		}
		if got, err := w.Endpoint(t.Context(), w.tenant, e.ID); err != nil || got.URL != e.URL || len(got.Secrets) != 0 {
			t.Errorf("got %+v, %v, want it without secrets", got, err)
		}
		if err := w.RotateSecret(t.Context(), w.tenant, "end_none", "whsec_b", "test"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for no endpoint, want ErrNotFound", err)
		}
		w.well()
	})
}

func TestReconcileNamesAnItemThatIsTriedWithoutEnd(t *testing.T) {
	both(t, func(w *world) {
		id := w.accept(w.message("x"))
		for range 21 {
			w.must(w.Release(w.Context(), w.claim(id), 0, true))
		}
		l, err := w.Reconcile(w.Context(), 0)
		w.must(err)
		if !slices.Contains(l.Differences, store.Difference{What: "tried_too_often", ItemID: id}) {
			t.Errorf("got %+v, want the item named", l.Differences)
		}
	})
}
