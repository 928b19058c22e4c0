package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

func TestContentGoesWhenItsTimeHasPassed(t *testing.T) {
	both(t, func(w *world) {
		photo := func(v pipeline.Verdict) (string, store.Upload) {
			u, err := w.CreateUpload(t.Context(), store.Upload{Tenant: w.tenant, ContentType: "image/png"}, time.Hour)
			w.must(err)
			w.must(w.UploadStored(t.Context(), w.tenant, u.ID))
			n := w.message("caption")
			n.Kind, n.UploadID = pipeline.KindPhoto, u.ID
			id := w.accept(n)
			w.commit(w.claim(id), store.Outcome{Verdict: v, Evidence: []store.Evidence{{Kind: "rendition", MediaKey: u.MediaKey + ".grey", Body: []byte("{}")}}})
			return id, u
		}
		block := allowed()
		block.Action = pipeline.Block
		seen, upload := photo(allowed())
		blocked, _ := photo(block)
		waits, _ := photo(held(3))
		evidence, _ := photo(allowed())
		w.must(w.SetHold(t.Context(), w.tenant, evidence, true, "report", "test"))
		reported, _ := photo(allowed())
		_, err := w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: reported, Reporter: "leo"})
		w.must(err)
		purge := func(after time.Duration, want int) {
			t.Helper()
			w.clock.pass(after)
			if n, err := w.Purge(t.Context(), 100); n != want || err != nil {
				t.Errorf("got %d purged, %v, want %d", n, err, want)
			}
		}
		if got, err := w.Evidence(t.Context(), w.tenant, seen); len(got) != 1 || string(got[0].Body) != "{}" || err != nil {
			t.Errorf("got evidence %+v, %v, want it back", got, err)
		}
		purge(23*time.Hour, 0)
		purge(2*time.Hour, 1)
		if it := w.item(seen); !it.Purged || it.Ending != store.EndAllowed || it.Verdict == nil {
			t.Errorf("got %+v, want the end and the verdict kept", it)
		}
		if _, err := w.Evidence(t.Context(), w.tenant, seen); !errors.Is(err, store.ErrErased) {
			t.Errorf("got %v for its evidence, want ErrErased", err)
		}
		trash, err := w.Trash(t.Context(), 10)
		w.must(err)
		if len(trash) != 2 || trash[0] != upload.MediaKey || trash[1] != upload.MediaKey+".grey" {
			t.Errorf("got trash %v, want object and rendition", trash)
		}
		w.must(w.Trashed(t.Context(), trash))
		purge(30*24*time.Hour, 1)
		if !w.item(blocked).Purged || w.item(waits).Purged || w.item(evidence).Purged || w.item(reported).Purged {
			t.Error("got the wrong items purged, want only the blocked one")
		}
		w.must(w.SetHold(t.Context(), w.tenant, evidence, false, "over", "test"))
		purge(0, 1)
		w.well()
	})
}

func TestNothingIsPutUnderHoldWhoseContentIsGone(t *testing.T) {
	both(t, func(w *world) {
		purged, _ := w.judged(allowed())
		kept, _ := w.judged(allowed())
		w.must(w.SetHold(t.Context(), w.tenant, kept, true, "police", "test"))
		w.clock.pass(31 * 24 * time.Hour)
		_, err := w.Purge(t.Context(), 100)
		w.must(err)
		w.must(w.SetHold(t.Context(), w.tenant, kept, true, "police again", "test"))
		w.must(w.SetHold(t.Context(), w.tenant, kept, false, "over", "test"))
		erased := w.message("gone")
		erased.Sender.ID = "ben"
		gone := w.accept(erased)
		_, err = w.EraseAccount(t.Context(), w.tenant, "ben", "test")
		w.must(err)
		for name, id := range map[string]string{"purged": purged, "erased": gone} {
			for _, tenant := range []string{w.tenant, ""} {
				if err := w.SetHold(t.Context(), tenant, id, true, "police", "test"); !errors.Is(err, store.ErrErased) {
					t.Errorf("%s: got %v, want ErrErased", name, err)
				}
			}
			if w.item(id).Hold {
				t.Errorf("%s: got it under hold", name)
			}
			w.must(w.SetHold(t.Context(), w.tenant, id, false, "over", "test"))
			if err := w.SetHold(t.Context(), "ten_other", id, true, "police", "test"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v for another tenant, want ErrNotFound", name, err)
			}
		}
		if err := w.SetHold(t.Context(), w.tenant, "item_none", true, "police", "test"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for no item, want ErrNotFound", err)
		}
		log, err := w.AuditLog(t.Context(), w.tenant, 0, 100)
		w.must(err)
		for _, e := range log {
			if e.Act == "item.hold" && e.Subject != kept {
				t.Errorf("got %+v in the audit log, want no hold that was not placed", e)
			}
		}
	})
}

