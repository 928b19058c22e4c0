package store_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

// onDisk is a SQLite store whose files a test reads.
type onDisk struct {
	*world
	path string
}

func openOnDisk(t *testing.T) onDisk {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	path := filepath.Join(t.TempDir(), "nightlight.db")
	w := &world{T: t, Store: storetest.Open(t, "sqlite:"+path, store.Options{Clock: c.now}), clock: c}
	made, err := w.CreateTenant(t.Context(), "school")
	w.must(err)
	w.tenant = made.ID
	return onDisk{w, path}
}

// raw opens the database beside the store.
func (w onDisk) raw() *sql.DB {
	w.Helper()
	db, err := sql.Open("sqlite", w.path)
	w.must(err)
	w.Cleanup(func() { _ = db.Close() })
	return db
}

// secrets reads where each item's wrapped key and sealed words begin and end.
func (w onDisk) secrets() map[string][][]byte {
	w.Helper()
	rows, err := w.raw().Query(`SELECT item_id, wrapped, body FROM item_secrets UNION ALL SELECT item_id, body, body FROM evidence
		UNION ALL SELECT item_id, note, note FROM reports`)
	w.must(err)
	defer rows.Close()
	const piece = 32
	by := map[string][][]byte{}
	for rows.Next() {
		var id string
		var key, body []byte
		w.must(rows.Scan(&id, &key, &body))
		for _, b := range [][]byte{key, body} {
			by[id] = append(by[id], b[:piece], b[len(b)-piece:])
		}
	}
	w.must(rows.Err())
	return by
}

// files are the database's own, one behind the other.
func (w onDisk) files() []byte {
	w.Helper()
	var all []byte
	for _, name := range []string{w.path, w.path + "-wal"} {
		b, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			w.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// found counts the pieces that lie in the files.
func found(files []byte, pieces [][]byte) (n int) {
	for _, p := range pieces {
		if bytes.Contains(files, p) {
			n++
		}
	}
	return n
}

// filled has n items of as many children, with words of many lengths, evidence
// and a report each.
func (w onDisk) filled(n int) (ids []string) {
	w.Helper()
	for i := range n {
		it := w.message(strings.Repeat("words ", 1+i%7*200)) // the longest need pages of their own
		it.Sender.ID, it.ConversationID = fmt.Sprint("child", i), ""
		id := w.accept(it)
		w.commit(w.claim(id), store.Outcome{Verdict: held(1), Evidence: []store.Evidence{{Kind: "ocr", Body: []byte("what was read")}}})
		_, err := w.Report(w.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Note: "that hurts"})
		w.must(err)
		ids = append(ids, id)
	}
	return ids
}

// fewOf are what may be left: SQLite overwrites what it deletes, but not the copy
// of a row that it moved from page to page before, about one in three thousand.
func fewOf(pieces int) int { return pieces / 100 }

func TestWhatIsDestroyedIsNotInTheFilesOfTheDatabaseOnceTheyAreScrubbed(t *testing.T) {
	const n = 300
	for name, destroy := range map[string]func(w onDisk, ids []string, order []int) (gone []string){
		"by erasing accounts": func(w onDisk, ids []string, order []int) (gone []string) {
			for _, i := range order {
				_, err := w.EraseAccount(w.Context(), w.tenant, fmt.Sprint("child", i), "test")
				w.must(err)
				gone = append(gone, ids[i])
			}
			return gone
		},
		"by retention": func(w onDisk, ids []string, order []int) (gone []string) {
			w.must(closeAll(w.raw()))
			for _, i := range order {
				w.must(w.SetHold(w.Context(), w.tenant, ids[i], true, "police", "test"))
			}
			for i, id := range ids {
				if !slices.Contains(order, i) {
					gone = append(gone, id)
				}
			}
			w.clock.pass(31 * 24 * time.Hour)
			n, err := w.Purge(w.Context(), 1000)
			w.must(err)
			if n != len(gone) {
				w.Errorf("got %d purged, want %d", n, len(gone))
			}
			return gone
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := openOnDisk(t)
			ids := w.filled(n)
			secrets := w.secrets()
			gone := destroy(w, ids, rand.New(rand.NewPCG(1, 2)).Perm(n)[:n/2])
			before := w.files()
			w.must(w.Scrub(t.Context()))
			after := w.files()
			pieces, held, left := 0, 0, 0
			for id, list := range secrets {
				if !slices.Contains(gone, id) {
					if found(after, list) != len(list) {
						t.Errorf("item %s is not whole any more", id)
					}
					continue
				}
				pieces, held, left = pieces+len(list), held+found(before, list), left+found(after, list)
			}
			if held == 0 {
				t.Error("the journal held nothing before: this proves little")
			}
			if left > fewOf(pieces) {
				t.Errorf("got %d of %d pieces of what was destroyed", left, pieces)
			}
			if s, err := os.Stat(w.path + "-wal"); err != nil || s.Size() != 0 {
				t.Errorf("got a journal of %d bytes, %v, want none", s.Size(), err)
			}
			w.judged(allowed()) // the store writes on
		})
	}
}

