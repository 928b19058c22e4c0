package store_test

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// acts are what the tenant's audit log says was done to a subject.
func (w *world) acts(subject string) (list []string) {
	w.Helper()
	log, err := w.AuditLog(w.Context(), w.tenant, 0, 1000)
	w.must(err)
	for _, e := range log {
		if e.Subject == subject {
			list = append(list, e.Act)
		}
	}
	return list
}

func TestAVoteIsTakenBackAlthoughAnotherCaseAboutTheItemWasOpenedMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		notices  []review.Notice
		opens    func(w *world, id string)
		reports  int
		reason   string
		severity int
	}{
		"by a report": {nil, func(w *world, id string) {
			_, err := w.Report(w.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Note: "made up", Severity: 2, Deadline: time.Minute})
			w.must(err)
		}, 1, "report", 3},
		"by a graver report": {nil, func(w *world, id string) {
			_, err := w.Report(w.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Note: "made up", Severity: 4, Deadline: time.Minute})
			w.must(err)
		}, 1, "report", 4},
		"by an appeal": {nil, func(w *world, id string) {
			_, err := w.Appeal(w.Context(), review.Appeal{Tenant: w.tenant, ItemID: id, By: "mia", Note: "made up", Deadline: time.Minute})
			w.must(err)
		}, 1, "appeal", 3},
		"by a guardian who could not be reached": {[]review.Notice{{To: "guardian", Recipient: "dad", Child: "mia", TextKey: "bullying", Urgency: pipeline.Urgent}},
			func(w *world, _ string) {
				w.try(w.hold(w.only("dad").ID), store.Attempt{Channel: "mail", ErrorClass: "refused"})
			}, 0, "guardian not reached", 3},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				e, rita := w.endpoint(), w.user("rita", review.RoleReviewer)
				id, first := w.judged(held(3), append(c.notices, notice("review"))...)
				_, l := w.take(rita)
				_, err := w.Decide(w.Context(), rita, decision(l, pipeline.Allow))
				w.must(err)
				w.clock.pass(2 * time.Second)
				c.opens(w, id)
				later := w.open(rita, id)
				w.clock.pass(2 * time.Second)
				l, err = w.Undo(w.Context(), rita, first.CaseID)
				w.must(err)

				if it := w.item(id); it.State != store.InReview || it.Action != pipeline.Hold || it.CaseID != first.CaseID {
					w.Errorf("got %s, %s in case %s, want it in review and held in %s", it.State, it.Action, it.CaseID, first.CaseID)
				}
				list, _, err := w.Deliveries(w.Context(), w.tenant, e.ID, "", "", 0)
				w.must(err)
				if len(list) != 1 || list[0].Effect != store.EventJudged || w.only("mum").State != store.DeliveryWaiting {
					w.Errorf("got %+v and the letter %s, want the decision recalled and the letter waiting", list, w.only("mum").State)
				}
				got := w.open(rita, id)
				if got.ID != first.CaseID || got.Kind != review.KindVerdict || got.Severity != c.severity || got.VotesNeeded != review.VotesFor(c.severity) ||
					got.Priority < review.PriorityOf(c.severity) || got.Reports != c.reports || got.Deadline.After(later.Deadline) || len(got.Labels) != 1 ||
					!slices.Contains(got.Reasons, "threshold") || !slices.ContainsFunc(got.Reasons, func(r string) bool { return strings.HasPrefix(r, c.reason) }) {
					w.Errorf("got %+v, want the first case with what the later one was about", got)
				}
				if notes, err := w.Notes(w.Context(), rita, first.CaseID); len(notes) != c.reports || err != nil || c.reports > 0 && notes[0].Text != "made up" {
					w.Errorf("got notes %+v, %v, want them with the first case", notes, err)
				}
				if ended, err := w.Case(w.Context(), rita, later.ID); err != nil || ended.State != review.Closed || !slices.Equal(w.acts(later.ID), []string{"case.merge"}) {
					w.Errorf("got the later case %s, %v with %v, want it closed and a line about it", ended.State, err, w.acts(later.ID))
				}
				w.well()

				_, err = w.Decide(w.Context(), rita, decision(l, pipeline.Block))
				w.must(err)
				w.settles()
				if c.severity == 4 {
					w.votes(w.user("omar", review.RoleReviewer), first.CaseID, pipeline.Block)
				}
				if it := w.item(id); it.State != store.Closed || it.Action != pipeline.Block || w.only("mum").State != store.DeliveryPending {
					w.Errorf("got %s, %s and the letter %s, want the new decision", it.State, it.Action, w.only("mum").State)
				}
				w.well()
			})
		})
	}
}

