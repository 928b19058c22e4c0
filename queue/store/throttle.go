package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Throttle is how often a login failed for one key of the caller's choice,
// such as a hash of the name or of the address.
type Throttle struct {
	Failures    int
	LockedUntil time.Time // zero when not locked
}

// The rules of the throttle.
const (
	throttleFree  = 4 // failures that cost nothing
	throttleQuiet = time.Hour
	throttleMost  = 15 * time.Minute
)

const throttleColumns = "SELECT failures, last_at, locked_until FROM login_throttle WHERE id = $1"

// LoginThrottle returns the state of key.
func (s *Store) LoginThrottle(ctx context.Context, key string) (Throttle, error) {
	now, err := s.now(ctx)
	if err != nil {
		return Throttle{}, fmt.Errorf("read login throttle: %w", err)
	}
	state, err := s.reader(ctx).throttle(key, now)
	if err != nil {
		return Throttle{}, fmt.Errorf("read login throttle: %w", err)
	}
	return state, nil
}

func (t *tx) throttle(key string, now int64) (state Throttle, err error) {
	var last, locked int64
	err = t.one(throttleColumns, args(hexHash(key)), &state.Failures, &last, &locked)
	if errors.Is(err, ErrNotFound) || now-last > throttleQuiet.Microseconds() {
		return Throttle{}, nil
	}
	if locked > now {
		state.LockedUntil = timeOf(locked)
	}
	return state, err
}

// LoginFailed counts a failure. From the 5th on, within an hour of quiet, the
// key is locked for 1 s, 2 s, 4 s … up to 15 min.
func (s *Store) LoginFailed(ctx context.Context, key string) (state Throttle, err error) {
	err = s.write(ctx, func(t *tx) error {
		before, err := t.throttle(key, t.at)
		if err != nil {
			return err
		}
		state = Throttle{Failures: before.Failures + 1}
		if over := state.Failures - throttleFree; over > 0 {
			pause := min(time.Second<<min(over-1, 20), throttleMost)
			state.LockedUntil = timeOf(t.at).Add(pause)
		}
		_, err = t.exec(`INSERT INTO login_throttle (id, failures, last_at, locked_until) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at, locked_until = excluded.locked_until`,
			hexHash(key), state.Failures, t.at, micros(state.LockedUntil))
		return err
	})
	if err != nil {
		return Throttle{}, fmt.Errorf("count failed login: %w", err)
	}
	return state, nil
}

// LoginSucceeded forgets the failures of key.
func (s *Store) LoginSucceeded(ctx context.Context, key string) error {
	err := s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM login_throttle WHERE id = $1", hexHash(key))
		return err
	})
	if err != nil {
		return fmt.Errorf("clear login throttle: %w", err)
	}
	return nil
}
