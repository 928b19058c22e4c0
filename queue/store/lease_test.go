package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

func TestALeaseCarriesAllThatJudgingNeeds(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.PutAccount(t.Context(), w.tenant, store.Account{ID: "leo", BirthMonth: "2015-06"}))
		w.must(w.PutAccount(t.Context(), w.tenant, store.Account{ID: "mia", Age: age(9), Guardians: []store.Guardian{{ID: "mum", Relation: "mother"}}}))
		w.accept(w.message("first"))
		reply := w.message("second")
		reply.Sender, reply.Recipients = pipeline.Person{ID: "leo"}, []pipeline.Person{{ID: "mia"}}
		w.accept(reply)
		id := w.accept(w.message("third"))
		l := w.claim(id)
		if l.Item.Text != "third" || l.Attempt != 1 || l.Exhausted || l.Item.ToGuardian {
			t.Errorf("got %+v, want the first attempt at the third message", l)
		}
		want := []pipeline.Turn{{From: pipeline.Self, Text: "first", Age: age(9)}, {From: pipeline.Other, Text: "second"}}
		if fmt.Sprint(len(l.Item.Context), l.Item.Context[0].From, l.Item.Context[0].Text, l.Item.Context[1].From, l.Item.Context[1].Text) !=
			fmt.Sprint(len(want), want[0].From, want[0].Text, want[1].From, want[1].Text) {
			t.Errorf("got context %+v, want %+v", l.Item.Context, want)
		}
		unknown := w.message("hi")
		unknown.Sender, unknown.Recipients = pipeline.Person{ID: "leo"}, []pipeline.Person{{ID: "nobody"}}
		l = w.claim(w.accept(unknown))
		if l.Item.Sender.Age == nil || *l.Item.Sender.Age != 10 || l.Item.Recipients[0].Age != nil {
			t.Errorf("got ages %v, %v, want 10 from the account and unknown", l.Item.Sender.Age, l.Item.Recipients[0].Age)
		}
		home := w.message("hi mum")
		home.Recipients = []pipeline.Person{{ID: "mum"}}
		if l = w.claim(w.accept(home)); !l.Item.ToGuardian {
			t.Error("got no ToGuardian for a message to the bound guardian")
		}
		home = w.message("hi both")
		home.Recipients = []pipeline.Person{{ID: "mum"}, {ID: "leo"}}
		if l = w.claim(w.accept(home)); l.Item.ToGuardian {
			t.Error("got ToGuardian though somebody else listens")
		}
		for _, seen := range []pipeline.Audience{pipeline.AudienceGroup, pipeline.AudiencePublic} {
			home = w.message("hi mum, and whoever reads " + string(seen))
			home.Recipients, home.Audience = []pipeline.Person{{ID: "mum"}}, seen
			if l = w.claim(w.accept(home)); l.Item.ToGuardian {
				t.Errorf("got ToGuardian for a %s post that names the guardian", seen)
			}
		}
	})
}

func TestOnlyOneHoldsAnItemAndALateWriterLoses(t *testing.T) {
	both(t, func(w *world) {
		id := w.accept(w.message("x"))
		late := w.claim(id)
		if _, err := w.Claim(t.Context(), id, store.StageJudge, "other"); !errors.Is(err, store.ErrClaimed) {
			t.Errorf("got %v under a live lease, want ErrClaimed", err)
		}
		w.clock.pass(10 * time.Second)
		w.must(w.Heartbeat(t.Context(), late))
		w.clock.pass(10 * time.Second)
		if _, err := w.Claim(t.Context(), id, store.StageJudge, "other"); !errors.Is(err, store.ErrClaimed) {
			t.Errorf("got %v after a heartbeat, want ErrClaimed", err)
		}
		w.clock.pass(10 * time.Second)
		newer := w.claim(id)
		if newer.Attempt != 2 {
			t.Errorf("got attempt %d, want 2", newer.Attempt)
		}
		if err := w.Heartbeat(t.Context(), late); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v for a late heartbeat, want ErrLost", err)
		}
		if err := w.Release(t.Context(), late, 0, true); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v for a late release, want ErrLost", err)
		}
		if _, err := w.Commit(t.Context(), late, store.Outcome{Verdict: held(4)}); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v for a late commit, want ErrLost", err)
		}
		if it := w.item(id); it.State != store.Pending || it.Verdict != nil || it.CaseID != "" {
			t.Errorf("got %+v after a late commit, want nothing changed", it)
		}
		w.commit(newer, store.Outcome{Verdict: allowed()})
		if _, err := w.Commit(t.Context(), newer, store.Outcome{Verdict: allowed()}); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v for a second commit, want ErrLost", err)
		}
		if _, err := w.Claim(t.Context(), id, store.StageJudge, "other"); !errors.Is(err, store.ErrDone) {
			t.Errorf("got %v for an ended item, want ErrDone", err)
		}
		if _, err := w.Claim(t.Context(), "item_none", store.StageJudge, "other"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for no item, want ErrNotFound", err)
		}
		w.well()
	})
}