func TestAVoteThatIsTakenBackFromTwoLeavesTheOtherBesideAReport(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		id, first := w.judged(held(4))
		w.votes(rita, first.CaseID, pipeline.Block)
		_, l := w.take(omar)
		_, err := w.Decide(t.Context(), omar, decision(l, pipeline.Block))
		w.must(err)
		w.report(id)
		l, err = w.Undo(t.Context(), omar, first.CaseID)
		w.must(err)
		if c := w.open(omar, id); c.ID != first.CaseID || c.Votes != 1 || c.VotesNeeded != 2 || c.Reports != 1 {
			t.Errorf("got %+v, want rita's vote to stand and the report with it", c)
		}
		if got, err := w.Decide(t.Context(), omar, decision(l, pipeline.Block)); err != nil || !got.Closed {
			t.Errorf("got %+v, %v, want it closed by both", got, err)
		}
		w.well()
	})
}

func TestACopyThatWasReportedMeanwhileKeepsItsOwnCaseWhenTheVoteIsTakenBack(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rae", review.RoleReviewer)
		first, one := w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
		second, _ := w.sent(picture{"ben", "f", pdqBent(0), ""}, heldFor(ground, 2))
		w.decide(r, pipeline.Allow, false)
		w.report(second)
		if _, _, err := w.NextCase(t.Context(), r); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for the copy's own case, want nothing while the vote on it can be taken back", err)
		}
		l, err := w.Undo(t.Context(), r, one.CaseID)
		w.must(err)
		w.well()
		_, err = w.Decide(t.Context(), r, decision(l, pipeline.Allow))
		w.must(err)
		if a, b := w.item(first), w.item(second); a.State != store.Closed || b.State != store.InReview {
			t.Errorf("got %s and the copy %s, want the copy to wait in its own case", a.State, b.State)
		}
		w.settles()
		w.votes(r, w.open(r, second).ID, pipeline.Block)
		if a, b := w.item(first), w.item(second); a.Action != pipeline.Allow || b.Action != pipeline.Block {
			t.Errorf("got %s and the copy %s, want each as it was decided", a.Action, b.Action)
		}
		w.well()
	})
}

func TestNobodyIsGivenANewCaseAboutAnItemWhileAVoteOnItCanBeTakenBack(t *testing.T) {
	both(t, func(w *world) {
		rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
		id, _ := w.judged(held(3))
		w.decide(rita, pipeline.Allow, false)
		w.report(id)
		w.clock.pass(9 * time.Second)
		if _, _, err := w.NextCase(t.Context(), omar); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for a colleague's next case, want nothing yet", err)
		}
		c := w.open(omar, id)
		if _, _, err := w.ClaimCase(t.Context(), omar, c.ID); !errors.Is(err, store.ErrClaimed) {
			t.Errorf("got %v by id, want ErrClaimed", err)
		}
		w.clock.pass(time.Second)
		if got, _ := w.take(omar); got.ID != c.ID {
			t.Errorf("got %s, want the report's case once the vote stands", got.ID)
		}
	})
}

func TestWhatSomebodyHasInHandOrDecidedSinceIsNotTakenFromThem(t *testing.T) {
	for name, c := range map[string]struct {
		then func(w *world, omar review.Reviewer, l review.Lease) error
		want error
	}{
		"they hold it": {func(*world, review.Reviewer, review.Lease) error { return nil }, store.ErrClaimed},
		"they handed it on": {func(w *world, omar review.Reviewer, l review.Lease) error {
			return w.EscalateCase(w.Context(), omar, review.Escalation{CaseID: l.CaseID, Token: l.Token, Reason: "law"})
		}, store.ErrClaimed},
		"they decided it": {func(w *world, omar review.Reviewer, l review.Lease) error {
			_, err := w.Decide(w.Context(), omar, decision(l, pipeline.Block))
			return err
		}, store.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				rita, omar := w.user("rita", review.RoleReviewer), w.user("omar", review.RoleReviewer)
				id, first := w.judged(held(3))
				w.decide(rita, pipeline.Allow, false)
				w.clock.pass(5 * time.Second)
				w.report(id)
				w.clock.pass(5 * time.Second) // the last moment for rita is the first for omar
				_, l := w.take(omar)
				w.must(c.then(w, omar, l))
				before := w.item(id)
				if _, err := w.Undo(w.Context(), rita, first.CaseID); !errors.Is(err, c.want) {
					w.Errorf("got %v, want %v", err, c.want)
				}
				if it := w.item(id); it.State != before.State || it.Action != before.Action {
					w.Errorf("got %s, %s, want it as omar left it", it.State, it.Action)
				}
				w.well()
			})
		})
	}
}

