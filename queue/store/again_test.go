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

// votes takes a case by its id, decides it and lets the vote settle.
func (w *world) votes(r review.Reviewer, caseID string, a pipeline.Action) review.Decided {
	w.Helper()
	_, l, err := w.ClaimCase(w.Context(), r, caseID)
	w.must(err)
	done, err := w.Decide(w.Context(), r, decision(l, a))
	w.must(err)
	w.settles()
	return done
}

// dies lets the notice to mum find no way.
func (w *world) dies() {
	w.Helper()
	w.clock.pass(time.Minute)
	list, _, err := w.Deliveries(w.Context(), w.tenant, "mum", store.DeliveryPending, "", 0)
	w.must(err)
	if len(list) != 1 {
		w.Fatalf("got %d notices on their way, want 1", len(list))
	}
	w.try(w.hold(list[0].ID), store.Attempt{Channel: "mail", ErrorClass: "refused"})
}

// open is the open case about an item.
func (w *world) open(r review.Reviewer, itemID string) review.Case {
	w.Helper()
	list, _, err := w.Cases(w.Context(), r, store.CaseFilter{State: review.Open, ItemID: itemID})
	w.must(err)
	if len(list) != 1 {
		w.Fatalf("got %d open cases about the item, want 1", len(list))
	}
	return list[0]
}

func TestWhatIsLookedAtAgainIsAsGraveAsItWas(t *testing.T) {
	for name, again := range map[string]struct {
		notices []review.Notice
		flag    func(w *world, id string)
	}{
		"an appeal": {nil, func(w *world, id string) {
			_, err := w.Appeal(w.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia"})
			w.must(err)
		}},
		"a report without a label": {nil, func(w *world, id string) {
			_, err := w.Report(w.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Severity: 2})
			w.must(err)
		}},
		"a report with a mild label": {nil, func(w *world, id string) {
			_, err := w.Report(w.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Label: pipeline.SpamFlood, Severity: 0})
			w.must(err)
		}},
		"a guardian who could not be reached": {[]review.Notice{notice("review")}, func(w *world, _ string) { w.dies() }},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				rita, omar, ana := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer), w.user("ana", review.RoleReviewer)
				id, first := w.judged(held(4), again.notices...)
				w.votes(rita, first.CaseID, pipeline.Block)
				w.votes(omar, first.CaseID, pipeline.Block)
				again.flag(w, id)
				c := w.open(ana, id)
				if c.Severity != 4 || c.VotesNeeded != 2 || len(c.Labels) != 1 || c.Labels[0].Label != pipeline.BullyingThreat || c.Priority != review.PriorityOf(4) {
					w.Errorf("got %+v, want it as grave as the verdict, under its label, for two", c)
				}
				_, l, err := w.ClaimCase(w.Context(), ana, c.ID)
				w.must(err)
				w.must(w.View(w.Context(), ana, c.ID, l.Token, "text"))
				if e, err := w.Exposure(w.Context(), ana.ID); e.LastHour != 1 || err != nil {
					w.Errorf("got %+v, %v, want the look counted as a severe one", e, err)
				}
				w.well()
			})
		})
	}
}

func TestWhatTwoDecidedAfterAGraveReportIsNotMildAgain(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		id, _ := w.judged(allowed())
		first, err := w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Label: pipeline.SexualExtortion, Severity: 4})
		w.must(err)
		w.votes(rita, first, pipeline.Block)
		w.votes(omar, first, pipeline.Block)
		_, err = w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "ana", Severity: 2})
		w.must(err)
		if c := w.open(rita, id); c.Severity != 4 || c.VotesNeeded != 2 {
			t.Errorf("got severity %d and %d votes, want 4 and 2: two people blocked it", c.Severity, c.VotesNeeded)
		}
	})
}