func TestEveryTransitionOutsideTheTableIsRefused(t *testing.T) {
	legal := map[[2]store.State]bool{
		{store.Pending, store.Judged}: true, {store.Judged, store.Closed}: true, {store.Judged, store.InReview}: true, {store.Judged, store.Quarantined}: true,
		{store.InReview, store.Closed}: true, {store.Closed, store.InReview}: true,
		{store.Pending, store.Erased}: true, {store.Judged, store.Erased}: true, {store.InReview, store.Erased}: true, {store.Closed, store.Erased}: true, {store.Quarantined, store.Erased}: true,
	}
	way := map[store.State][]store.State{
		store.Pending: {}, store.Judged: {store.Judged}, store.Closed: {store.Judged, store.Closed}, store.InReview: {store.Judged, store.InReview},
		store.Quarantined: {store.Judged, store.Quarantined}, store.Erased: {store.Erased},
	}
	ending := map[store.State]store.Ending{store.Closed: store.EndAllowed, store.Quarantined: store.EndQuarantined, store.Erased: store.EndErased}
	raw(t, func(w *world, db *sql.DB) {
		move := func(id string, to store.State) error {
			_, err := db.Exec("UPDATE items SET state = $1, ending = $2 WHERE id = $3", string(to), string(ending[to]), id)
			return err
		}
		for from, steps := range way {
			for to := range way {
				if from == to {
					continue
				}
				id := w.accept(w.message("x"))
				for _, s := range steps {
					w.must(move(id, s))
				}
				if err := move(id, to); (err == nil) != legal[[2]store.State{from, to}] {
					t.Errorf("%s to %s: got %v, want legal: %t", from, to, err, legal[[2]store.State{from, to}])
				}
			}
		}
		id := w.accept(w.message("x"))
		for _, bad := range []string{
			"UPDATE items SET state = 'judged', ending = 'allowed' WHERE id = $1",
			"UPDATE items SET ending = 'blocked' WHERE id = $1",
			"UPDATE items SET state = 'gone' WHERE id = $1",
			"DELETE FROM items WHERE id = $1",
		} {
			if _, err := db.Exec(bad, id); err == nil {
				t.Errorf("%s: got it through, want it refused", bad)
			}
		}
	})
}

