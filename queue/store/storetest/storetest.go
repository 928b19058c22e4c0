// Package storetest opens real databases for tests: SQLite in a temporary
// folder, and a PostgreSQL server that one test process starts once and gives
// a fresh database to each test.
package storetest

import (
	"os"
	"path/filepath"
	"testing"

	"nightlight/queue/store"
)

// Open opens and migrates a store, and closes it when the test ends. A nil
// Keyring becomes NewKeyring.
func Open(t testing.TB, dsn string, o store.Options) *store.Store {
	t.Helper()
	if o.Keyring == nil {
		o.Keyring = NewKeyring(t)
	}
	s, err := store.Open(t.Context(), dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// OpenSQLite returns a migrated store in a temporary folder.
func OpenSQLite(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	return Open(t, "sqlite:"+filepath.Join(t.TempDir(), "nightlight.db"), o)
}

// OpenPostgres returns a migrated store in a fresh PostgreSQL database. It
// skips the test when there is no PostgreSQL, and fails it when CI is true.
func OpenPostgres(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	return Open(t, StartPostgres(t), o)
}

// missing skips the test, or fails it where everything must be there.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: needed because CI=true", what)
	}
	t.Skipf("%s: skipped", what)
}
