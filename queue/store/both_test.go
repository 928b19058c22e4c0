package store_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

// clock is a time that only a test moves.
type clock struct {
	mu   sync.Mutex
	at   time.Time
	look func() // called at each look, of which every transaction has one
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	at, look := c.at, c.look
	c.mu.Unlock()
	if look != nil {
		look()
	}
	return at
}

func (c *clock) onLook(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look = f
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a store with a tenant, a clock and two reviewers.
type world struct {
	*testing.T
	*store.Store
	clock  *clock
	tenant string
	n      int
}

// both runs a test on SQLite and on PostgreSQL with a clock of the test's.
func both(t *testing.T, test func(w *world)) {
	t.Helper()
	bothWith(t, store.Options{}, test)
}

func bothWith(t *testing.T, o store.Options, test func(w *world)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB, store.Options) *store.Store{
		"sqlite": storetest.OpenSQLite, "postgres": storetest.OpenPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
			o := o
			o.Clock = c.now
			w := &world{T: t, Store: open(t, o), clock: c}
			made, err := w.CreateTenant(t.Context(), "school")
			w.must(err)
			w.tenant = made.ID
			test(w)
		})
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func age(n int) *int { return &n }

// message is a made-up message; each has its own external id.
func (w *world) message(text string) store.NewItem {
	w.n++
	return store.NewItem{
		Item: pipeline.Item{
			Tenant: w.tenant, ExternalID: fmt.Sprintf("m%d", w.n), Kind: pipeline.KindMessage, Text: text,
			Sender: pipeline.Person{ID: "mia", Age: age(9)}, Recipients: []pipeline.Person{{ID: "leo", Age: age(10)}},
			ConversationID: "c1", Audience: pipeline.AudienceDirect, Locale: "zh-CN", SentAt: w.clock.now(),
		},
		BodyHash: sha256.Sum256([]byte(text)), Queue: "text",
	}
}

func (w *world) accept(n store.NewItem) string {
	w.Helper()
	a, err := w.Accept(w.Context(), n)
	w.must(err)
	return a.ID
}

func (w *world) claim(id string) *store.Lease {
	w.Helper()
	l, err := w.Claim(w.Context(), id, store.StageJudge, "worker")
	w.must(err)
	return l
}

func (w *world) commit(l *store.Lease, o store.Outcome) store.Committed {
	w.Helper()
	c, err := w.Commit(w.Context(), l, o)
	w.must(err)
	return c
}

// judged accepts a message and judges it.
func (w *world) judged(v pipeline.Verdict, notices ...review.Notice) (string, store.Committed) {
	w.Helper()
	id := w.accept(w.message("hello"))
	return id, w.commit(w.claim(id), store.Outcome{Verdict: v, Notices: notices})
}

func (w *world) user(name string, role review.Role) review.Reviewer {
	w.Helper()
	u, err := w.CreateUser(w.Context(), store.User{Name: name, Role: role, PasswordHash: "x"}, "test")
	w.must(err)
	return u.Reviewer()
}

func (w *world) item(id string) store.Item {
	w.Helper()
	it, err := w.Item(w.Context(), w.tenant, id)
	w.must(err)
	return it
}

// well fails the test unless the ledger is.
func (w *world) well() store.Ledger {
	w.Helper()
	l, err := w.Reconcile(w.Context(), 0)
	w.must(err)
	if !l.Well() {
		w.Fatalf("got ledger %+v, want it well", l)
	}
	return l
}

func allowed() pipeline.Verdict {
	return pipeline.Verdict{Action: pipeline.Allow, PolicyVersion: "p1"}
}

func held(severity int) pipeline.Verdict {
	return pipeline.Verdict{
		Action: pipeline.Hold, PolicyVersion: "p1", Priority: float64(severity) * 20, Deadline: 5 * time.Minute, Reasons: []string{"threshold"},
		Labels:      []pipeline.LabelScore{{Label: pipeline.BullyingThreat, Score: .9, Severity: severity}},
		Signals:     []pipeline.Signal{{Label: pipeline.BullyingThreat, Score: .9, Source: "text@1"}, {Label: pipeline.SpamFlood, Score: .1, Source: "text@1"}},
		Escalations: []pipeline.Escalation{{To: "reviewer", Urgency: pipeline.Soon}},
	}
}
