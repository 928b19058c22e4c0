package store_test

import (
	"errors"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

func TestWhoChangesTheirVoteBesideAnothersSendsTheCaseToASenior(t *testing.T) {
	both(t, func(w *world) {
		rita, omar, sena := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer), w.user("sena", review.Senior)
		id, done := w.judged(held(4))
		w.votes(rita, done.CaseID, pipeline.Block)
		_, l, err := w.ClaimCase(t.Context(), omar, done.CaseID)
		w.must(err)
		got, err := w.Decide(t.Context(), omar, decision(l, pipeline.Allow))
		w.must(err)
		if !got.Blind || !got.NeedsSenior {
			t.Errorf("got %+v, want a blind vote that differs", got)
		}
		l, err = w.Undo(t.Context(), omar, done.CaseID)
		w.must(err)
		got, err = w.Decide(t.Context(), omar, decision(l, pipeline.Block))
		w.must(err)
		if got.Closed || !got.NeedsSenior || w.item(id).State != store.InReview {
			t.Errorf("got %+v for who changed their mind, want a senior to settle it", got)
		}
		w.settles()
		c, l := w.take(sena)
		if votes, err := w.Votes(t.Context(), sena, c.ID); len(votes) != 3 || err != nil {
			t.Errorf("got %d votes, %v, want the senior to see also the one that was taken back", len(votes), err)
		}
		if got, err = w.Decide(t.Context(), sena, decision(l, pipeline.Block)); err != nil || !got.Closed || got.Blind {
			t.Errorf("got %+v, %v, want it settled with open eyes", got, err)
		}
		w.well()
	})
}

func TestAVoteIsChangedFreelyWhileItStandsAlone(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		_, done := w.judged(held(4))
		_, l := w.take(rita)
		_, err := w.Decide(t.Context(), rita, decision(l, pipeline.Allow))
		w.must(err)
		l, err = w.Undo(t.Context(), rita, done.CaseID)
		w.must(err)
		_, err = w.Decide(t.Context(), rita, decision(l, pipeline.Block))
		w.must(err)
		w.settles()
		_, l = w.take(omar)
		_, err = w.Decide(t.Context(), omar, decision(l, pipeline.Block))
		w.must(err)
		if l, err = w.Undo(t.Context(), omar, done.CaseID); err != nil { // to look once more, and say the same
			t.Fatal(err)
		}
		if got, err := w.Decide(t.Context(), omar, decision(l, pipeline.Block)); err != nil || !got.Closed {
			t.Errorf("got %+v, %v, want it closed: nobody changed beside another's vote", got, err)
		}
		w.well()
	})
}

func TestTwoSeniorsVoteBlindAsWell(t *testing.T) {
	both(t, func(w *world) {
		rita, sena, sol := w.user("rita", review.RoleReviewer), w.user("sena", review.Senior), w.user("sol", review.Senior)
		w.judged(held(4))
		c, l := w.take(rita)
		w.must(w.EscalateCase(t.Context(), rita, review.Escalation{CaseID: c.ID, Token: l.Token, Reason: "law"}))
		w.votes(sena, c.ID, pipeline.Block)
		w.take(sol)
		if votes, err := w.Votes(t.Context(), sol, c.ID); len(votes) != 0 || err != nil {
			t.Errorf("got %v, %v, want the first senior's vote hidden from the second", votes, err)
		}
	})
}

func TestNobodyIsGivenACaseWhileItsLastVoteCanBeTakenBack(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		_, done := w.judged(held(4))
		_, l := w.take(rita)
		_, err := w.Decide(t.Context(), rita, decision(l, pipeline.Block))
		w.must(err)
		w.clock.pass(9 * time.Second)
		if _, _, err := w.NextCase(t.Context(), omar); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for a colleague's next case, want nothing yet", err)
		}
		if _, _, err := w.ClaimCase(t.Context(), omar, done.CaseID); !errors.Is(err, store.ErrClaimed) {
			t.Errorf("got %v by id, want ErrClaimed", err)
		}
		l, err = w.Undo(t.Context(), rita, done.CaseID)
		w.must(err)
		_, err = w.Decide(t.Context(), rita, decision(l, pipeline.Warn))
		w.must(err)
		w.settles()
		if c, _ := w.take(omar); c.ID != done.CaseID {
			t.Errorf("got %s, want the case once the vote stands", c.ID)
		}
	})
}