func TestAPoisonItemIsExhausted(t *testing.T) {
	bothWith(t, store.Options{MaxAttempts: 2}, func(w *world) {
		id := w.accept(w.message("x"))
		w.must(w.Release(t.Context(), w.claim(id), 0, false)) // a clean shutdown does not count
		for i := range 3 {
			l := w.claim(id)
			if want := i >= 2; l.Exhausted != want {
				t.Errorf("claim %d: got exhausted %t, want %t", i+1, l.Exhausted, want)
			}
			w.clock.pass(time.Minute)
		}
	})
}

func TestVerdictsLeadWhereTheyShould(t *testing.T) {
	quarantine := held(3)
	quarantine.Quarantine = true
	unheard := allowed()
	unheard.Action = pipeline.Hold
	block := allowed()
	block.Action = pipeline.Block
	unknown := allowed()
	unknown.Action = "shrug"
	warn := allowed()
	warn.Action = pipeline.Warn
	cases := map[string]struct {
		verdict pipeline.Verdict
		state   store.State
		ending  store.Ending
		inCase  bool
	}{
		"allow ends allowed":                         {allowed(), store.Closed, store.EndAllowed, false},
		"warn ends allowed":                          {warn, store.Closed, store.EndAllowed, false},
		"block ends blocked":                         {block, store.Closed, store.EndBlocked, false},
		"a person needed goes to review":             {held(3), store.InReview, "", true},
		"hold goes to review though nobody is named": {unheard, store.InReview, "", true},
		"an unknown action goes to review":           {unknown, store.InReview, "", true},
		"what cannot be opened is quarantined":       {quarantine, store.Quarantined, store.EndQuarantined, true},
	}
	both(t, func(w *world) {
		for name, c := range cases {
			id, done := w.judged(c.verdict)
			it := w.item(id)
			if it.State != c.state || it.Ending != c.ending || (it.CaseID != "") != c.inCase || done.CaseID != it.CaseID || done.State != c.state {
				t.Errorf("%s: got %s, %q, case %q; want %s, %q, a case: %t", name, it.State, it.Ending, it.CaseID, c.state, c.ending, c.inCase)
			}
			if it.Verdict == nil || it.Verdict.Action != it.Action || !it.Action.Known() || it.Verdict.CaseID != it.CaseID || len(it.Verdict.Signals) != len(c.verdict.Signals) {
				t.Errorf("%s: got verdict %+v, want it whole", name, it.Verdict)
			}
		}
		if waiting, sent, err := w.OutboxDepth(t.Context()); waiting+sent != 0 || err != nil {
			t.Errorf("got %d outbox rows, %v, want none after the end", waiting+sent, err)
		}
		w.well()
	})
}

func TestManyWorkersNeverHoldTheSameItem(t *testing.T) {
	n := 6000
	if testing.Short() {
		n = 300
	}
	for name, open := range map[string]func(testing.TB, store.Options) *store.Store{"sqlite": storetest.OpenSQLite, "postgres": storetest.OpenPostgres} {
		t.Run(name, func(t *testing.T) {
			s := open(t, store.Options{})
			w := &world{T: t, Store: s, clock: &clock{at: time.Now()}, tenant: "ten"}
			batch := make([]store.NewItem, n)
			for i := range batch {
				batch[i] = w.message("x")
				batch[i].ConversationID = ""
			}
			for i, l := range s.AcceptBatch(t.Context(), batch) {
				if l.Err != nil {
					t.Fatalf("line %d: %v", i, l.Err)
				}
			}
			var mu sync.Mutex
			claims := map[string]int{}
			var all sync.WaitGroup
			for worker := range 8 {
				all.Go(func() {
					for {
						tasks, err := s.PendingTasks(t.Context(), 50)
						if err != nil {
							t.Errorf("worker %d: %v", worker, err)
							return
						}
						if len(tasks) == 0 {
							return
						}
						sent := make([]int64, len(tasks))
						for i, k := range tasks {
							sent[i] = k.ID
							if _, err := s.Claim(t.Context(), k.Ref, k.Stage, fmt.Sprint(worker)); err != nil {
								t.Errorf("claim %s: %v", k.Ref, err)
								return
							}
							mu.Lock()
							claims[k.Ref]++
							mu.Unlock()
						}
						if err := s.MarkSent(t.Context(), sent); err != nil {
							t.Errorf("mark sent: %v", err)
						}
					}
				})
			}
			all.Wait()
			twice := 0
			for _, c := range claims {
				twice += c - 1
			}
			if len(claims) != n || twice != 0 {
				t.Errorf("got %d items claimed, %d of them twice, want %d and 0", len(claims), twice, n)
			}
		})
	}
}

