package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// take gives the reviewer the next case.
func (w *world) take(r review.Reviewer) (review.Case, review.Lease) {
	w.Helper()
	c, l, err := w.NextCase(w.Context(), r)
	w.must(err)
	return c, l
}

// settles lets the time pass in which the last vote can be taken back.
func (w *world) settles() { w.clock.pass(review.UndoFor) }

func decision(l review.Lease, a pipeline.Action) review.Decision {
	return review.Decision{CaseID: l.CaseID, Token: l.Token, Action: a, Labels: []pipeline.Label{pipeline.BullyingThreat}, Reason: "agree", Note: "seen it", NotifyGuardians: true}
}

func (w *world) endpoint() store.Endpoint {
	w.Helper()
	e, err := w.CreateEndpoint(w.Context(), store.Endpoint{Tenant: w.tenant, URL: "https://example.org/hook", Secrets: []string{"whsec_a"}}, "test")
	w.must(err)
	return e
}

func notice(after string) review.Notice {
	return review.Notice{To: "guardian", Recipient: "mum", Child: "mia", TextKey: "bullying", Urgency: pipeline.Soon, After: after}
}

func TestADecisionResolvesTheItemOnce(t *testing.T) {
	both(t, func(w *world) {
		e, r := w.endpoint(), w.user("rita", review.RoleReviewer)
		id, done := w.judged(held(3), notice("review"))
		c, l := w.take(r)
		if c.ID != done.CaseID || c.Severity != 3 || c.Deadline.Sub(c.OpenedAt) != 5*time.Minute || len(c.Labels) != 1 || c.VotesNeeded != 1 {
			t.Errorf("got case %+v, want that of the verdict", c)
		}
		got, err := w.Decide(t.Context(), r, decision(l, pipeline.Block))
		w.must(err)
		if !got.Closed || got.NeedsSecond {
			t.Errorf("got %+v, want the case closed", got)
		}
		it := w.item(id)
		if it.State != store.Closed || it.Ending != store.EndResolved || it.Action != pipeline.Block {
			t.Errorf("got %s, %s, %s, want closed, resolved, block", it.State, it.Ending, it.Action)
		}
		if _, err := w.Decide(t.Context(), r, decision(l, pipeline.Allow)); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v for a second decision, want ErrLost", err)
		}
		list, _, err := w.Deliveries(t.Context(), w.tenant, e.ID, "", "", 0)
		w.must(err)
		if len(list) != 2 || list[0].Effect != store.EventResolved || list[1].Effect != store.EventJudged || !strings.Contains(string(list[0].Payload), c.ID) {
			t.Errorf("got deliveries %+v, want resolved and judged", list)
		}
		list, _, err = w.Deliveries(t.Context(), w.tenant, "mum", "", "", 0)
		w.must(err)
		if len(list) != 1 || list[0].State != store.DeliveryPending || list[0].DueAt.Sub(w.clock.now()) != review.UndoFor {
			t.Errorf("got notices %+v, want one that goes out after the undo window", list)
		}
		votes, err := w.Votes(t.Context(), r, c.ID)
		w.must(err)
		if len(votes) != 1 || votes[0].Note != "seen it" || votes[0].Action != pipeline.Block {
			t.Errorf("got votes %+v, want the one", votes)
		}
		w.well()
	})
}

func TestADecisionAgainstTellingCancelsTheNotice(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		w.judged(held(3), notice("review"))
		_, l := w.take(r)
		d := decision(l, pipeline.Allow)
		d.NotifyGuardians = false
		_, err := w.Decide(t.Context(), r, d)
		w.must(err)
		list, _, err := w.Deliveries(t.Context(), w.tenant, "mum", "", "", 0)
		w.must(err)
		if len(list) != 1 || list[0].State != store.DeliveryCancelled {
			t.Errorf("got %+v, want it cancelled", list)
		}
	})
}

