package store_test

import (
	"database/sql"
	"sync"
	"testing"

	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

func TestWritingGoesOnAfterTheServerDroppedEveryConnection(t *testing.T) {
	dsn := storetest.StartPostgres(t)
	s := storetest.Open(t, dsn, store.Options{})
	w := &world{T: t, Store: s, clock: &clock{}, tenant: "ten"}
	batch := make([]store.NewItem, 40)
	for i := range batch {
		batch[i] = w.message("x")
	}
	accept := func(list []store.NewItem) {
		t.Helper()
		var all sync.WaitGroup
		for _, n := range list {
			all.Go(func() {
				if _, err := s.Accept(t.Context(), n); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	accept(batch[:20]) // fills the pool
	db, err := sql.Open("pgx", dsn)
	w.must(err)
	defer db.Close()
	var ended int
	w.must(db.QueryRow(`SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&ended))
	if ended == 0 {
		t.Fatal("got no connection to end, want some")
	}
	accept(batch[20:])
	if l := w.well(); l.Accepted != len(batch) {
		t.Errorf("got %d accepted, want %d", l.Accepted, len(batch))
	}
}
