package store

import (
	"context"
	"fmt"
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
func (s *Store) CreateSession(ctx context.Context, userID string, idle, absolute time.Duration) (token string, made Session, err error) {
	err = s.write(ctx, func(t *tx) error {
		u, err := t.user(userColumns+" WHERE id = $1 AND disabled_at = 0", userID)
		if err != nil {
			return err
		}
		token = secret(32)
		made = Session{User: u, CreatedAt: timeOf(t.at), SeenAt: timeOf(t.at), ExpiresAt: timeOf(t.at).Add(absolute), CSRF: secret(18)}
		_, err = t.exec("INSERT INTO sessions (hash, user_id, csrf, idle, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $5, $6)",
			hashOf(token), userID, made.CSRF, idle.Microseconds(), t.at, micros(made.ExpiresAt))
		return err
	})
	if err != nil {
		return "", Session{}, fmt.Errorf("create session of %s: %w", userID, err)
	}
	return token, made, nil
}

// seenEvery is how often a live session writes that it was seen.
const seenEvery = 30 * time.Second

// Session returns the live session of token and keeps it alive; an unknown,
// ended or expired one, or one of a disabled user, gives ErrNotFound.
func (s *Store) Session(ctx context.Context, token string) (Session, error) {
	found, err := s.session(ctx, token)
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	return found, nil
}

func (s *Store) session(ctx context.Context, token string) (found Session, err error) {
	now, err := s.now(ctx)
	if err != nil {
		return Session{}, err
	}
	r := s.reader(ctx)
	var userID string
	var created, seen, expires, idle int64
	err = r.one("SELECT user_id, csrf, idle, created_at, seen_at, expires_at FROM sessions WHERE hash = $1", args(hashOf(token)),
		&userID, &found.CSRF, &idle, &created, &seen, &expires)
	if err != nil {
		return Session{}, err
	}
	if now >= expires || now >= seen+idle {
		return Session{}, ErrNotFound
	}
	if found.User, err = r.user(userColumns+" WHERE id = $1 AND disabled_at = 0", userID); err != nil {
		return Session{}, err
	}
	found.CreatedAt, found.SeenAt, found.ExpiresAt = timeOf(created), timeOf(seen), timeOf(expires)
	if now-seen < min(seenEvery.Microseconds(), idle/4) {
		return found, nil
	}
	found.SeenAt = timeOf(now)
	return found, s.write(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE sessions SET seen_at = $2 WHERE hash = $1", hashOf(token), now)
		return err
	})
}

// EndSession logs one session out.
func (s *Store) EndSession(ctx context.Context, token string) error {
	return s.endSessions(ctx, "DELETE FROM sessions WHERE hash = $1", hashOf(token))
}

// EndSessions logs a user out everywhere.
func (s *Store) EndSessions(ctx context.Context, userID string) error {
	return s.endSessions(ctx, "DELETE FROM sessions WHERE user_id = $1", userID)
}

func (s *Store) endSessions(ctx context.Context, query string, by any) error {
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.exec(query, by); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM sessions WHERE expires_at <= $1", t.at)
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