func TestSevereCasesNeedTwoBlindVotes(t *testing.T) {
	both(t, func(w *world) {
		rita, omar, sena := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer), w.user("sena", review.Senior)
		id, _ := w.judged(held(4))
		c, l := w.take(rita)
		got, err := w.Decide(t.Context(), rita, decision(l, pipeline.Block))
		w.must(err)
		if got.Closed || !got.NeedsSecond || w.item(id).State != store.InReview {
			t.Errorf("got %+v, want another vote needed", got)
		}
		if _, _, err := w.NextCase(t.Context(), rita); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for the first voter, want nothing more", err)
		}
		if _, _, err := w.ClaimCase(t.Context(), rita, c.ID); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v for the first voter by id, want ErrForbidden", err)
		}
		w.settles()
		_, l = w.take(omar)
		if votes, err := w.Votes(t.Context(), omar, c.ID); len(votes) != 0 || err != nil {
			t.Errorf("got %v, %v, want the first vote hidden", votes, err)
		}
		got, err = w.Decide(t.Context(), omar, decision(l, pipeline.Allow))
		w.must(err)
		if got.Closed || !got.NeedsSenior {
			t.Errorf("got %+v for two who differ, want a senior", got)
		}
		w.settles()
		third := w.user("third", review.RoleReviewer)
		if _, _, err := w.NextCase(t.Context(), third); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for one who is no senior, want ErrNotFound", err)
		}
		_, l = w.take(sena)
		if votes, err := w.Votes(t.Context(), sena, c.ID); len(votes) != 2 || err != nil {
			t.Errorf("got %d votes, %v, want the senior to see 2", len(votes), err)
		}
		got, err = w.Decide(t.Context(), sena, decision(l, pipeline.Allow))
		w.must(err)
		if it := w.item(id); !got.Closed || it.Ending != store.EndResolved || it.Action != pipeline.Allow {
			t.Errorf("got %+v, %s, want it resolved as the senior says", got, it.Action)
		}
		w.well()
	})
}

func TestTwoWhoAgreeCloseASevereCase(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		id, _ := w.judged(held(4))
		_, l := w.take(rita)
		got, err := w.Decide(t.Context(), rita, decision(l, pipeline.Block))
		w.must(err)
		if !got.NeedsSecond {
			t.Errorf("got %+v, want a second vote", got)
		}
		w.settles()
		_, l = w.take(omar)
		if got, err = w.Decide(t.Context(), omar, decision(l, pipeline.Block)); err != nil || !got.Closed || w.item(id).Ending != store.EndResolved {
			t.Errorf("got %+v, %v, want it closed", got, err)
		}
	})
}

func TestADecisionWithoutLabelsTellsOfAnEmptyListOfThem(t *testing.T) {
	both(t, func(w *world) {
		e, r := w.endpoint(), w.user("rita", review.RoleReviewer)
		w.judged(held(3))
		_, l := w.take(r)
		allow := decision(l, pipeline.Allow)
		allow.Labels = nil
		_, err := w.Decide(t.Context(), r, allow)
		w.must(err)
		list, _, err := w.Deliveries(t.Context(), w.tenant, e.ID, "", "", 0)
		w.must(err)
		if len(list) != 2 || !strings.Contains(string(list[0].Payload), `"labels":[]`) {
			t.Errorf("got %s, want no null", list[0].Payload)
		}
	})
}

