package store

import (
	"context"
	"fmt"
	"time"

	"nightlight/queue/review"
)

// User is a person who logs in to the console. Tenant is empty for somebody
// who works for every tenant.
type User struct {
	ID           string
	Tenant       string
	Name         string
	Role         review.Role
	PasswordHash string // argon2id in its PHC form, made by the caller
	CreatedAt    time.Time
	DisabledAt   time.Time
}

// Reviewer is the user as the case queue sees them.
func (u User) Reviewer() review.Reviewer {
	return review.Reviewer{ID: u.ID, Tenant: u.Tenant, Role: u.Role}
}

// CreateUser adds a user; a name that is taken gives ErrConflict. ID and
// CreatedAt of u are set here; by is written into the audit log.
func (s *Store) CreateUser(ctx context.Context, u User, by string) (User, error) {
	err := s.write(ctx, func(t *tx) error {
		u.ID, u.CreatedAt = s.newID("user", t.at), timeOf(t.at)
		_, err := t.exec("INSERT INTO users (id, tenant, name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
			u.ID, u.Tenant, u.Name, string(u.Role), u.PasswordHash, t.at)
		if err != nil {
			return err
		}
		return t.audit(u.Tenant, by, "user.create", u.ID, "role="+string(u.Role))
	})
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	return u, nil
}

const userColumns = "SELECT id, tenant, name, role, password_hash, created_at, disabled_at FROM users"

func scanUser(row scanner) (u User, err error) {
	var created, disabled int64
	err = row.Scan(&u.ID, &u.Tenant, &u.Name, &u.Role, &u.PasswordHash, &created, &disabled)
	u.CreatedAt, u.DisabledAt = timeOf(created), timeOf(disabled)
	return u, err
}

// User returns the user with this id, disabled or not.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	return s.reader(ctx).user(userColumns+" WHERE id = $1", id)
}

// UserByName returns the user with this name, disabled or not.
func (s *Store) UserByName(ctx context.Context, name string) (User, error) {
	return s.reader(ctx).user(userColumns+" WHERE name = $1", name)
}

func (t *tx) user(query, by string) (u User, err error) {
	if err := firstOf(t, query, args(by), scanUser, &u); err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

// Users lists users by name; an empty tenant lists all.
func (s *Store) Users(ctx context.Context, tenant string) ([]User, error) {
	list, err := allOf(s.reader(ctx), userColumns+" WHERE $1 = '' OR tenant = $1 ORDER BY name", args(tenant), scanUser)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return list, nil
}

// SetPassword replaces a user's hash and ends their sessions.
func (s *Store) SetPassword(ctx context.Context, id, hash, by string) error {
	return s.changeUser(ctx, id, by, "user.password", "", "UPDATE users SET password_hash = $2 WHERE id = $1", id, hash)
}

// SetRole changes what a user may do and ends their sessions.
func (s *Store) SetRole(ctx context.Context, id string, role review.Role, by string) error {
	return s.changeUser(ctx, id, by, "user.role", "role="+string(role), "UPDATE users SET role = $2 WHERE id = $1", id, string(role))
}

// DisableUser shuts a user out, ends their sessions and gives their cases back.
func (s *Store) DisableUser(ctx context.Context, id, by string) error {
	now, err := s.now(ctx)
	if err != nil {
		return fmt.Errorf("disable user %s: %w", id, err)
	}
	return s.changeUser(ctx, id, by, "user.disable", "", "UPDATE users SET disabled_at = $2 WHERE id = $1 AND disabled_at = 0", id, now)
}

// changeUser runs one change and lets nothing of before live on: sessions end
// and cases go back.
func (s *Store) changeUser(ctx context.Context, id, by, act, detail, query string, a ...any) error {
	err := s.write(ctx, func(t *tx) error {
		u, err := t.user(userColumns+" WHERE id = $1", id)
		if err != nil {
			return err
		}
		if n, err := t.exec(query, a...); err != nil {
			return err
		} else if n == 0 {
			return ErrNotFound
		}
		if _, err := t.exec("DELETE FROM sessions WHERE user_id = $1", id); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE cases SET reviewer = '', token = '', lease_until = 0 WHERE reviewer = $1 AND state = 'open'", id); err != nil {
			return err
		}
		return t.audit(u.Tenant, by, act, id, detail)
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", act, id, err)
	}
	return nil
}
