package store_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

func TestAnAcceptedItemIsWhole(t *testing.T) {
	both(t, func(w *world) {
		n := w.message("明天见")
		id := w.accept(n)
		it := w.item(id)
		if it.State != store.Pending || it.ExternalID != n.ExternalID || *it.Sender.Age != 9 || it.Recipients[0].ID != "leo" || it.Locale != "zh-CN" {
			t.Errorf("got %+v, want what was sent, pending", it)
		}
		if text, err := w.Text(t.Context(), w.tenant, id); err != nil || text != "明天见" {
			t.Errorf("got text %q, %v, want it back", text, err)
		}
		tasks, err := w.PendingTasks(t.Context(), 10)
		w.must(err)
		if len(tasks) != 1 || tasks[0].TaskID() != id+":judge" || tasks[0].Queue != "text" {
			t.Errorf("got tasks %+v, want one for the item", tasks)
		}
		w.well()
	})
}

func TestTheRecordKeepsNoBareHashOfWords(t *testing.T) {
	raw(t, func(w *world, db *sql.DB) {
		tenant, err := w.CreateTenant(t.Context(), "hashes")
		w.must(err)
		w.tenant = tenant.ID
		n := w.message("ok")
		w.accept(n)
		var kept []byte
		w.must(db.QueryRow("SELECT body_hash FROM items").Scan(&kept))
		if len(kept) <= len(n.BodyHash) || bytes.Contains(kept, n.BodyHash[:]) {
			t.Errorf("got %d bytes that hold the hash itself, want them sealed: short words can be guessed from it", len(kept))
		}
	})
}

func TestTheSameKeyGivesOneItem(t *testing.T) {
	both(t, func(w *world) {
		n := w.message("one")
		n.IdempotencyKey = "key"
		first, err := w.Accept(t.Context(), n)
		w.must(err)
		other := w.message("two")
		for _, c := range []struct {
			name   string
			change func(*store.NewItem)
			want   error
		}{
			{"everything again", func(n *store.NewItem) {}, nil},
			{"only the key again", func(n *store.NewItem) { n.ExternalID = "" }, nil},
			{"only the external id again", func(n *store.NewItem) { n.IdempotencyKey = "" }, nil},
			{"the key with another body", func(n *store.NewItem) { n.ExternalID, n.BodyHash = "", other.BodyHash }, store.ErrConflict},
			{"the external id with another body", func(n *store.NewItem) { n.IdempotencyKey, n.BodyHash = "", other.BodyHash }, store.ErrConflict},
		} {
			again := n
			c.change(&again)
			got, err := w.Accept(t.Context(), again)
			if !errors.Is(err, c.want) || (err == nil && (got.ID != first.ID || !got.Existing)) {
				t.Errorf("%s: got %+v, %v, want %s, %v", c.name, got, err, first.ID, c.want)
			}
		}
		w.accept(other)
		other.IdempotencyKey = "key" // the key is of the first, the external id of the second
		if _, err := w.Accept(t.Context(), other); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v for two items in one request, want ErrConflict", err)
		}
	})
}

func TestAnotherTenantsKeysAreItsOwn(t *testing.T) {
	both(t, func(w *world) {
		n := w.message("one")
		id := w.accept(n)
		second, err := w.CreateTenant(t.Context(), "other")
		w.must(err)
		n.Tenant = second.ID
		if got := w.accept(n); got == id {
			t.Errorf("got the same item for two tenants")
		}
		if _, err := w.Item(t.Context(), second.ID, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant's item, want ErrNotFound", err)
		}
		if _, err := w.Text(t.Context(), second.ID, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant's text, want ErrNotFound", err)
		}
		if _, err := w.CreateTenant(t.Context(), "other"); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v for a name that is taken, want ErrConflict", err)
		}
	})
}

func TestAHundredAtOnceWithOneKeyAreOneItem(t *testing.T) {
	both(t, func(w *world) {
		n := w.message("one")
		n.IdempotencyKey = "key"
		got := make([]store.Accepted, 100)
		errs := make([]error, len(got))
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() { got[i], errs[i] = w.Accept(t.Context(), n) })
		}
		all.Wait()
		fresh := 0
		for i, a := range got {
			if errs[i] != nil || a.ID != got[0].ID {
				t.Fatalf("got %+v, %v, want one item for all", a, errs[i])
			}
			if !a.Existing {
				fresh++
			}
		}
		if l := w.well(); fresh != 1 || l.Accepted != 1 {
			t.Errorf("got %d fresh of %d accepted, want 1 of 1", fresh, l.Accepted)
		}
	})
}

func TestABatchKeepsItsOrderAndItsErrors(t *testing.T) {
	both(t, func(w *world) {
		batch := []store.NewItem{w.message("one"), w.message("two"), w.message("three")}
		batch[1].Kind, batch[1].UploadID = pipeline.KindPhoto, "up_none"
		lines := w.AcceptBatch(t.Context(), batch)
		if lines[0].Err != nil || lines[2].Err != nil || !errors.Is(lines[1].Err, store.ErrUpload) {
			t.Fatalf("got %+v, want only the second to fail", lines)
		}
		if it := w.item(lines[2].ID); it.ExternalID != batch[2].ExternalID {
			t.Errorf("got item %s on line 3, want %s", it.ExternalID, batch[2].ExternalID)
		}
		if l := w.well(); l.Accepted != 2 {
			t.Errorf("got %d items, want 2: the failed line leaves nothing", l.Accepted)
		}
	})
}

