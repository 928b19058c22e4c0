package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"nightlight/queue/review"
)

// Keyring makes and uses the data keys under which text, evidence and secrets
// are sealed: AES-256-GCM keys, one for each item, wrapped by a key that never
// enters the database. Destroying the wrapped key erases what it sealed.
type Keyring interface {
	// NewKey returns a fresh data key in its wrapped form.
	NewKey() (wrapped []byte, err error)
	// Seal encrypts plain under the wrapped key; aad must be given again to
	// open it.
	Seal(wrapped, aad, plain []byte) ([]byte, error)
	// Open decrypts what Seal made, or fails when key, aad or bytes differ.
	Open(wrapped, aad, sealed []byte) ([]byte, error)
}

// Options are the settings of a Store. The zero value of each field but
// Keyring is usable.
type Options struct {
	// Keyring is required.
	Keyring Keyring
	// Clock replaces the database's time, for tests. Nil: PostgreSQL's own
	// clock, or this machine's for SQLite.
	Clock func() time.Time
	// Readers is the number of read connections to SQLite (default 4), or of
	// all connections to PostgreSQL (default 16).
	Readers int
	// ItemLease is how long a worker holds an item without a heartbeat
	// (default 15 s).
	ItemLease time.Duration
	// MaxAttempts is after how many claims an item counts as poison
	// (default 5): Lease.Exhausted is then true.
	MaxAttempts int
	// MaxDeliveries is after how many tries a delivery is dead (default 10).
	MaxDeliveries int
	// CaseLease is how long a reviewer holds a case (default review.LeaseFor).
	CaseLease time.Duration
	// Undo is how long a decision waits before it has effect, and how long
	// nobody else is given its case (default review.UndoFor; negative: none).
	Undo time.Duration
	// SevereViewsPerHour caps a reviewer (default review.SevereViewsPerHour).
	SevereViewsPerHour int
	// ContextTurns is how many earlier messages a lease carries (default 8).
	ContextTurns int
	// Retention says how long content is kept.
	Retention Retention
	// WebhookQueue, NoticeQueue and UrgentNoticeQueue name the queues of the
	// outbox rows that Commit and Decide write (default "effects", "notices" and
	// "urgent-notices").
	WebhookQueue, NoticeQueue, UrgentNoticeQueue string
}

// Retention says how long content is kept after an item ended. Legal hold
// beats all of it.
type Retention struct {
	AllowedMedia time.Duration // default 24 h
	AllowedText  time.Duration // default 30 days: the conversation around later items
	Blocked      time.Duration // default 30 days
}

// defaults fills what the caller left empty.
func (o Options) defaults() Options {
	o.ItemLease = cmp.Or(o.ItemLease, 15*time.Second)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 5)
	o.MaxDeliveries = cmp.Or(o.MaxDeliveries, 10)
	o.CaseLease = cmp.Or(o.CaseLease, review.LeaseFor)
	o.Undo = max(cmp.Or(o.Undo, review.UndoFor), 0)
	o.SevereViewsPerHour = cmp.Or(o.SevereViewsPerHour, review.SevereViewsPerHour)
	o.ContextTurns = cmp.Or(o.ContextTurns, 8)
	o.Retention.AllowedMedia = cmp.Or(o.Retention.AllowedMedia, 24*time.Hour)
	o.Retention.AllowedText = cmp.Or(o.Retention.AllowedText, 30*24*time.Hour)
	o.Retention.Blocked = cmp.Or(o.Retention.Blocked, 30*24*time.Hour)
	o.WebhookQueue = cmp.Or(o.WebhookQueue, "effects")
	o.NoticeQueue = cmp.Or(o.NoticeQueue, "notices")
	o.UrgentNoticeQueue = cmp.Or(o.UrgentNoticeQueue, "urgent-notices")
	return o
}

// Store is the database. It is safe for concurrent use.
type Store struct {
	engine
	options Options
	keyring Keyring
	wake    chan struct{}
	lastID  atomic.Int64
	looked  atomic.Int64 // when unrendered last looked

	watching sync.Mutex
	watchers map[string][]chan struct{}
}

// engine is the part that differs between the two databases.
type engine interface {
	// write runs work in a transaction of its own and returns after it is
	// durable. work may run more than once.
	write(ctx context.Context, work func(*tx) error) error
	// reader returns a tx whose statements only read, each on its own.
	reader(ctx context.Context) *tx
	// now is the time that leases are measured by.
	now(ctx context.Context) (int64, error)
	migrate(ctx context.Context) error
	scrub(ctx context.Context) error
	ping(ctx context.Context) error
	close() error
}

// errNoKeyring says that the caller forgot the key that all sealing needs.
var errNoKeyring = errors.New("no keyring")

// Open connects to "sqlite:PATH" or "postgres://…". It does not migrate.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	if o.Keyring == nil {
		return nil, fmt.Errorf("open database: %w", errNoKeyring)
	}
	s := &Store{
		options:  o.defaults(),
		keyring:  o.Keyring,
		wake:     make(chan struct{}, 1),
		watchers: map[string][]chan struct{}{},
	}
	var err error
	switch scheme, rest, _ := strings.Cut(dsn, ":"); scheme {
	case "sqlite":
		s.engine, err = openSQLite(ctx, rest, o, s.ring)
	case "postgres", "postgresql":
		s.engine, err = openPostgres(ctx, dsn, o, s.ring)
	default:
		err = fmt.Errorf("scheme %q: want sqlite: or postgres://", scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return s, nil
}

// Migrate brings the schema up to date. Several processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ping(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// Close waits for the writer and closes every connection.
func (s *Store) Close() error { return s.close() }

// Now is the time that leases are measured by.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	at, err := s.now(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the database's clock: %w", err)
	}
	return timeOf(at), nil
}

// Wake receives a value after this process wrote an outbox row that is due at
// once, so that the relay beside it need not wait for its next look.
func (s *Store) Wake() <-chan struct{} { return s.wake }

func (s *Store) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
