package store_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

// columns lists table.column for every table of ours.
func columns(t *testing.T, driver, dsn, query string) []string {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func TestBothSchemasHaveTheSameColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.db")
	storetest.Open(t, "sqlite:"+path, store.Options{})
	dsn := storetest.StartPostgres(t)
	storetest.Open(t, dsn, store.Options{})
	lite := columns(t, "sqlite", path, `SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose%'`)
	pg := columns(t, "pgx", dsn, `SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%'`)
	if len(lite) < 100 || !slices.Equal(lite, pg) {
		t.Errorf("got %d columns in SQLite and %d in PostgreSQL, want the same:\n%v\n%v", len(lite), len(pg), lite, pg)
	}
}

func TestManyProcessesMayMigrateAtOnce(t *testing.T) {
	for name, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "n.db") },
		"postgres": func(t *testing.T) string { return storetest.StartPostgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			at := dsn(t)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					s, err := store.Open(t.Context(), at, store.Options{Keyring: storetest.NewKeyring(t)})
					if err != nil {
						t.Error(err)
						return
					}
					defer s.Close()
					if err := s.Migrate(t.Context()); err != nil {
						t.Error(err)
					}
					if _, err := s.Tenants(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		})
	}
}

func TestReviewersWhoRaceGetDifferentCases(t *testing.T) {
	both(t, func(w *world) {
		const n = 12
		reviewers := make([]review.Reviewer, n)
		for i := range reviewers {
			reviewers[i] = w.user("r"+string(rune('a'+i)), review.RoleReviewer)
			w.judged(held(i % 4))
		}
		got := make([]string, n)
		var all sync.WaitGroup
		for i, r := range reviewers {
			all.Go(func() {
				c, _, err := w.NextCase(t.Context(), r)
				if err != nil {
					t.Errorf("reviewer %d: %v", i, err)
				}
				got[i] = c.ID
			})
		}
		all.Wait()
		slices.Sort(got)
		if len(slices.Compact(got)) != n {
			t.Errorf("got %v, want %d different cases", got, n)
		}
	})
}

func TestATaskPostedAnewIsNotMarkedSentByTheOldOne(t *testing.T) {
	both(t, func(w *world) {
		id := w.accept(w.message("x"))
		tasks, err := w.PendingTasks(t.Context(), 10)
		w.must(err)
		w.must(w.Release(t.Context(), w.claim(id), 0, true)) // the worker was faster than the relay's note
		w.must(w.MarkSent(t.Context(), []int64{tasks[0].ID}))
		again, err := w.PendingTasks(t.Context(), 10)
		w.must(err)
		if len(again) != 1 || again[0].TaskID() == tasks[0].TaskID() {
			t.Errorf("got %+v, want the task once more under a new id", again)
		}
	})
}