func TestUndoPutsEverythingBack(t *testing.T) {
	both(t, func(w *world) {
		e, r := w.endpoint(), w.user("rita", review.RoleReviewer)
		id, _ := w.judged(held(3), notice("review"))
		c, l := w.take(r)
		_, err := w.Decide(t.Context(), r, decision(l, pipeline.Block))
		w.must(err)
		w.clock.pass(9 * time.Second)
		l, err = w.Undo(t.Context(), r, c.ID)
		w.must(err)
		if it := w.item(id); it.State != store.InReview || it.Ending != "" || it.Action != pipeline.Hold {
			t.Errorf("got %s, %q, %s, want in review as before", it.State, it.Ending, it.Action)
		}
		list, _, err := w.Deliveries(t.Context(), w.tenant, e.ID, "", "", 0)
		w.must(err)
		if len(list) != 1 || list[0].Effect != store.EventJudged {
			t.Errorf("got %+v, want item.resolved recalled", list)
		}
		if list, _, err = w.Deliveries(t.Context(), w.tenant, "mum", store.DeliveryWaiting, "", 0); len(list) != 1 || err != nil {
			t.Errorf("got %+v, %v, want the notice waiting again", list, err)
		}
		w.well()
		_, err = w.Decide(t.Context(), r, decision(l, pipeline.Allow))
		w.must(err)
		w.clock.pass(11 * time.Second)
		if _, err := w.Undo(t.Context(), r, c.ID); !errors.Is(err, store.ErrTooLate) {
			t.Errorf("got %v after the window, want ErrTooLate", err)
		}
		if l := w.well(); l.Ended[store.EndResolved] != 1 {
			t.Errorf("got %+v, want one resolved", l)
		}
	})
}

func TestUndoAfterTheFactIsToldToWhoHeard(t *testing.T) {
	both(t, func(w *world) {
		e, r := w.endpoint(), w.user("rita", review.RoleReviewer)
		w.judged(held(3))
		c, l := w.take(r)
		_, err := w.Decide(t.Context(), r, decision(l, pipeline.Block))
		w.must(err)
		list, _, err := w.Deliveries(t.Context(), w.tenant, e.ID, "", "", 0)
		w.must(err)
		w.clock.pass(10 * time.Second)
		sent, err := w.ClaimDelivery(t.Context(), list[0].ID, "w", time.Minute)
		w.must(err)
		_, err = w.RecordAttempt(t.Context(), sent, store.Attempt{Delivered: true, StatusCode: 200, Channel: "webhook"})
		w.must(err)
		_, err = w.Undo(t.Context(), r, c.ID)
		w.must(err)
		list, _, err = w.Deliveries(t.Context(), w.tenant, e.ID, store.DeliveryPending, "", 0)
		w.must(err)
		if len(list) != 2 || list[0].Effect != store.EventReversed {
			t.Errorf("got %+v, want item.reversed", list)
		}
	})
}

func TestTheQueueGivesTheRiskiestFirst(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		_, mild := w.judged(held(1))
		_, grave := w.judged(held(3))
		c, l := w.take(rita)
		if c.ID != grave.CaseID {
			t.Errorf("got %s first, want the graver %s", c.ID, grave.CaseID)
		}
		if again, same := w.take(rita); again.ID != c.ID || same.Token != l.Token {
			t.Errorf("got %s, want the reviewer's own case again", again.ID)
		}
		if got, _ := w.take(omar); got.ID != mild.CaseID {
			t.Errorf("got %s for another, want %s", got.ID, mild.CaseID)
		}
		if _, _, err := w.ClaimCase(t.Context(), omar, c.ID); !errors.Is(err, store.ErrClaimed) {
			t.Errorf("got %v for a leased case, want ErrClaimed", err)
		}
		w.must(w.ReleaseCase(t.Context(), rita, l.CaseID, l.Token, "tired"))
		if _, _, err := w.NextCase(t.Context(), rita); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v after a skip, want nothing else", err)
		}
		w.clock.pass(11 * time.Minute) // omar went home
		if got, _ := w.take(rita); got.ID != mild.CaseID {
			t.Errorf("got %s, want the case whose lease ran out", got.ID)
		}
		if err := w.ReleaseCase(t.Context(), rita, l.CaseID, l.Token, ""); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v with an old token, want ErrLost", err)
		}
		n, err := w.CaseCounts(t.Context(), rita)
		w.must(err)
		if n.Open != 2 || n.Leased != 1 || n.Overdue != 2 || n.BySeverity != [5]int{0, 1, 0, 1, 0} || n.ByAge != [5]int{0, 2, 0, 0, 0} {
			t.Errorf("got counts %+v", n)
		}
	})
}