func TestADecisionSentTwiceIsRecordedOnceAndAnsweredAlike(t *testing.T) {
	for name, severity := range map[string]int{"one that closed the case": 3, "one of two votes": 4} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				r := w.user("rita", review.RoleReviewer)
				_, done := w.judged(held(severity))
				_, l := w.take(r)
				first, err := w.Decide(w.Context(), r, decision(l, pipeline.Block))
				w.must(err)
				w.clock.pass(time.Second)
				again, err := w.Decide(w.Context(), r, decision(l, pipeline.Block))
				w.must(err)
				if again != first {
					w.Errorf("got %+v, want the first answer, %+v", again, first)
				}
				if votes, err := w.Votes(w.Context(), r, done.CaseID); len(votes) != 1 || err != nil {
					w.Errorf("got %d votes, %v, want one", len(votes), err)
				}
				if _, err := w.Decide(w.Context(), r, decision(l, pipeline.Allow)); !errors.Is(err, store.ErrLost) {
					w.Errorf("got %v for another decision, want ErrLost", err)
				}
				other := w.user("omar", review.RoleReviewer)
				if _, err := w.Decide(w.Context(), other, decision(l, pipeline.Block)); !errors.Is(err, store.ErrLost) {
					w.Errorf("got %v for somebody else, want ErrLost", err)
				}
				w.clock.pass(review.UndoFor)
				if _, err := w.Decide(w.Context(), r, decision(l, pipeline.Block)); !errors.Is(err, store.ErrLost) {
					w.Errorf("got %v when it stands for good, want ErrLost", err)
				}
				w.well()
			})
		})
	}
}

func TestAnUrgentNoticeWaitsTheWholeWindowInWhichItCanBeCalledBack(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		n := notice("review")
		n.Urgency = pipeline.Urgent
		w.judged(held(3), n)
		id := w.decide(r, pipeline.Block, true)
		d := w.only("mum")
		w.clock.pass(9 * time.Second)
		if _, err := w.ClaimDelivery(t.Context(), d.ID, "w", time.Minute); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v within the window, want it not due", err)
		}
		_, err := w.Undo(t.Context(), r, id)
		w.must(err)
		if d := w.only("mum"); d.State != store.DeliveryWaiting {
			t.Errorf("got it %s after the undo, want it to wait again", d.State)
		}
		if gone, err := w.NoticesGone(t.Context(), r, id); len(gone) != 0 || err != nil {
			t.Errorf("got %+v, %v, want nothing gone", gone, err)
		}
	})
}

func TestWhatAnUndoCannotCallBackIsListed(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		w.judged(held(3), notice("review"))
		id := w.decide(r, pipeline.Block, true)
		w.settles()
		w.try(w.hold(w.only("mum").ID), store.Attempt{Channel: "mail", Delivered: true})
		if gone, err := w.NoticesGone(t.Context(), r, id); len(gone) != 0 || err != nil {
			t.Errorf("got %+v, %v while the decision stands, want nothing", gone, err)
		}
		_, err := w.Undo(t.Context(), r, id) // at the last moment
		w.must(err)
		gone, err := w.NoticesGone(t.Context(), r, id)
		w.must(err)
		if len(gone) != 1 || gone[0].TextKey != "bullying" || gone[0].Recipient != "mum" {
			t.Errorf("got %+v, want the notice to mum", gone)
		}
	})
}

func TestWhoMayNotLookAtWhatBecameSevereGivesItBack(t *testing.T) {
	bothWith(t, store.Options{SevereViewsPerHour: 1}, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		_, severe := w.judged(held(3))
		c, l, err := w.ClaimCase(t.Context(), rita, severe.CaseID)
		w.must(err)
		w.must(w.View(t.Context(), rita, c.ID, l.Token, "text"))
		_, err = w.Decide(t.Context(), rita, decision(l, pipeline.Block))
		w.must(err)
		id, _ := w.judged(held(1))
		c, l = w.take(rita)
		_, err = w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Severity: 4})
		w.must(err)
		if err := w.View(t.Context(), rita, c.ID, l.Token, "text"); !errors.Is(err, store.ErrCapped) {
			t.Errorf("got %v for one severe look too many, want ErrCapped", err)
		}
		if _, _, err := w.NextCase(t.Context(), rita); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want rita not stuck on it", err)
		}
		if got, _ := w.take(omar); got.ID != c.ID {
			t.Errorf("got %s, want the case free for a colleague", got.ID)
		}
	})
}
