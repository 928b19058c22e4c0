package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// LoginKey is what failed logins are counted by, a text of the caller's choice,
// and how much it bears within an hour of quiet: Free failures cost nothing,
// each further one locks it, the first of them for First, each after that for
// twice as long, up to Most.
type LoginKey struct {
	Key         string
	Free        int
	First, Most time.Duration
	// Cleared is true where a login forgets every failure, not its own try alone.
	Cleared bool
}

// LoginTry is a login that counts as failed until LoginSucceeded or
// LoginUntried takes that back.
type LoginTry struct {
	at     int64
	keys   []LoginKey
	before []throttle // as each key was
}

// throttle is the state of one key.
type throttle struct {
	failures     int
	last, locked int64 // locked is until when
}

// throttleQuiet is the quiet after which failures are forgotten.
const throttleQuiet = time.Hour

// The state of a key, read alone, or kept from others until the end of the
// transaction, which makes it when nobody has failed yet.
const (
	readThrottle = "SELECT failures, last_at, locked_until FROM login_throttle WHERE id = $1"
	lockThrottle = `INSERT INTO login_throttle (id, failures, last_at, locked_until) VALUES ($1, 0, 0, 0)
		ON CONFLICT (id) DO UPDATE SET failures = login_throttle.failures RETURNING failures, last_at, locked_until`
)

// errLocked rolls a try back that came upon a lock.
var errLocked = errors.New("login is locked")

// TryLogin counts a failure of each key before anybody looks at the password,
// so that many guesses at once get no further than one after the other, from
// several processes too. Where a key is locked it counts nothing and returns
// for how long that is. Several keys are given in the same order always.
func (s *Store) TryLogin(ctx context.Context, keys ...LoginKey) (try LoginTry, wait time.Duration, err error) {
	now, err := s.now(ctx)
	if err == nil { // a flood is refused by reading, and does not keep the writer busy
		_, wait, err = s.reader(ctx).throttles(readThrottle, keys, now)
	}
	if err == nil && wait == 0 {
		err = s.write(ctx, func(t *tx) (err error) {
			try, wait, err = t.tryLogin(keys)
			return err
		})
	}
	if err != nil && !errors.Is(err, errLocked) {
		return LoginTry{}, 0, fmt.Errorf("count login: %w", err)
	}
	return try, wait, nil
}

func (t *tx) tryLogin(keys []LoginKey) (try LoginTry, wait time.Duration, err error) {
	before, wait, err := t.throttles(lockThrottle, keys, t.at)
	if err != nil {
		return LoginTry{}, 0, err
	}
	if wait > 0 {
		return LoginTry{}, wait, errLocked
	}
	for i, k := range keys {
		failures, locked := before[i].failures+1, int64(0)
		if over := failures - k.Free; over > 0 {
			locked = t.at + min(k.First<<min(over-1, 20), k.Most).Microseconds()
		}
		if _, err := t.exec("UPDATE login_throttle SET failures = $2, last_at = $3, locked_until = $4 WHERE id = $1", hexHash(k.Key), failures, t.at, locked); err != nil {
			return LoginTry{}, 0, err
		}
	}
	return LoginTry{t.at, keys, before}, 0, nil
}

// throttles reads the state of every key and how long the longest lock lasts.
func (t *tx) throttles(query string, keys []LoginKey, now int64) (states []throttle, wait time.Duration, err error) {
	states = make([]throttle, len(keys))
	for i, k := range keys {
		var have throttle
		err := t.one(query, args(hexHash(k.Key)), &have.failures, &have.last, &have.locked)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, 0, err
		}
		if now-have.last > throttleQuiet.Microseconds() {
			continue
		}
		states[i] = have
		if have.failures > k.Free {
			wait = max(wait, time.Duration(have.locked-now)*time.Microsecond)
		}
	}
	return states, wait, nil
}

// LoginSucceeded forgets what the try counted, and all failures of the keys that
// say so.
func (s *Store) LoginSucceeded(ctx context.Context, try LoginTry) error {
	return s.takeBack(ctx, try, true)
}

// LoginUntried forgets what the try counted, when nobody came to look at the
// password.
func (s *Store) LoginUntried(ctx context.Context, try LoginTry) error {
	return s.takeBack(ctx, try, false)
}

func (s *Store) takeBack(ctx context.Context, try LoginTry, fits bool) error {
	err := s.write(ctx, func(t *tx) error {
		for i, k := range try.keys {
			if err := t.takeBack(hexHash(k.Key), try.at, try.before[i], fits && k.Cleared); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("take back login: %w", err)
	}
	return nil
}

// takeBack makes a key what it was before a try, unless another counted
// meanwhile: then that one's time and lock stand. A key without failures goes.
func (t *tx) takeBack(id string, at int64, before throttle, cleared bool) error {
	_, err := t.exec(`UPDATE login_throttle SET failures = failures - 1, last_at = CASE last_at WHEN $2 THEN $3 ELSE last_at END,
		locked_until = CASE last_at WHEN $2 THEN $4 ELSE locked_until END WHERE id = $1`, id, at, before.last, before.locked)
	if err != nil {
		return err
	}
	_, err = t.exec("DELETE FROM login_throttle WHERE id = $1 AND (failures <= 0 OR $2 = 1)", id, flag(cleared))
	return err
}
