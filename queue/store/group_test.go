package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// plainKeyring seals nothing; these tests write nothing that needs it.
type plainKeyring struct{}

func (plainKeyring) NewKey() ([]byte, error)                  { return []byte("k"), nil }
func (plainKeyring) Seal(_, _, plain []byte) ([]byte, error)  { return plain, nil }
func (plainKeyring) Open(_, _, sealed []byte) ([]byte, error) { return sealed, nil }

func openGroup(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "n.db"), Options{Keyring: plainKeyring{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func bury(t *tx, id string) error {
	_, err := t.exec("INSERT INTO dead_letters (task_id, kind, reason, at) VALUES ($1, 'k', 'r', $2)", id, t.at)
	return err
}

// TestOneCallersFailureLeavesTheOthersWhole holds the writer up so that every
// errand lands in one commit.
func TestOneCallersFailureLeavesTheOthersWhole(t *testing.T) {
	s := openGroup(t)
	boom := errors.New("boom")
	started, goOn := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_ = s.write(t.Context(), func(*tx) error { close(started); <-goOn; return nil })
	})
	<-started
	dead, cancel := context.WithCancel(t.Context())
	errs := make([]error, 4)
	for i, work := range []func(*tx) error{
		func(x *tx) error { return bury(x, "good") },
		func(x *tx) error { return errors.Join(bury(x, "bad"), boom) },
		func(x *tx) error { _ = bury(x, "worse"); panic("at the writer") },
		func(x *tx) error { return bury(x, "never") },
	} {
		ctx := t.Context()
		if i == 3 {
			ctx = dead
		}
		e := &errand{ctx: ctx, do: work, done: make(chan struct{})}
		if err := s.engine.(*lite).group.send(e); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { <-e.done; errs[i] = e.err })
	}
	cancel()
	close(goOn)
	all.Wait()
	if errs[0] != nil || !errors.Is(errs[1], boom) || errs[2] == nil || !strings.Contains(errs[2].Error(), "panic") || !errors.Is(errs[3], context.Canceled) {
		t.Errorf("got %v, want each caller's own error", errs)
	}
	list, err := s.DeadLetters(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].TaskID != "good" {
		t.Errorf("got %+v, want only what went well", list)
	}
}

// together runs work in one batch, in this order, and returns each errand's error.
func together(t *testing.T, s *Store, work ...func(*tx) error) []error {
	t.Helper()
	g := s.engine.(*lite).group
	started, goOn := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { _ = s.write(t.Context(), func(*tx) error { close(started); <-goOn; return nil }) })
	<-started
	errs := make([]error, len(work))
	for i, w := range work {
		e := &errand{ctx: t.Context(), do: w, done: make(chan struct{})}
		if err := g.send(e); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { <-e.done; errs[i] = e.err })
	}
	close(goOn)
	all.Wait()
	return errs
}