func TestTheOrderOfTheQueueIsReviewRank(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		patient := held(1) // 20 points, an hour of deadline
		patient.Deadline = time.Hour
		w.judged(patient)
		w.clock.pass(3 * time.Hour)
		fresh := held(3) // 60 points, just now
		w.judged(fresh)
		for {
			open, _, err := w.Cases(t.Context(), r, store.CaseFilter{State: review.Open})
			w.must(err)
			if len(open) == 0 {
				return
			}
			want := open[0]
			for _, c := range open[1:] {
				if review.Rank(c, w.clock.now()) > review.Rank(want, w.clock.now()) {
					want = c
				}
			}
			c, l := w.take(r)
			if c.ID != want.ID {
				t.Fatalf("got %s, want %s by review.Rank", c.ID, want.ID)
			}
			_, err = w.Decide(t.Context(), r, decision(l, pipeline.Allow))
			w.must(err)
		}
	})
}

func TestOnlyReviewersOfTheTenantSeeItsCases(t *testing.T) {
	both(t, func(w *world) {
		_, done := w.judged(held(3))
		for _, role := range []review.Role{review.Admin, review.ML, review.Auditor} {
			r := w.user(string(role), role)
			if _, _, err := w.NextCase(t.Context(), r); !errors.Is(err, store.ErrForbidden) {
				t.Errorf("%s: got %v, want ErrForbidden", role, err)
			}
			r.Role = review.Senior // what a caller claims does not count
			if _, _, err := w.ClaimCase(t.Context(), r, done.CaseID); !errors.Is(err, store.ErrForbidden) {
				t.Errorf("%s posing as senior: got %v, want ErrForbidden", role, err)
			}
		}
		other, err := w.CreateUser(t.Context(), store.User{Tenant: "ten_other", Name: "stranger", Role: review.Senior, PasswordHash: "x"}, "test")
		w.must(err)
		if _, _, err := w.NextCase(t.Context(), other.Reviewer()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant's senior, want ErrNotFound", err)
		}
		if _, err := w.Case(t.Context(), other.Reviewer(), done.CaseID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v by id, want ErrNotFound", err)
		}
		gone := w.user("gone", review.RoleReviewer)
		_, l := w.take(gone)
		w.must(w.DisableUser(t.Context(), gone.ID, "test"))
		if _, err := w.Decide(t.Context(), gone, decision(l, pipeline.Allow)); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v for a disabled user, want ErrForbidden", err)
		}
		if c, _ := w.take(w.user("next", review.RoleReviewer)); c.ID != done.CaseID {
			t.Errorf("got %s, want the case given back", c.ID)
		}
	})
}

func TestSevereViewsAreCapped(t *testing.T) {
	bothWith(t, store.Options{SevereViewsPerHour: 1}, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		w.judged(held(3))
		w.judged(held(3))
		_, easy := w.judged(held(1))
		c, l := w.take(r)
		if err := w.View(t.Context(), r, c.ID, "wrong", "original"); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v without the lease, want ErrForbidden", err)
		}
		w.must(w.View(t.Context(), r, c.ID, l.Token, "original"))
		w.must(w.View(t.Context(), r, c.ID, l.Token, "original"))
		log, err := w.AuditLog(t.Context(), w.tenant, 1, 100)
		w.must(err)
		if len(log) != 2 || log[0].Act != "media.view" || log[0].Actor != r.ID || log[0].Subject != c.ID {
			t.Errorf("got audit %+v, want a line for each view", log)
		}
		if e, err := w.Exposure(t.Context(), r.ID); e != (store.Exposure{LastHour: 1, LastDay: 1}) || err != nil {
			t.Errorf("got %+v, %v, want one severe case", e, err)
		}
		_, err = w.Decide(t.Context(), r, decision(l, pipeline.Allow))
		w.must(err)
		if c, l = w.take(r); c.ID != easy.CaseID {
			t.Errorf("got %s at the cap, want the easy one", c.ID)
		}
		w.must(w.ReleaseCase(t.Context(), r, c.ID, l.Token, "later"))
		if _, _, err := w.NextCase(t.Context(), r); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v at the cap, want nothing severe", err)
		}
		w.clock.pass(61 * time.Minute)
		if c, _ := w.take(r); c.Severity != 3 {
			t.Errorf("got severity %d an hour later, want 3", c.Severity)
		}
	})
}