// closeAll ends the items as if all had been allowed.
func closeAll(db *sql.DB) error {
	for _, q := range []string{
		"UPDATE cases SET state = 'closed', action = 'allow'",
		"UPDATE items SET state = 'closed', ending = 'resolved', action = 'allow', expires_at = received_at + 1",
	} {
		if _, err := db.Exec(q); err != nil {
			return err
		}
	}
	return nil
}

func TestTheJournalIsNotCutWhileSomebodyReadsIt(t *testing.T) {
	w := openOnDisk(t)
	w.judged(allowed())
	reading, err := w.raw().Begin()
	w.must(err)
	var n int
	w.must(reading.QueryRow("SELECT COUNT(*) FROM items").Scan(&n))
	w.judged(allowed())
	began := time.Now()
	if err := w.Scrub(t.Context()); err == nil {
		t.Error("got no error, want to hear that it must be tried again")
	}
	if took := time.Since(began); took > 5*time.Second { // a writer gives up after ten
		t.Errorf("it kept writers waiting for %v", took)
	}
	w.judged(allowed())
	w.must(reading.Rollback())
	w.must(w.Scrub(t.Context()))
	if s, err := os.Stat(w.path + "-wal"); err != nil || s.Size() != 0 {
		t.Errorf("got a journal of %d bytes, %v, want none", s.Size(), err)
	}
}

func TestAnOldFileLosesWhatWasDeletedInItWhenItIsUpgraded(t *testing.T) {
	w := openOnDisk(t)
	ids := w.filled(50)
	secrets := w.secrets()
	// as the writer of before did it, with the columns of then
	db := w.raw()
	for _, q := range []string{"DROP INDEX deliveries_vote", "DROP INDEX deliveries_put_off",
		"ALTER TABLE deliveries DROP COLUMN put_off", "ALTER TABLE deliveries DROP COLUMN began_at",
		"ALTER TABLE endpoints DROP COLUMN rest_until", "ALTER TABLE endpoints DROP COLUMN silent",
		"DELETE FROM goose_db_version WHERE version_id >= 6", "PRAGMA secure_delete = 0", "DELETE FROM item_secrets", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	keys := func() (n int) {
		files := w.files()
		for _, id := range ids {
			n += found(files, secrets[id][:4]) // its key and words
		}
		return n
	}
	if keys() == 0 {
		t.Fatal("an old file holds nothing: this proves little")
	}
	w.must(w.Migrate(t.Context()))
	w.must(w.Scrub(t.Context()))
	if n := keys(); n != 0 {
		t.Errorf("got %d pieces left, want none", n)
	}
	w.must(w.Migrate(t.Context()))
	w.judged(allowed())
}