func TestRacingClaimsHaveOneWinner(t *testing.T) {
	both(t, func(w *world) {
		id := w.accept(w.message("x"))
		wins := make([]error, 20)
		var all sync.WaitGroup
		for i := range wins {
			all.Go(func() { _, wins[i] = w.Claim(t.Context(), id, store.StageJudge, "w") })
		}
		all.Wait()
		won := 0
		for _, err := range wins {
			if err == nil {
				won++
			} else if !errors.Is(err, store.ErrClaimed) {
				t.Errorf("got %v, want ErrClaimed", err)
			}
		}
		if won != 1 {
			t.Errorf("got %d winners, want 1", won)
		}
	})
}

func TestTheSweeperBringsBackWhatWasLost(t *testing.T) {
	both(t, func(w *world) {
		id := w.accept(w.message("x"))
		take := func() []store.Task {
			tasks, err := w.PendingTasks(t.Context(), 10)
			w.must(err)
			return tasks
		}
		send := func() store.Task {
			tasks := take()
			if len(tasks) != 1 {
				t.Fatalf("got tasks %+v, want one", tasks)
			}
			w.must(w.MarkSent(t.Context(), []int64{tasks[0].ID}))
			return tasks[0]
		}
		sweep := func(want int) {
			t.Helper()
			if n, err := w.Sweep(t.Context(), 20*time.Second); n != want || err != nil {
				t.Fatalf("got %d swept, %v, want %d", n, err, want)
			}
		}
		send()
		sweep(0)
		w.clock.pass(41 * time.Second) // the queue was wiped before anybody came
		sweep(1)
		if again := send(); again.TaskID() != id+":judge#1" {
			t.Errorf("got task id %s, want one that the queue cannot know", again.TaskID())
		}
		w.claim(id)
		w.clock.pass(5 * time.Second)
		sweep(0)
		w.clock.pass(16 * time.Second) // the worker died
		sweep(1)
		send()
		w.commit(w.claim(id), store.Outcome{Verdict: allowed()})
		w.clock.pass(time.Hour)
		sweep(0)

		first := w.accept(w.message("y")) // a relay that died after taking it
		take()
		if got := take(); len(got) != 0 {
			t.Errorf("got %+v while another relay holds it, want nothing", got)
		}
		w.clock.pass(6 * time.Second)
		if got := take(); len(got) != 1 || got[0].Ref != first {
			t.Errorf("got %+v after the relay's lease, want %s", got, first)
		}
	})
}

func TestAReleasedItemComesBackLater(t *testing.T) {
	both(t, func(w *world) {
		id := w.accept(w.message("x"))
		w.must(w.Release(t.Context(), w.claim(id), time.Minute, true))
		if tasks, err := w.PendingTasks(t.Context(), 10); len(tasks) != 0 || err != nil {
			t.Errorf("got %v, %v, want nothing yet", tasks, err)
		}
		w.clock.pass(2 * time.Minute)
		if tasks, err := w.PendingTasks(t.Context(), 10); len(tasks) != 1 || err != nil {
			t.Errorf("got %v, %v, want the task again", tasks, err)
		}
	})
}

func TestWhoWatchesHearsOfTheVerdict(t *testing.T) {
	both(t, func(w *world) {
		id := w.accept(w.message("x"))
		judged, cancel := w.Watch(id)
		defer cancel()
		w.commit(w.claim(id), store.Outcome{Verdict: allowed()})
		<-judged
	})
}

func TestPostgresLeasesUseTheDatabasesClock(t *testing.T) {
	s := storetest.OpenPostgres(t, store.Options{})
	before, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.CreateUser(t.Context(), store.User{Name: "a", Role: review.Admin, PasswordHash: "x"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	after, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if u.CreatedAt.Before(before) || u.CreatedAt.After(after) {
		t.Errorf("got %s, want a time of the server between %s and %s", u.CreatedAt, before, after)
	}
}