func TestReportsAndAppealsJoinTheOpenCase(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		id := w.accept(w.message("x"))
		report := review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Label: pipeline.UnsupportedWeapons, Note: "he wrote something", Severity: 2}
		first, err := w.Report(t.Context(), report)
		w.must(err)
		if _, err := w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia"}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v for an appeal before the verdict, want ErrConflict", err)
		}
		if _, _, err := w.NextCase(t.Context(), r); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want the report to wait for the verdict", err)
		}
		if _, _, err := w.ClaimCase(t.Context(), r, first); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v for the case by its id, want ErrConflict until the verdict", err)
		}
		if again, err := w.Report(t.Context(), report); again != first || err != nil {
			t.Errorf("got %s, %v for the same report, want %s", again, err, first)
		}
		if done := w.commit(w.claim(id), store.Outcome{Verdict: held(3)}); done.CaseID != first {
			t.Errorf("got case %s of the verdict, want it to join %s", done.CaseID, first)
		}
		c, l := w.take(r)
		if c.Kind != review.KindVerdict || c.Reports != 1 || c.Severity != 3 {
			t.Errorf("got %+v, want one case of both", c)
		}
		if !slices.ContainsFunc(c.Reasons, func(r string) bool { return strings.HasPrefix(r, "report") }) || !slices.Contains(c.Reasons, "threshold") {
			t.Errorf("got reasons %v, want the report's and the verdict's", c.Reasons)
		}
		notes, err := w.Notes(t.Context(), r, first)
		w.must(err)
		if len(notes) != 1 || notes[0].Text != "he wrote something" || notes[0].By != "leo" {
			t.Errorf("got notes %+v, want the report's", notes)
		}
		_, err = w.Decide(t.Context(), r, decision(l, pipeline.Block))
		w.must(err)
		appeal, err := w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia", Note: "it was a game"})
		w.must(err)
		if appeal == first {
			t.Error("got the closed case for an appeal, want a new one")
		}
		w.settles()
		_, l = w.take(r)
		_, err = w.Decide(t.Context(), r, decision(l, pipeline.Allow))
		w.must(err)
		if it := w.item(id); it.Action != pipeline.Allow || it.Ending != store.EndResolved || it.CaseID != appeal {
			t.Errorf("got %s, %s, want allow by the appeal, still resolved", it.Action, it.Ending)
		}
		if _, err := w.Report(t.Context(), review.Report{Tenant: "ten_other", ItemID: id, Reporter: "x"}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant's report, want ErrNotFound", err)
		}
		w.well()
	})
}

func TestAReviewersCallsNeedTheLease(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		w.judged(held(2))
		c, l := w.take(r)
		w.clock.pass(9 * time.Minute)
		l, err := w.HeartbeatCase(t.Context(), r, c.ID, l.Token)
		w.must(err)
		w.clock.pass(9 * time.Minute)
		w.must(w.EscalateCase(t.Context(), r, review.Escalation{CaseID: c.ID, Token: l.Token, Reason: "unsure"}))
		if _, err := w.HeartbeatCase(t.Context(), r, c.ID, l.Token); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v after handing it on, want ErrLost", err)
		}
		if _, err := w.Decide(t.Context(), r, decision(review.Lease{CaseID: c.ID}, pipeline.Allow)); !errors.Is(err, store.ErrLost) {
			t.Errorf("got %v without a token, want ErrLost", err)
		}
		if _, _, err := w.ClaimCase(t.Context(), r, c.ID); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v for what waits for a senior, want ErrForbidden", err)
		}
		sena := w.user("sena", review.Senior)
		_, l = w.take(sena)
		if _, err := w.Decide(t.Context(), sena, decision(l, pipeline.Hold)); !errors.Is(err, store.ErrIllegal) {
			t.Errorf("got %v for hold, want ErrIllegal", err)
		}
		if got, err := w.Decide(t.Context(), sena, decision(l, pipeline.Warn)); err != nil || !got.Closed {
			t.Errorf("got %+v, %v, want it closed", got, err)
		}
	})
}