// TestAFullDiskCostsOnlyWhoMetIt: SQLite then undoes the whole transaction by
// itself, and what came behind would be committed statement by statement.
func TestAFullDiskCostsOnlyWhoMetIt(t *testing.T) {
	large := func(x *tx) error {
		_, err := x.exec("INSERT INTO dead_letters (task_id, kind, reason, at) VALUES ('large', 'k', $1, 0)", strings.Repeat("x", 1<<20))
		return err
	}
	boom := errors.New("boom")
	for name, meets := range map[string]func(*tx) error{
		"at its first write":           large,
		"after it wrote":               func(x *tx) error { return errors.Join(bury(x, "before"), large(x)) },
		"and takes no notice":          func(x *tx) error { _ = large(x); return nil },
		"and writes on all the same":   func(x *tx) error { _ = large(x); return bury(x, "after") },
		"and reads what there is then": func(x *tx) error { _ = large(x); var n int; return x.one("SELECT COUNT(*) FROM dead_letters", nil, &n) },
	} {
		t.Run(name, func(t *testing.T) {
			s := openGroup(t)
			err := s.write(t.Context(), func(x *tx) error {
				var pages int
				if err := x.one("PRAGMA page_count", nil, &pages); err != nil {
					return err
				}
				return x.one(fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil, &pages)
			})
			if err != nil {
				t.Fatal(err)
			}
			errs := together(t, s,
				func(x *tx) error { return bury(x, "first") },
				meets,
				func(x *tx) error { return errors.Join(bury(x, "half"), boom) },
				func(x *tx) error { return errors.Join(bury(x, "last"), bury(x, "last of all")) },
			)
			if errs[0] != nil || !sqliteUndoes(errs[1]) || !errors.Is(errs[2], boom) || errs[3] != nil {
				t.Errorf("got %v, want the full disk for the second alone", errs)
			}
			list, err := s.DeadLetters(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range list {
				got = append(got, d.TaskID)
			}
			slices.Sort(got)
			if want := []string{"first", "last", "last of all"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q: each whole or not at all", got, want)
			}
			if err := s.Bury(t.Context(), "later", "k", "r"); err != nil {
				t.Errorf("got %v, want the writer to go on", err)
			}
		})
	}
}

func TestWhatIsMarkedAsSentIsMarkedWhenTheCommitRunsAgain(t *testing.T) {
	s := openGroup(t)
	var ids []int64
	err := s.write(t.Context(), func(x *tx) error {
		for i := range 150 {
			if err := x.post(SubjectItem, fmt.Sprint("item", i), "judge", "text", x.at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := s.PendingTasks(t.Context(), 200)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range tasks {
		ids = append(ids, k.ID)
	}
	g := s.engine.(*lite).group
	started, goOn := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { _ = s.write(t.Context(), func(*tx) error { close(started); <-goOn; return nil }) })
	<-started
	all.Go(func() {
		if err := s.MarkSent(t.Context(), ids); err != nil {
			t.Error(err)
		}
	})
	for len(g.work) < 1 {
		time.Sleep(time.Millisecond)
	}
	all.Go(func() {
		_ = s.write(t.Context(), func(x *tx) error { return errors.Join(bury(x, "x"), errors.New("boom")) })
	})
	for len(g.work) < 2 {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	all.Wait()
	if waiting, sent, err := s.OutboxDepth(t.Context()); err != nil || waiting != 0 || sent != len(ids) {
		t.Errorf("got %d waiting and %d sent, %v, want all %d sent", waiting, sent, err, len(ids))
	}
}

func TestAClosedStoreRefusesWork(t *testing.T) {
	s := openGroup(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Bury(t.Context(), "x", "k", "r"); !errors.Is(err, errClosed) {
		t.Errorf("got %v, want errClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("got %v for closing twice, want nothing", err)
	}
}

func TestTheWriterSyncsEveryCommit(t *testing.T) {
	s := openGroup(t)
	err := s.write(t.Context(), func(x *tx) error {
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "10000", "secure_delete": "1"} {
			var got string
			if err := x.one("PRAGMA "+pragma, nil, &got); err != nil || got != want {
				t.Errorf("%s: got %s, %v, want %s", pragma, got, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestIDsSortByBirth(t *testing.T) {
	s := &Store{}
	last := ""
	for range 10000 {
		id := s.newID("item", 1_700_000_000_000_000)
		if id <= last || len(id) != len("item_")+26 {
			t.Fatalf("got %s after %s, want it greater", id, last)
		}
		last = id
	}
	if got, ok := idOf(cursorOf(last), "item"); got != last || !ok {
		t.Errorf("got %s, %t, want the id back from its cursor", got, ok)
	}
}

func FuzzCursor(f *testing.F) {
	s := &Store{}
	f.Add(cursorOf(s.newID("item", 1)))
	f.Add("")
	f.Add("MQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		if id, ok := idOf(cursor, "item"); ok && (cursorOf(id) != cursor || !strings.HasPrefix(id, "item_")) {
			t.Errorf("got %q from %q, want only cursors that we made", id, cursor)
		}
	})
}
