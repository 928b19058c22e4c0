package store

import (
	"context"
	"errors"
	"time"
)

// Session is a login that is still good.
type Session struct {
	User      User
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	// CSRF is a token bound to the session, for forms.
	CSRF string
}

// CreateSession starts a session that ends after idle without a request, and
// in any case after absolute. The token is returned once and kept as a hash.
func (s *Store) CreateSession(ctx context.Context, userID string, idle, absolute time.Duration) (token string, _ Session, err error) {
	return "", Session{}, errors.ErrUnsupported
}

// Session returns the live session of token and keeps it alive; an unknown,
// ended or expired one, or one of a disabled user, gives ErrNotFound.
func (s *Store) Session(ctx context.Context, token string) (Session, error) {
	return Session{}, errors.ErrUnsupported
}

// EndSession logs one session out.
func (s *Store) EndSession(ctx context.Context, token string) error { return errors.ErrUnsupported }

// EndSessions logs a user out everywhere.
func (s *Store) EndSessions(ctx context.Context, userID string) error { return errors.ErrUnsupported }

// Throttle is how often a login failed for one key of the caller's choice,
// such as a hash of the name or of the address.
type Throttle struct {
	Failures    int
	LockedUntil time.Time // zero when not locked
}

// LoginThrottle returns the state of key.
func (s *Store) LoginThrottle(ctx context.Context, key string) (Throttle, error) {
	return Throttle{}, errors.ErrUnsupported
}

// LoginFailed counts a failure. From the 5th on, within an hour of quiet, the
// key is locked for 1 s, 2 s, 4 s … up to 15 min.
func (s *Store) LoginFailed(ctx context.Context, key string) (Throttle, error) {
	return Throttle{}, errors.ErrUnsupported
}

// LoginSucceeded forgets the failures of key.
func (s *Store) LoginSucceeded(ctx context.Context, key string) error { return errors.ErrUnsupported }
