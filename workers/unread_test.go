package workers

import (
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
	"nightlight/workers/webhook"
)

// tearable gives the bench a database in which things can become unreadable.
func tearable(t *testing.T, b *bench) *storetest.Torn {
	t.Helper()
	torn := storetest.NewTorn(t)
	b.Store = storetest.OpenSQLite(t, store.Options{Clock: b.clock, Keyring: torn})
	tenant, err := b.Store.CreateTenant(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	b.tenant = tenant.ID
	return torn
}

// judgedInTheEnd judges the item until it has a verdict.
func (b *bench) judgedInTheEnd(t *testing.T, id string) store.Item {
	t.Helper()
	for try := 0; b.item(t, id).State == store.Pending; try++ {
		if try > 10 {
			t.Fatal("it is tried for ever")
		}
		_ = b.Judge(t.Context(), id) // an attempt that fails is counted
		b.pass(time.Minute)
	}
	return b.item(t, id)
}

func TestAnItemThatDoesNotOpenIsHeldForAPersonWhenTheAttemptsAreSpent(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	torn := tearable(t, b)
	id := b.accept(t, pipeline.Item{})
	torn.Tear(id)
	it := b.judgedInTheEnd(t, id)
	if it.State != store.InReview || it.Verdict.Action != pipeline.Hold || !strings.Contains(strings.Join(it.Verdict.Reasons, " "), "attempts_spent") {
		t.Errorf("got %s, %+v, want it held for a person", it.State, it.Verdict)
	}
}

func TestWhatFollowsAMessageThatDoesNotOpenIsHeldForAPerson(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	torn := tearable(t, b)
	torn.Tear(b.accept(t, pipeline.Item{ConversationID: "c"}))
	it := b.judgedInTheEnd(t, b.accept(t, pipeline.Item{ConversationID: "c"}))
	if it.State != store.InReview || !strings.Contains(strings.Join(it.Verdict.Reasons, " "), "context_unread") {
		t.Errorf("got %s, %+v, want it held with the reason", it.State, it.Verdict)
	}
	if it = b.judgedInTheEnd(t, b.accept(t, pipeline.Item{ConversationID: "elsewhere"})); it.State != store.Closed {
		t.Errorf("got %s in another conversation, want it closed", it.State)
	}
}

func TestACaseIsOpenedThoughTheGuardiansCannotBeRead(t *testing.T) {
	b := newBench(t, says(pipeline.GroomingSecrecy, .99))
	torn := tearable(t, b)
	g := guardian("mum")
	g.Channels = []store.Channel{{Kind: "mail", Address: "mum@example.org"}}
	if err := b.Store.PutAccount(t.Context(), b.tenant, store.Account{ID: "friend", Age: years(9), Guardians: []store.Guardian{g}}); err != nil {
		t.Fatal(err)
	}
	torn.Tear("mum")
	id := b.accept(t, pipeline.Item{Sender: pipeline.Person{ID: "x", Age: years(40)}, Recipients: []pipeline.Person{{ID: "friend", Age: years(9)}}})
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if it := b.item(t, id); it.State != store.InReview || it.CaseID == "" {
		t.Fatalf("got %s, want a case at the first try", it.State)
	}
	for _, who := range []string{"r1", "r2"} { // severity 4: two must agree
		decide(t, b, who)
	}
	b.pass(time.Minute) // the channels stay shut: a person hears of it as soon as the decision stands
	due, err := b.Store.DueDeliveries(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		if err := b.Notice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	u, err := b.Store.CreateUser(t.Context(), store.User{Name: "r3", Role: review.RoleReviewer, PasswordHash: "x"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := b.Store.NextCase(t.Context(), u.Reviewer()); err != nil || c.Kind != review.KindNotice {
		t.Errorf("got %+v, %v, want a case about the notice", c, err)
	}
}

func TestADeliveryToAnEndpointWhoseSecretDoesNotOpenIsTriedAndGivenUp(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	torn := tearable(t, b)
	e := b.receiver(t, func() int { t.Error("got a request that nobody could sign"); return 204 })
	id := b.judged(t, e)
	torn.Tear(e.ID)
	if n := b.untilDead(t, id, func(id string) error { return b.Deliver(t.Context(), id) }); n != webhook.MaxTries {
		t.Errorf("got %d tries, want %d as for any receiver", n, webhook.MaxTries)
	}
	if _, tries := b.delivery(t, id); tries[0].ErrorClass != "secret" {
		t.Errorf("got %+v, want them to say why", tries[0])
	}
}