// raw runs a test on both databases with a connection beside the store.
func raw(t *testing.T, test func(w *world, db *sql.DB)) {
	t.Helper()
	path := "sqlite:" + filepath.Join(t.TempDir(), "n.db")
	for name, c := range map[string]struct {
		driver string
		dsn    func(t *testing.T) string
	}{
		"sqlite":   {"sqlite", func(*testing.T) string { return path }},
		"postgres": {"pgx", func(t *testing.T) string { return storetest.StartPostgres(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := c.dsn(t)
			at := &clock{at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
			w := &world{T: t, Store: storetest.Open(t, dsn, store.Options{Clock: at.now}), clock: at, tenant: "ten"}
			if c.driver == "sqlite" {
				dsn = dsn[len("sqlite:"):]
			}
			db, err := sql.Open(c.driver, dsn)
			w.must(err)
			defer db.Close()
			db.SetMaxOpenConns(1)
			test(w, db)
		})
	}
}

func TestATamperedAuditLogIsFoundOutWithTheLine(t *testing.T) {
	const lines = 300
	raw(t, func(w *world, db *sql.DB) {
		must := func(query string, a ...any) {
			t.Helper()
			_, err := db.Exec(query, a...)
			w.must(err)
		}
		for i := range lines {
			w.must(w.Audit(t.Context(), "chain", "rita", "media.view", fmt.Sprint("case", i), "original"))
		}
		w.must(w.Audit(t.Context(), w.tenant, "rita", "media.view", "case", "original"))
		heads, err := w.AuditHeads(t.Context())
		w.must(err)
		verify := func(what string, want *store.Break, anchors ...store.Anchor) {
			t.Helper()
			got, err := w.VerifyAudit(t.Context(), anchors...)
			w.must(err)
			if (got.Broken == nil) != (want == nil) || (want != nil && *got.Broken != *want) {
				t.Errorf("%s: got %+v, want %+v", what, got.Broken, want)
			}
			one, err := w.VerifyChain(t.Context(), "chain")
			w.must(err)
			if len(anchors) == 0 && !reflect.DeepEqual(one.Broken, want) {
				t.Errorf("%s: got %+v for the chain alone, want %+v", what, one.Broken, want)
			}
			if other, err := w.VerifyChain(t.Context(), w.tenant); other != (store.AuditReport{Lines: 1}) || err != nil {
				t.Errorf("%s: got %+v, %v for another chain, want it whole by itself", what, other, err)
			}
		}
		verify("untouched", nil, heads...)
		for _, guarded := range []string{"UPDATE audit SET detail = 'x' WHERE seq = 1", "DELETE FROM audit WHERE seq = 1"} {
			if _, err := db.Exec(guarded); err == nil {
				t.Errorf("%s: got it through, want it refused", guarded)
			}
		}
		on := map[bool]string{true: " ON audit"}
		_, pg := w.dialect(db)
		must("DROP TRIGGER audit_no_update" + on[pg])
		must("DROP TRIGGER audit_no_delete" + on[pg])
		for _, column := range []string{"at", "actor", "act", "subject", "detail"} {
			seq := 17
			must("CREATE TABLE keep AS SELECT * FROM audit")
			if column == "at" {
				must("UPDATE audit SET at = at + 1 WHERE seq = $1", seq)
			} else {
				must("UPDATE audit SET "+column+" = "+column+" || 'x' WHERE seq = $1", seq)
			}
			verify("changed "+column, &store.Break{Chain: "chain", Seq: 17, Why: "hash"})
			restore(must)
		}
		must("CREATE TABLE keep AS SELECT * FROM audit")
		must("DELETE FROM audit WHERE seq = 40")
		verify("dropped", &store.Break{Chain: "chain", Seq: 40, Why: "gap"})
		restore(must)

		must("CREATE TABLE keep AS SELECT * FROM audit")
		must("UPDATE audit SET seq = 100000 WHERE seq = 50")
		must("UPDATE audit SET seq = 50 WHERE seq = 51")
		must("UPDATE audit SET seq = 51 WHERE seq = 100000")
		verify("swapped", &store.Break{Chain: "chain", Seq: 50, Why: "link"})
		restore(must)

		must("CREATE TABLE keep AS SELECT * FROM audit")
		must("DELETE FROM audit WHERE seq > 290")
		verify("cut", &store.Break{Chain: "chain", Seq: 291, Why: "tail"})
		must("UPDATE audit_heads SET seq = 290, hash = (SELECT hash FROM audit WHERE seq = 290) WHERE chain = 'chain'")
		verify("cut with its head: invisible without an anchor", nil)
		verify("cut with its head, against the anchor", &store.Break{Chain: "chain", Seq: 291, Why: "tail"}, heads...)
	})
}

func restore(must func(query string, a ...any)) {
	must("DELETE FROM audit")
	must("INSERT INTO audit SELECT * FROM keep")
	must("DROP TABLE keep")
}

// dialect tells the databases apart.
func (w *world) dialect(db *sql.DB) (version string, postgres bool) {
	err := db.QueryRow("SELECT version()").Scan(&version)
	return version, err == nil
}

func TestReconcileSeesWhatShouldNotBe(t *testing.T) {
	raw(t, func(w *world, db *sql.DB) {
		must := func(query string, a ...any) {
			t.Helper()
			_, err := db.Exec(query, a...)
			w.must(err)
		}
		_, err := w.CreateEndpoint(t.Context(), store.Endpoint{Tenant: w.tenant, URL: "https://example.org", Secrets: []string{"s"}}, "test")
		w.must(err)
		lost := w.accept(w.message("x"))
		ended, _ := w.judged(allowed())
		reviewed, _ := w.judged(held(2))
		told, _ := w.judged(allowed())
		if l := w.well(); l.Accepted != 4 || l.InFlight[store.Pending] != 1 || l.InFlight[store.InReview] != 1 || l.Ended[store.EndAllowed] != 2 {
			t.Errorf("got %+v, want 4 = 2 + 2", l)
		}
		unasked, _ := w.judged(allowed(), notice("review"))
		must("DELETE FROM outbox WHERE ref = $1", lost)
		must("DELETE FROM verdicts WHERE item_id = $1", ended)
		must("DELETE FROM item_secrets WHERE item_id = $1", ended)
		must("DELETE FROM cases WHERE item_id = $1", reviewed)
		must("DELETE FROM outbox WHERE ref IN (SELECT id FROM deliveries WHERE item_id = $1)", told)
		w.clock.pass(time.Minute)
		l, err := w.Reconcile(t.Context(), 0)
		w.must(err)
		got := map[store.Difference]bool{}
		for _, d := range l.Differences {
			got[d] = true
		}
		for _, want := range []store.Difference{{What: "orphan_item", ItemID: lost}, {What: "end_without_verdict", ItemID: ended}, {What: "content_without_key", ItemID: ended},
			{What: "review_without_case", ItemID: reviewed}, {What: "delivery_without_task", ItemID: told}, {What: "notice_without_case", ItemID: unasked}} {
			if !got[want] {
				t.Errorf("got %+v, want %+v among them", l.Differences, want)
			}
		}
		if l.Well() || len(l.Differences) != 6 {
			t.Errorf("got %d differences, want 6", len(l.Differences))
		}
		w.clock.pass(time.Minute)
		if n, err := w.Sweep(t.Context(), time.Second); n < 2 || err != nil {
			t.Errorf("got %d swept, %v, want the lost tasks written again", n, err)
		}
		if tasks, err := w.PendingTasks(t.Context(), 100); len(tasks) == 0 || err != nil {
			t.Errorf("got %v, %v, want tasks again", tasks, err)
		}
	})
}

func TestDeadLettersAreKept(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.Bury(t.Context(), "item_1:judge", "judge", "exhausted"))
		w.must(w.Bury(t.Context(), "item_2:judge", "judge", "exhausted"))
		list, err := w.DeadLetters(t.Context(), 10)
		w.must(err)
		if len(list) != 2 || list[0].TaskID != "item_2:judge" || !list[0].At.Equal(w.clock.now()) {
			t.Errorf("got %+v, want both, newest first", list)
		}
	})
}

func TestMigratingTwiceIsOnce(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.Migrate(t.Context()))
		w.must(w.Ping(t.Context()))
	})
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, dsn := range []string{"", "mysql://x", "sqlite:", "nightlight.db"} {
		if s, err := store.Open(t.Context(), dsn, store.Options{Keyring: storetest.NewKeyring(t)}); err == nil {
			t.Errorf("%q: got a store, want an error", dsn)
			s.Close()
		}
	}
	if _, err := store.Open(t.Context(), "sqlite:x.db", store.Options{}); err == nil {
		t.Error("got a store without a keyring, want an error")
	}
}