func TestAnUploadIsUsedOnce(t *testing.T) {
	both(t, func(w *world) {
		u, err := w.CreateUpload(t.Context(), store.Upload{Tenant: w.tenant, ContentType: "image/png", Bytes: 10, SHA256: "ab"}, time.Minute)
		w.must(err)
		photo := func() store.NewItem {
			n := w.message("")
			n.Kind, n.UploadID = pipeline.KindPhoto, u.ID
			return n
		}
		if _, err := w.Accept(t.Context(), photo()); !errors.Is(err, store.ErrUpload) {
			t.Errorf("got %v before the object is stored, want ErrUpload", err)
		}
		w.must(w.UploadStored(t.Context(), w.tenant, u.ID))
		w.must(w.UploadStored(t.Context(), w.tenant, u.ID))
		l := w.claim(w.accept(photo()))
		if l.Media == nil || l.Media.Key != u.MediaKey || l.Item.MediaKey != u.MediaKey || string(l.Key) != string(u.Key) || l.Media.SHA256 != "ab" {
			t.Errorf("got media %+v, want that of the upload under its key", l.Media)
		}
		if _, err := w.Accept(t.Context(), photo()); !errors.Is(err, store.ErrUpload) {
			t.Errorf("got %v for a used upload, want ErrUpload", err)
		}
		late, err := w.CreateUpload(t.Context(), store.Upload{Tenant: w.tenant, ContentType: "image/png"}, time.Minute)
		w.must(err)
		w.clock.pass(2 * time.Minute)
		if err := w.UploadStored(t.Context(), w.tenant, late.ID); !errors.Is(err, store.ErrUpload) {
			t.Errorf("got %v for an expired upload, want ErrUpload", err)
		}
		if n, err := w.ExpireUploads(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("got %d expired, %v, want 1", n, err)
		}
		trash, err := w.Trash(t.Context(), 10)
		w.must(err)
		if len(trash) != 1 || trash[0] != late.MediaKey {
			t.Errorf("got trash %v, want %s", trash, late.MediaKey)
		}
		refs := map[string]bool{}
		for m, err := range w.MediaRefs(t.Context()) {
			w.must(err)
			refs[m.Key] = true
		}
		if len(refs) != 1 || !refs[u.MediaKey] {
			t.Errorf("got media %v, want only %s", refs, u.MediaKey)
		}
	})
}

func TestListsAreOnePageAfterTheOther(t *testing.T) {
	both(t, func(w *world) {
		var want []string
		for range 7 {
			want = append(want, w.accept(w.message("x")))
		}
		var got []string
		for cursor := ""; ; {
			page, next, err := w.Items(t.Context(), w.tenant, store.Filter{State: store.Pending, Cursor: cursor, Limit: 3})
			w.must(err)
			for _, it := range page {
				got = append(got, it.ID)
			}
			if cursor = next; next == "" {
				break
			}
		}
		for i, id := range got {
			if len(got) != 7 || id != want[6-i] {
				t.Fatalf("got %v, want %v newest first", got, want)
			}
		}
		for _, bad := range []string{"x", "MWl0ZW1fJw", "MWNhc2VfMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA"} {
			if _, _, err := w.Items(t.Context(), w.tenant, store.Filter{Cursor: bad}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("got %v for cursor %q, want ErrNotFound", err, bad)
			}
		}
	})
}

func TestTheDatabaseFileHoldsNoWordOfAChild(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.db")
	s := storetest.Open(t, "sqlite:"+path, store.Options{})
	ten, err := s.CreateTenant(t.Context(), "school")
	if err != nil {
		t.Fatal(err)
	}
	const canary = "kqzvwmxjpfhtgrbndlsy"
	n := store.NewItem{Item: pipeline.Item{Tenant: ten.ID, Kind: pipeline.KindMessage, Text: canary, Audience: pipeline.AudienceDirect}, IdempotencyKey: canary, BodyHash: sha256.Sum256([]byte(canary))}
	a, err := s.Accept(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Claim(t.Context(), a.ID, store.StageJudge, "w")
	if err != nil {
		t.Fatal(err)
	}
	if l.Item.Text != canary {
		t.Fatalf("got text %q, want it to be read back", l.Item.Text)
	}
	if _, err := s.Commit(t.Context(), l, store.Outcome{Verdict: allowed(), Evidence: []store.Evidence{{Kind: "transcript", Body: []byte(canary)}}}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("got files %v, %v, want the database", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got mode %v, %v of %s, want 0600", info.Mode(), err, filepath.Base(f))
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), canary) {
			t.Errorf("found the child's text in %s", filepath.Base(f))
		}
	}
}
