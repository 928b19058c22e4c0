package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lite is SQLite: one writer that commits many callers' work with one fsync,
// and a pool of readers, which WAL lets see the last commit meanwhile.
type lite struct {
	writer  *sql.DB
	readers *sql.DB
	reading *statements
	group   *group
	clock   func() time.Time
}

func openSQLite(ctx context.Context, path string, o Options, ring func()) (engine, error) {
	if path == "" {
		return nil, errors.New("sqlite: needs a path")
	}
	if err := createAlone(path); err != nil {
		return nil, err
	}
	// secure_delete overwrites what is deleted, keys and sealed words among it; it
	// costs some 4 % of the CPU time of a message's way (BenchmarkJourney)
	writer, err := sql.Open("sqlite", sqliteDSN(path, "synchronous(FULL)", "secure_delete(1)", "foreign_keys(1)", "journal_size_limit(67108864)"))
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	l := &lite{writer: writer, clock: o.Clock}
	if l.clock == nil {
		l.clock = time.Now
	}
	conn, err := writer.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	l.readers, err = sql.Open("sqlite", sqliteDSN(path, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, conn.Close(), writer.Close())
	}
	n := o.Readers
	if n <= 0 {
		n = 4
	}
	l.readers.SetMaxOpenConns(n)
	l.readers.SetMaxIdleConns(n)
	l.reading = newStatements(l.readers)
	l.group = startGroup(conn, l.stamp, ring)
	return l, nil
}

// createAlone makes a new file that only we can read; SQLite gives its
// journals the same mode. A file that is there is not touched: closing it
// would drop the locks that another connection of this process holds on it.
func createAlone(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// busyTimeout is how long a statement waits for other connections.
const busyTimeout = 10 * time.Second

// sqliteDSN sets busy_timeout first, so that switching to WAL waits for
// others too.
func sqliteDSN(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "cache_size(-16000)"}, pragmas...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (l *lite) stamp() int64 { return l.clock().UnixMicro() }

func (l *lite) now(context.Context) (int64, error) { return l.stamp(), nil }

func (l *lite) write(ctx context.Context, work func(*tx) error) error {
	return l.group.do(ctx, work)
}

func (l *lite) reader(ctx context.Context) *tx {
	return &tx{ctx: ctx, on: l.readers, prepared: l.reading}
}

func (l *lite) ping(ctx context.Context) error {
	var one int
	return l.readers.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

func (l *lite) close() error {
	err := l.group.stop()
	l.reading.close()
	return errors.Join(err, l.readers.Close(), l.writer.Close())
}

// statements keeps prepared statements by their text: parsing costs more than
// running for most of ours. The texts are few and constant.
type statements struct {
	on interface {
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	}
	mu   sync.RWMutex
	by   map[string]*sql.Stmt
	most int
}

func newStatements(on interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}) *statements {
	return &statements{on: on, by: map[string]*sql.Stmt{}, most: 400}
}

// get returns nil when a statement cannot be prepared; running it plainly
// then gives the error.
func (s *statements) get(ctx context.Context, query string) *sql.Stmt {
	s.mu.RLock()
	st := s.by[query]
	s.mu.RUnlock()
	if st != nil {
		return st
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.by[query]; st != nil {
		return st
	}
	if len(s.by) >= s.most {
		return nil
	}
	st, err := s.on.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	s.by[query] = st
	return st
}

func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.by {
		st.Close()
	}
	s.by = nil
	s.most = 0
}

func sqliteUnique(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

func sqliteCheck(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_CHECK
}

// sqliteUndoes reports whether SQLite may have rolled back the whole transaction
// by itself, not the statement alone (sqlite.org/lang_transaction.html, 3).
func sqliteUndoes(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff { // without what the extended codes add
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_INTERRUPT:
		return true
	}
	return false
}

func violatesUnique(err error) bool { return sqliteUnique(err) || postgresCode(err) == "23505" }

func violatesCheck(err error) bool { return sqliteCheck(err) || postgresCode(err) == "23514" }

func (l *lite) migrate(ctx context.Context) error {
	db, err := sql.Open("sqlite", sqliteDSN(l.path(ctx), "synchronous(FULL)", "secure_delete(1)"))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	// another process may migrate at this moment; then there is less to do
	// when it is our turn
	for range 10 {
		if err = migrateUp(ctx, db, "sqlite"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return err
}

// scrubWait is how long a scrub waits for readers. Writers wait meanwhile.
const scrubWait = time.Second

// errRead says that somebody still reads what the journal holds.
var errRead = errors.New("sqlite: the journal is being read")

// scrub moves all of the journal into the database and cuts it to nothing, on a
// connection whose patience is shorter than the writer's meanwhile.
func (l *lite) scrub(ctx context.Context) error {
	conn, err := l.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	patience := func(d time.Duration) error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout = %d", d.Milliseconds()))
		return err
	}
	if err := patience(scrubWait); err != nil {
		return err
	}
	var busy, pages, moved int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err == nil && busy != 0 {
		err = errRead
	}
	return errors.Join(err, patience(busyTimeout))
}

// path asks the database where it lies, so that nothing must be carried.
func (l *lite) path(ctx context.Context) string {
	var seq int
	var name, file string
	if err := l.readers.QueryRowContext(ctx, "PRAGMA database_list").Scan(&seq, &name, &file); err != nil {
		return fmt.Sprintf("unknown (%v)", err)
	}
	return file
}