func TestAReportAndAnUndoAtOneMomentLeaveOneCase(t *testing.T) {
	both(t, func(w *world) {
		rita := w.user("rita", review.RoleReviewer)
		for range 10 {
			id, first := w.judged(held(3), notice("review"))
			w.decide(rita, pipeline.Allow, true)
			var all sync.WaitGroup
			all.Go(func() { w.report(id) })
			all.Go(func() {
				if _, err := w.Undo(w.Context(), rita, first.CaseID); err != nil {
					t.Errorf("undo: %v", err)
				}
			})
			all.Wait()
			if c := w.open(rita, id); c.ID != first.CaseID || c.Reports != 1 || w.item(id).State != store.InReview {
				t.Errorf("got %+v, want the first case with the report", c)
			}
			w.votes(rita, first.CaseID, pipeline.Block)
		}
		w.well()
	})
}

func TestAReportAndADecisionAtOneMomentBothCount(t *testing.T) {
	both(t, func(w *world) {
		rita := w.user("rita", review.RoleReviewer)
		for range 10 {
			id, first := w.judged(held(3))
			_, l := w.take(rita)
			var all sync.WaitGroup
			all.Go(func() { w.report(id) })
			all.Go(func() {
				_, err := w.Decide(w.Context(), rita, decision(l, pipeline.Block))
				w.must(err)
			})
			all.Wait()
			w.settles()
			c, err := w.Case(t.Context(), rita, first.CaseID)
			w.must(err)
			open, _, err := w.Cases(t.Context(), rita, store.CaseFilter{State: review.Open})
			w.must(err)
			if c.State != review.Closed || c.Reports+len(open) != 1 {
				t.Errorf("got the case %s with %d reports and %d others open, want it decided, and the report in it or open", c.State, c.Reports, len(open))
			}
			for _, c := range open {
				w.votes(rita, c.ID, pipeline.Block)
			}
		}
		w.well()
	})
}

func TestAnUndoFindsWhatTheVoteSentWithoutPassingAllThatWasEverSent(t *testing.T) {
	raw(t, func(w *world, db *sql.DB) {
		explain, given := "EXPLAIN QUERY PLAN ", []any{"vote_1"}
		_, pg := w.dialect(db)
		if pg { // as the server plans what is run often, and would if there were many rows
			for _, as := range []string{"SET plan_cache_mode = force_generic_plan", "SET enable_seqscan = off"} {
				_, err := db.Exec(as)
				w.must(err)
			}
			explain, given = "EXPLAIN EXECUTE recall ('vote_1')", nil
		}
		for _, query := range store.Recalls {
			asked := explain + query
			if pg {
				_, err := db.Exec("PREPARE recall (text) AS " + query)
				w.must(err)
				asked = explain
			}
			if plan := w.lines(db, asked, given...); !strings.Contains(plan, "deliveries_vote") {
				t.Errorf("got\n%s\nwant the index of what votes sent", plan)
			}
			if pg {
				_, err := db.Exec("DEALLOCATE recall")
				w.must(err)
			}
		}
	})
}

// lines gives the last column of each row.
func (w *world) lines(db *sql.DB, query string, given ...any) string {
	w.Helper()
	rows, err := db.Query(query, given...)
	w.must(err)
	defer rows.Close()
	names, err := rows.Columns()
	w.must(err)
	var all []string
	for rows.Next() {
		var line string
		row := make([]any, len(names))
		for i := range row {
			row[i] = new(any)
		}
		row[len(row)-1] = &line
		w.must(rows.Scan(row...))
		all = append(all, line)
	}
	w.must(rows.Err())
	return strings.Join(all, "\n")
}