func TestWhatAPersonDecidesAboutAnItemThatHadEndedIsItsDecision(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		id, _ := w.judged(allowed())
		if d := w.item(id).Decision; d != nil {
			t.Errorf("got %+v, want none before anybody looked", d)
		}
		says := func(reporter string, a pipeline.Action) (caseID string, at time.Time) {
			_, err := w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: reporter})
			w.must(err)
			w.clock.pass(time.Minute)
			return w.decide(r, a, false), w.clock.now()
		}
		holds := func(a pipeline.Action, at time.Time) {
			t.Helper()
			it := w.item(id)
			if it.Decision == nil || it.Decision.Action != a || !it.Decision.At.Equal(at) || it.Ending != store.EndAllowed {
				t.Errorf("got %+v on an item that ended %s, want %s at %s", it.Decision, it.Ending, a, at)
			}
			list, _, err := w.Items(t.Context(), w.tenant, store.Filter{})
			w.must(err)
			if len(list) != 1 || *list[0].Decision != *it.Decision {
				t.Errorf("got %+v in the list, want the same decision", list)
			}
		}
		_, blocked := says("leo", pipeline.Block)
		holds(pipeline.Block, blocked)
		second, warned := says("ana", pipeline.Warn)
		holds(pipeline.Warn, warned)
		_, err := w.Undo(t.Context(), r, second)
		w.must(err)
		holds(pipeline.Block, blocked)
		w.well()
	})
}

func TestTheListOfCasesIsReadPageByPageNewestFirst(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		var want []string
		for range 5 {
			_, done := w.judged(held(1))
			want = append([]string{done.CaseID}, want...)
		}
		var got []string
		for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
			list, next, err := w.Cases(t.Context(), r, store.CaseFilter{State: review.Open, Cursor: cursor, Limit: 2})
			w.must(err)
			for _, c := range list {
				got = append(got, c.ID)
			}
			cursor = next
		}
		if !slices.Equal(got, want) {
			t.Errorf("got cases %v, want %v", got, want)
		}
	})
}

func TestOneVoteAgainstTellingGuardiansIsEnough(t *testing.T) {
	type vote struct {
		action pipeline.Action
		tell   bool
	}
	for name, c := range map[string]struct {
		votes []vote
		want  store.DeliveryState
	}{
		"both tell":                                  {[]vote{{pipeline.Block, true}, {pipeline.Block, true}}, store.DeliveryPending},
		"the first does not":                         {[]vote{{pipeline.Block, false}, {pipeline.Block, true}}, store.DeliveryCancelled},
		"the last does not":                          {[]vote{{pipeline.Block, true}, {pipeline.Block, false}}, store.DeliveryCancelled},
		"a senior tells where nobody said no":        {[]vote{{pipeline.Block, true}, {pipeline.Allow, false}, {pipeline.Block, true}}, store.DeliveryPending},
		"a senior cannot tell over a no":             {[]vote{{pipeline.Block, false}, {pipeline.Allow, false}, {pipeline.Block, true}}, store.DeliveryCancelled},
		"a no for another action counts as well":     {[]vote{{pipeline.Warn, false}, {pipeline.Block, true}, {pipeline.Block, true}}, store.DeliveryCancelled},
		"what is let through is nobody's to be told": {[]vote{{pipeline.Allow, false}, {pipeline.Allow, false}}, store.DeliveryCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				voters := []review.Reviewer{w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer), w.user("sena", review.Senior)}
				_, done := w.judged(held(4), notice("review"))
				for i, v := range c.votes {
					w.settles()
					w.decide(voters[i], v.action, v.tell)
				}
				list, _, err := w.Deliveries(w.Context(), w.tenant, "mum", "", "", 0)
				w.must(err)
				if len(list) != 1 || list[0].State != c.want {
					w.Errorf("got %+v, want the notice %s", list, c.want)
				}
				votes, err := w.Votes(w.Context(), voters[0], done.CaseID)
				w.must(err)
				for i, v := range votes {
					if v.NotifyGuardians != c.votes[i].tell {
						w.Errorf("vote %d: got tell %t on record, want %t", i, v.NotifyGuardians, c.votes[i].tell)
					}
				}
			})
		})
	}
}

