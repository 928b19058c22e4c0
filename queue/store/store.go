package store

import (
	"context"
	"errors"
	"time"
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
	// Undo is how long a decision waits before it has effect (default
	// review.UndoFor; negative: none).
	Undo time.Duration
	// SevereViewsPerHour caps a reviewer (default review.SevereViewsPerHour).
	SevereViewsPerHour int
	// ContextTurns is how many earlier messages a lease carries (default 8).
	ContextTurns int
	// Retention says how long content is kept.
	Retention Retention
	// WebhookQueue and NoticeQueue name the queues of the outbox rows that
	// Commit and Decide write (defaults "webhooks" and "notices").
	WebhookQueue, NoticeQueue string
}

// Retention says how long content is kept after an item ended. Legal hold
// beats all of it.
type Retention struct {
	AllowedMedia time.Duration // default 24 h
	AllowedText  time.Duration // default 30 days: the conversation around later items
	Blocked      time.Duration // default 30 days
}

// Store is the database. It is safe for concurrent use.
type Store struct{ todo struct{} }

// Open connects to "sqlite:PATH" or "postgres://…". It does not migrate.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	return nil, errors.ErrUnsupported
}

// Migrate brings the schema up to date. Several processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error { return errors.ErrUnsupported }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return errors.ErrUnsupported }

// Close waits for the writer and closes every connection.
func (s *Store) Close() error { return errors.ErrUnsupported }

// Now is the time that leases are measured by.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	return time.Time{}, errors.ErrUnsupported
}

// Wake receives a value after this process wrote an outbox row that is due at
// once, so that the relay beside it need not wait for its next look.
func (s *Store) Wake() <-chan struct{} { return nil }