func TestAnAppealGoesToOtherEyesThanDecidedBefore(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		id, first := w.judged(held(3))
		w.votes(rita, first.CaseID, pipeline.Block)
		appeal, err := w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia"})
		w.must(err)
		if _, _, err := w.NextCase(t.Context(), rita); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for who blocked it, want nothing", err)
		}
		if _, _, err := w.ClaimCase(t.Context(), rita, appeal); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v for who blocked it by id, want ErrForbidden", err)
		}
		c, l := w.take(omar)
		if c.ID != appeal {
			t.Fatalf("got %s for another, want the appeal", c.ID)
		}
		w.must(w.ReleaseCase(t.Context(), omar, c.ID, l.Token, ""))

		// and when nobody else is there, it is heard all the same
		stranger, err := w.CreateUser(t.Context(), store.User{Tenant: "ten_other", Name: "stranger", Role: review.Senior, PasswordHash: "x"}, "test")
		w.must(err)
		w.user("adam", review.Admin)
		w.must(w.DisableUser(t.Context(), omar.ID, "test"))
		if _, _, err := w.NextCase(t.Context(), stranger.Reviewer()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant, want nothing", err)
		}
		if got := w.votes(rita, appeal, pipeline.Allow); !got.Closed || w.item(id).Action != pipeline.Allow {
			t.Errorf("got %+v, want the only reviewer to decide it", got)
		}
		w.well()
	})
}

func TestAGraveAppealTakesItsSecondVoteFromWhoDecidedBeforeOnlyWhenTheOthersHaveVoted(t *testing.T) {
	both(t, func(w *world) {
		rita, omar, ana := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer), w.user("ana", review.RoleReviewer)
		id, first := w.judged(held(4))
		w.votes(rita, first.CaseID, pipeline.Block)
		w.votes(omar, first.CaseID, pipeline.Block)
		appeal, err := w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia"})
		w.must(err)
		if _, _, err := w.ClaimCase(t.Context(), rita, appeal); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v while ana has not voted, want ErrForbidden", err)
		}
		if got := w.votes(ana, appeal, pipeline.Allow); !got.NeedsSecond || w.item(id).Action != pipeline.Block {
			t.Errorf("got %+v, want it blocked until a second person agrees", got)
		}
		if got := w.votes(rita, appeal, pipeline.Allow); !got.Closed || w.item(id).Action != pipeline.Allow {
			t.Errorf("got %+v, want the second vote from who is left", got)
		}
	})
}

func TestACopysAppealGoesToOtherEyesToo(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
		second, _ := w.sent(picture{"ben", "f", pdqBent(0), ""}, heldFor(ground, 2))
		w.decide(rita, pipeline.Block, false)
		appeal, err := w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: second, By: "ben"})
		w.must(err)
		w.settles()
		if _, _, err := w.ClaimCase(t.Context(), rita, appeal); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v for who blocked the picture, want ErrForbidden", err)
		}
		if c, _ := w.take(omar); c.ID != appeal {
			t.Errorf("got %s, want the appeal for another", c.ID)
		}
	})
}

func TestWhoDecidedBeforeDoesNotDecideAnAppealThatJoinedWhatTheyHold(t *testing.T) {
	both(t, func(w *world) {
		rita := w.user("rita", review.RoleReviewer)
		w.user("omar", review.RoleReviewer)
		id, first := w.judged(held(3))
		w.votes(rita, first.CaseID, pipeline.Block)
		_, err := w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo"})
		w.must(err)
		c, l := w.take(rita)
		_, err = w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia"})
		w.must(err)
		if _, err := w.Decide(t.Context(), rita, decision(l, pipeline.Allow)); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v, want ErrForbidden: %s is an appeal now", err, c.ID)
		}
		if it := w.item(id); it.Action != pipeline.Block {
			t.Errorf("got %s, want it blocked still", it.Action)
		}
	})
}

