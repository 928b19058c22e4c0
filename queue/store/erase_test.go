package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/queue/review"
	"nightlight/queue/store"
)

// sends accepts n messages of mia's.
func (w *world) sends(n int) (ids []string) {
	w.Helper()
	items := make([]store.NewItem, n)
	for i := range items {
		items[i] = w.message("hello")
	}
	for _, line := range w.AcceptBatch(w.Context(), items) {
		w.must(line.Err)
		ids = append(ids, line.ID)
	}
	return ids
}

func TestAnErasureThatIsBrokenOffGoesOnWhenItIsAskedForAgain(t *testing.T) {
	both(t, func(w *world) {
		const batch, sent = 200, 450
		past, _ := w.judged(allowed())
		w.clock.pass(31 * 24 * time.Hour)
		if n, err := w.Purge(t.Context(), 10); n != 1 || err != nil {
			t.Fatalf("got %d purged, %v, want the first", n, err)
		}
		kept := w.sends(sent)[sent/2]
		w.must(w.SetHold(t.Context(), w.tenant, kept, true, "police", "test"))

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		transactions := 0
		w.clock.onLook(func() {
			if transactions++; transactions == 3 {
				cancel()
			}
		})
		if done, err := w.EraseAccount(ctx, w.tenant, "mia", "key"); !errors.Is(err, context.Canceled) || done.ID != "" {
			t.Fatalf("got %+v, %v, want no receipt of a part", done, err)
		}
		w.clock.onLook(nil)
		if got := w.well().Ended[store.EndErased]; got != 2*batch {
			t.Fatalf("got %d items erased in two transactions, want %d", got, 2*batch)
		}
		gone := w.item(past)
		if gone.State != store.Erased {
			t.Errorf("got the first item %s, want it erased first", gone.State)
		}

		w.clock.pass(time.Hour)
		done, err := w.EraseAccount(t.Context(), w.tenant, "mia", "other key")
		w.must(err)
		if done.Erased != sent || done.Held != 1 || !done.At.Equal(w.clock.now()) { // the past one, and all that were sent but the kept
			t.Errorf("got %+v, want a receipt of all %d and 1 held", done, sent)
		}
		if got := w.well().Ended[store.EndErased]; got != sent {
			t.Errorf("got %d items erased, want %d", got, sent)
		}
		if again := w.item(past); !again.ClosedAt.Equal(gone.ClosedAt) {
			t.Error("what was erased already was touched again")
		}
		lines, err := w.AuditLog(t.Context(), w.tenant, 0, 100)
		w.must(err)
		var said []string
		for _, l := range lines {
			if l.Act == "account.erase" && l.Subject == done.ID {
				said = append(said, l.Actor+" "+l.Detail)
			}
		}
		if want := []string{"key begun", "other key erased=450 held=1"}; !slices.Equal(said, want) {
			t.Errorf("audit says %q, want %q", said, want)
		}
	})
}

func TestAskingAgainForAnErasureGivesTheSameReceipt(t *testing.T) {
	raw(t, func(w *world, db *sql.DB) {
		mum := store.Guardian{ID: "mum", Relation: "mother"}
		w.must(w.PutAccount(t.Context(), w.tenant, store.Account{ID: "mia", Guardians: []store.Guardian{mum}}))
		item, _ := w.judged(allowed())
		kept, _ := w.judged(allowed())
		w.must(w.SetHold(t.Context(), w.tenant, kept, true, "police", "test"))
		erase := func(who string) store.Receipt {
			t.Helper()
			done, err := w.EraseAccount(t.Context(), w.tenant, who, "key")
			w.must(err)
			return done
		}
		guardian, child := erase("mum"), erase("mia")
		if guardian.Erased != 0 || child.Erased != 1 || child.Held != 1 || w.item(item).State != store.Erased {
			t.Errorf("got %+v and %+v, want both erased", guardian, child)
		}
		w.clock.pass(time.Hour)
		if got := erase("mum"); got != guardian {
			t.Errorf("got %+v, want %+v again", got, guardian)
		}
		if got := erase("mia"); got != child {
			t.Errorf("got %+v, want %+v again", got, child)
		}
		if _, err := w.EraseAccount(t.Context(), "ten_other", "mia", "key"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant, want ErrNotFound", err)
		}
		for _, who := range []string{"mia", "mum"} {
			if name := w.erasureName(db, child.ID); bytes.Contains(name, []byte(who)) || len(name) != 32 {
				t.Errorf("got %q, want a hash and not the account's id", name)
			}
		}

		w.must(w.SetHold(t.Context(), w.tenant, kept, false, "over", "test"))
		if got := erase("mia"); got.ID == child.ID || got.Erased != 1 || got.Held != 0 {
			t.Errorf("got %+v after the hold, want a receipt of what was left", got)
		}
		w.clock.pass(31 * 24 * time.Hour)
		_, err := w.Purge(t.Context(), 10)
		w.must(err)
		for _, who := range []string{"mia", "mum"} {
			if _, err := w.EraseAccount(t.Context(), w.tenant, who, "key"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v a month later, want ErrNotFound: nothing is known any more", who, err)
			}
		}
	})
}