func TestWhatIsHandedToASeniorStaysWithSeniors(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		sena, sol := w.user("sena", review.Senior), w.user("sol", review.Senior)
		w.judged(held(4))
		c, l := w.take(rita)
		if err := w.EscalateCase(t.Context(), rita, review.Escalation{CaseID: c.ID, Token: l.Token}); !errors.Is(err, store.ErrIllegal) {
			t.Errorf("got %v without a reason, want ErrIllegal", err)
		}
		w.must(w.EscalateCase(t.Context(), rita, review.Escalation{CaseID: c.ID, Token: l.Token, Reason: "guardian_risk"}))
		if c, l = w.take(sena); c.Escalated != "guardian_risk" {
			t.Errorf("got %q, want the reason for the senior", c.Escalated)
		}
		got, err := w.Decide(t.Context(), sena, decision(l, pipeline.Block))
		w.must(err)
		if !got.NeedsSecond {
			t.Errorf("got %+v, want a second vote on the gravest", got)
		}
		w.settles()
		if _, _, err := w.NextCase(t.Context(), omar); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for a reviewer after the senior's vote, want ErrNotFound", err)
		}
		if _, _, err := w.ClaimCase(t.Context(), omar, c.ID); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v by id, want ErrForbidden", err)
		}
		_, l = w.take(sol)
		if got, err = w.Decide(t.Context(), sol, decision(l, pipeline.Block)); err != nil || !got.Closed {
			t.Errorf("got %+v, %v, want it closed by the second senior", got, err)
		}
	})
}

func TestUndoOfAnEarlierVoteKeepsTheEscalation(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		w.judged(held(4))
		w.decide(rita, pipeline.Block, false)
		w.settles() // and at the last moment rita still may
		c, l := w.take(omar)
		w.must(w.EscalateCase(t.Context(), omar, review.Escalation{CaseID: c.ID, Token: l.Token, Reason: "law"}))
		if l, err := w.Undo(t.Context(), rita, c.ID); l.Token != "" || err != nil {
			t.Errorf("got %+v, %v, want the vote taken back and no lease", l, err)
		}
		if _, _, err := w.ClaimCase(t.Context(), rita, c.ID); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("got %v, want ErrForbidden: the case is a senior's now", err)
		}
		if got, _ := w.take(w.user("sena", review.Senior)); got.ID != c.ID || got.Votes != 0 {
			t.Errorf("got %+v, want the senior to have it at once", got)
		}
	})
}

func TestUndoDoesNotOpenACaseThatAnErasureClosed(t *testing.T) {
	for name, severity := range map[string]int{"the vote closed it": 3, "the vote waited for a second": 4} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				r := w.user("rita", review.RoleReviewer)
				w.judged(held(severity))
				id := w.decide(r, pipeline.Block, false)
				_, err := w.EraseAccount(w.Context(), w.tenant, "mia", "key")
				w.must(err)
				if _, err := w.Undo(w.Context(), r, id); !errors.Is(err, store.ErrTooLate) {
					w.Errorf("got %v, want ErrTooLate", err)
				}
				if c, err := w.Case(w.Context(), r, id); err != nil || c.State != review.Closed {
					w.Errorf("got %s, %v, want the case closed", c.State, err)
				}
				w.well()
			})
		})
	}
}
