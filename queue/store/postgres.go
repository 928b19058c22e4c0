package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the pgx driver for database/sql
)

// postgres is PostgreSQL, whose own clock measures every lease.
type postgres struct {
	db    *sql.DB
	clock func() time.Time
	ring  func()
	most  int // connections
}

func openPostgres(ctx context.Context, dsn string, o Options, ring func()) (engine, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	n := o.Readers
	if n <= 0 {
		n = 16
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &postgres{db: db, clock: o.Clock, ring: ring, most: n}, nil
}

// postgresClock is the server's time in microseconds.
const postgresClock = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"

func (p *postgres) now(ctx context.Context) (int64, error) {
	return p.stamp(ctx, p.db)
}

func (p *postgres) stamp(ctx context.Context, on querier) (at int64, err error) {
	if p.clock != nil {
		return p.clock().UnixMicro(), nil
	}
	err = on.QueryRowContext(ctx, postgresClock).Scan(&at)
	return at, err
}

// retries is how often a transaction runs again after a deadlock.
const retries = 5

func (p *postgres) write(ctx context.Context, work func(*tx) error) error {
	var err error
	for range retries {
		if err = p.try(ctx, work); !again(err) {
			return err
		}
	}
	return err
}

func (p *postgres) try(ctx context.Context, work func(*tx) error) error {
	on, err := p.begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer on.Rollback()
	at, err := p.stamp(ctx, on)
	if err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	t := &tx{ctx: ctx, on: on, at: at, lock: dialect{skip: " FOR UPDATE SKIP LOCKED", skipCase: " FOR UPDATE OF c SKIP LOCKED"}}
	if err := guarded(work, t); err != nil {
		return err
	}
	if err := on.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, f := range t.after {
		f()
	}
	if t.woke {
		p.ring()
	}
	return nil
}

// begin tries again while it gets connections that died in the pool, such as
// after the server was restarted: nothing has been done yet, and each failure
// takes one of them out. A server that cannot be reached is not tried again.
func (p *postgres) begin(ctx context.Context) (on *sql.Tx, err error) {
	for range p.most + 1 {
		on, err = p.db.BeginTx(ctx, nil)
		var unreachable *pgconn.ConnectError
		if err == nil || ctx.Err() != nil || errors.As(err, &unreachable) {
			return on, err
		}
	}
	return nil, err
}

// again reports whether a transaction lost only to another's timing.
func again(err error) bool {
	code := postgresCode(err)
	return code == "40001" || code == "40P01"
}

func postgresCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func (p *postgres) reader(ctx context.Context) *tx { return &tx{ctx: ctx, on: p.db} }

// scrub has nothing to do: the server keeps its own journal, and vacuums.
func (p *postgres) scrub(context.Context) error { return nil }

func (p *postgres) ping(ctx context.Context) error { return p.db.PingContext(ctx) }

func (p *postgres) close() error { return p.db.Close() }

func (p *postgres) migrate(ctx context.Context) error { return migrateUp(ctx, p.db, "postgres") }