// erasureName is what an erasure is kept under.
func (w *world) erasureName(db *sql.DB, receipt string) (name []byte) {
	w.Helper()
	w.must(db.QueryRow("SELECT account FROM erasures WHERE receipt = $1", receipt).Scan(&name))
	return name
}

func TestTwoErasuresOfAnAccountAtOnceAreOne(t *testing.T) {
	both(t, func(w *world) {
		const sent = 450
		w.sends(sent)
		got := make([]store.Receipt, 4)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				var err error
				if got[i], err = w.EraseAccount(t.Context(), w.tenant, "mia", "key"); err != nil {
					t.Error(err)
				}
				if n, err := w.unerased(); n != 0 || err != nil {
					t.Errorf("got %d items left, %v, when the receipt was there, want none", n, err)
				}
			})
		}
		all.Wait()
		for _, r := range got {
			if r != got[0] || r.Erased != sent {
				t.Errorf("got %+v beside %+v, want one receipt of all %d", r, got[0], sent)
			}
		}
		w.well()
	})
}

// unerased counts the items that are not erased.
func (w *world) unerased() (int, error) {
	l, err := w.Reconcile(w.Context(), 0)
	return l.Accepted - l.Ended[store.EndErased], err
}

func TestWhatIsWrittenAboutPurgedContentReachesTheReviewerAndGoesInItsTime(t *testing.T) {
	raw(t, func(w *world, db *sql.DB) {
		r := w.user("rita", review.RoleReviewer)
		item, _ := w.judged(allowed())
		w.clock.pass(31 * 24 * time.Hour)
		purge := func(want int) {
			t.Helper()
			if n, err := w.Purge(t.Context(), 10); n != want || err != nil {
				t.Errorf("got %d purged, %v, want %d", n, err, want)
			}
		}
		keys := func(want int) {
			t.Helper()
			var n int
			w.must(db.QueryRow("SELECT COUNT(*) FROM reports WHERE wrapped IS NOT NULL").Scan(&n))
			if n != want {
				t.Errorf("got %d keys of reports, want %d", n, want)
			}
		}
		written := func(id string, want ...string) {
			t.Helper()
			notes, err := w.Notes(t.Context(), r, id)
			w.must(err)
			var got []string
			for _, n := range notes {
				if n.Text != "" {
					got = append(got, string(n.Kind)+" "+n.Text)
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("got notes %q, want %q", got, want)
			}
		}
		purge(1)

		fresh, _ := w.judged(allowed())
		_, err := w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: fresh, Reporter: "leo", Note: "about what is there"})
		w.must(err)
		keys(0) // its item's key seals it
		id, err := w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: item, Reporter: "leo", Note: "he wrote it again"})
		w.must(err)
		_, err = w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: item, Reporter: "ida", Note: "to me too"})
		w.must(err)
		_, err = w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: item, By: "mia", Note: "it was a joke"})
		w.must(err)
		keys(3)
		written(id, "appeal it was a joke", "report he wrote it again", "report to me too")
		rows, err := db.Query("SELECT note FROM reports")
		w.must(err)
		for rows.Next() {
			var note []byte
			if w.must(rows.Scan(&note)); strings.Contains(string(note), "again") {
				t.Error("a note stands in the record unsealed")
			}
		}
		w.must(rows.Err())

		_, err = w.EraseAccount(t.Context(), w.tenant, "ida", "key")
		w.must(err)
		keys(2)
		w.clock.pass(60 * 24 * time.Hour)
		purge(0) // its case is open
		written(id, "appeal it was a joke", "report he wrote it again")

		c, l, err := w.ClaimCase(t.Context(), r, id)
		w.must(err)
		_, err = w.Decide(t.Context(), r, review.Decision{CaseID: c.ID, Token: l.Token, Action: "block", Reason: "agree"})
		w.must(err)
		w.clock.pass(29 * 24 * time.Hour)
		purge(0)
		written(id, "appeal it was a joke", "report he wrote it again")
		w.clock.pass(2 * 24 * time.Hour)
		if late, err := w.Overdue(t.Context()); late.Content != 24*time.Hour || err != nil {
			t.Errorf("got %v overdue, %v, want the notes for a day", late.Content, err)
		}
		purge(2)
		keys(0)
		written(id)

		_, err = w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: item, Reporter: "ben", Note: "still there"})
		w.must(err)
		keys(1)
		_, err = w.EraseAccount(t.Context(), w.tenant, "mia", "key") // whose item it is
		w.must(err)
		keys(0)
	})
}

func TestACaseThatEndsBecauseItsItemIsErasedIsOnTheAuditLog(t *testing.T) {
	both(t, func(w *world) {
		_, done := w.judged(held(4))
		_, err := w.EraseAccount(t.Context(), w.tenant, "mia", "key")
		w.must(err)
		log, err := w.AuditLog(t.Context(), w.tenant, 0, 100)
		w.must(err)
		for _, e := range log {
			if e.Act == "case.erase" && e.Subject == done.CaseID && e.Actor == "key" {
				return
			}
		}
		t.Errorf("got %+v, want a line of the case's end", log)
	})
}