func TestANoticeThatReachedNobodyIsSeenWithoutUndoingTheBlock(t *testing.T) {
	both(t, func(w *world) {
		e, rita := w.endpoint(), w.user("rita", review.RoleReviewer)
		id, first := w.judged(held(3), notice("review"))
		w.votes(rita, first.CaseID, pipeline.Block)
		blocked := w.item(id)
		w.dies()
		c := w.open(rita, id)
		if c.Kind != review.KindNotice {
			t.Fatalf("got a %s case, want one about the notice", c.Kind)
		}
		_, l, err := w.ClaimCase(t.Context(), rita, c.ID)
		w.must(err)
		for _, milder := range []pipeline.Action{pipeline.Allow, pipeline.Warn, pipeline.Blur} {
			if _, err := w.Decide(t.Context(), rita, decision(l, milder)); !errors.Is(err, store.ErrIllegal) {
				t.Errorf("got %v for %s, want ErrIllegal", err, milder)
			}
		}
		got, err := w.Decide(t.Context(), rita, decision(l, review.Keep))
		w.must(err)
		it := w.item(id)
		if !got.Closed || it.Action != pipeline.Block || it.State != store.Closed || it.Decision == nil || *it.Decision != *blocked.Decision {
			t.Errorf("got %+v, %s, %+v, want the case closed and the block as it was", got, it.Action, it.Decision)
		}
		list, _, err := w.Deliveries(t.Context(), w.tenant, e.ID, "", "", 0)
		w.must(err)
		if n := slices.IndexFunc(list, func(d store.Delivery) bool { return d.CaseID == c.ID }); n >= 0 {
			t.Errorf("got %+v, want no event: nothing was decided anew", list[n])
		}
		w.well()
		l, err = w.Undo(t.Context(), rita, c.ID)
		w.must(err)
		if it := w.item(id); it.Action != pipeline.Block || it.State != store.Closed || w.open(rita, id).ID != c.ID {
			t.Errorf("got %s, %s after the undo, want the item as before and the case open", it.Action, it.State)
		}
		_, err = w.Decide(t.Context(), rita, decision(l, pipeline.Block))
		w.must(err)
		w.well()
	})
}

func TestOnlyACaseAboutANoticeIsSeenAndLeft(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		id, first := w.judged(held(3), notice("review"))
		_, l := w.take(rita)
		if _, err := w.Decide(t.Context(), rita, decision(l, review.Keep)); !errors.Is(err, store.ErrIllegal) {
			t.Errorf("got %v for an item that waits for its end, want ErrIllegal", err)
		}
		w.votes(rita, first.CaseID, pipeline.Block)
		w.dies()
		_, err := w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia"})
		w.must(err)
		if c := w.open(omar, id); c.Kind != review.KindAppeal {
			t.Errorf("got a %s case, want that of the appeal which joined it", c.Kind)
		}
		if got := w.votes(omar, w.open(omar, id).ID, pipeline.Allow); !got.Closed || w.item(id).Action != pipeline.Allow {
			t.Errorf("got %+v, want the appeal decided", got)
		}
		w.well()
	})
}

func TestWhatNobodyCouldJudgeIsAsGraveInTheQueueAsPolicySays(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		v := pipeline.Verdict{Action: pipeline.Hold, PolicyVersion: "p1", Unjudged: 2, Escalations: []pipeline.Escalation{{To: "reviewer", Urgency: pipeline.Soon}}}
		id, done := w.judged(v)
		c, err := w.Case(t.Context(), r, done.CaseID)
		w.must(err)
		if c.Severity != 2 || w.item(id).Verdict.Severity() != 2 {
			t.Errorf("got severity %d, %d with the item, want 2", c.Severity, w.item(id).Verdict.Severity())
		}
		w.votes(r, c.ID, pipeline.Allow)
		_, err = w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia"})
		w.must(err)
		if c := w.open(r, id); c.Severity != 2 {
			t.Errorf("got severity %d for an appeal, want 2 as before", c.Severity)
		}
	})
}
