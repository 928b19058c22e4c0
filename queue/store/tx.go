package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tx is what work in the database sees: one transaction of the writer, or a
// connection that only reads. SQL is written once, with $1 parameters.
type tx struct {
	ctx      context.Context
	on       querier
	prepared *statements // SQLite only; pgx keeps its own
	at       int64       // the transaction's time in microseconds; 0 for readers
	lock     dialect
	woke     bool
	wrote    bool  // whether any row was changed
	lost     error // of SQLite: it may have undone the whole transaction, and nothing may follow it
	after    []func()
}

type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// dialect holds the words that only PostgreSQL knows.
type dialect struct {
	skip     string // behind a SELECT that picks rows to claim
	skipCase string // the same when cases are joined
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int, error) {
	if t.lost != nil {
		return 0, t.lost
	}
	var done sql.Result
	var err error
	if st := t.statement(query); st != nil {
		done, err = st.ExecContext(t.ctx, args...)
	} else {
		done, err = t.on.ExecContext(t.ctx, query, args...)
	}
	if err != nil {
		return 0, t.known(err)
	}
	n, err := done.RowsAffected()
	t.wrote = t.wrote || n > 0
	return int(n), err
}

// execFor runs a statement for all ids, which it names as these, and returns
// how many rows it changed. What comes behind the ids is $101 and so on. A list
// is filled up with its last id, so that one text serves every length.
func (t *tx) execFor(ids []string, query string, more ...any) (n int, err error) {
	for some := range slices.Chunk(ids, theseMany) {
		changed, err := t.exec(query, argsFor(some, more)...)
		if err != nil {
			return n, err
		}
		n += changed
	}
	return n, nil
}

// textsFor is execFor for a statement that returns one text a row.
func (t *tx) textsFor(ids []string, query string, more ...any) (all []string, err error) {
	for some := range slices.Chunk(ids, theseMany) {
		got, err := allOf(t, query, argsFor(some, more), scanText)
		if err != nil {
			return all, err
		}
		all = append(all, got...)
	}
	return all, nil
}

func argsFor(some []string, more []any) []any {
	a := make([]any, 0, theseMany+len(more))
	for i := range theseMany {
		a = append(a, some[min(i, len(some)-1)])
	}
	return append(a, more...)
}

const theseMany = 100

// these is ($1,…,$100).
var these = places(1, theseMany)

// one scans a single row; none gives ErrNotFound.
func (t *tx) one(query string, args []any, into ...any) error {
	if t.lost != nil {
		return t.lost
	}
	var row *sql.Row
	if st := t.statement(query); st != nil {
		row = st.QueryRowContext(t.ctx, args...)
	} else {
		row = t.on.QueryRowContext(t.ctx, query, args...)
	}
	err := row.Scan(into...)
	t.wrote = t.wrote || (changes(query) && !errors.Is(err, sql.ErrNoRows))
	return t.known(err)
}

// each calls scan for every row.
func (t *tx) each(query string, args []any, scan func(row scanner) error) error {
	if t.lost != nil {
		return t.lost
	}
	var rows *sql.Rows
	var err error
	if st := t.statement(query); st != nil {
		rows, err = st.QueryContext(t.ctx, args...)
	} else {
		rows, err = t.on.QueryContext(t.ctx, query, args...)
	}
	if err != nil {
		return t.known(err)
	}
	defer rows.Close()
	for rows.Next() {
		t.wrote = t.wrote || changes(query)
		if err := scan(rows); err != nil {
			return err
		}
	}
	return t.known(rows.Err())
}

// allOf returns every row that a query gives.
func allOf[T any](t *tx, query string, args []any, scan func(scanner) (T, error)) ([]T, error) {
	var list []T
	err := t.each(query, args, func(row scanner) error {
		one, err := scan(row)
		list = append(list, one)
		return err
	})
	return list, err
}

// firstOf reads the one row that a query gives, or ErrNotFound.
func firstOf[T any](t *tx, query string, args []any, scan func(scanner) (T, error), into *T) error {
	list, err := allOf(t, query, args, scan)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return ErrNotFound
	}
	*into = list[0]
	return nil
}

func scanText(row scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

// jsonOf writes what we keep as JSON; our own types always marshal.
func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // guarded: the transaction is rolled back
	}
	return string(b)
}

// changes reports whether a statement that gives rows also writes them.
func changes(query string) bool { return !strings.HasPrefix(query, "SELECT") }

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(into ...any) error }

func (t *tx) statement(query string) *sql.Stmt {
	if t.prepared == nil {
		return nil
	}
	return t.prepared.get(t.ctx, query)
}

// args spares the reader a []any at each call of one and each.
func args(a ...any) []any { return a }

// known is the driver's error as callers know it. One that may have undone the
// transaction is kept: statements behind it would be committed each by itself.
func (t *tx) known(err error) error {
	if t.lost == nil && sqliteUndoes(err) {
		t.lost = err
	}
	return known(err)
}

// known turns a driver's error into the sentinel that callers act on.
func known(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case strings.Contains(err.Error(), "illegal transition"), violatesCheck(err):
		return fmt.Errorf("%w: %w", ErrIllegal, err)
	case violatesUnique(err):
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// micros is a time as the database holds it; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// timeOf is the reverse of micros.
func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// places returns "($1,$2),($3,$4)" for n rows of width columns.
func places(n, width int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(",("[min(1, flag(i == 0)):])
		for j := range width {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "$%d", i*width+j+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}
