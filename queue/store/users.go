package store

import (
	"context"
	"errors"
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
	return User{}, errors.ErrUnsupported
}

// User returns the user with this id, disabled or not.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	return User{}, errors.ErrUnsupported
}

// UserByName returns the user with this name, disabled or not.
func (s *Store) UserByName(ctx context.Context, name string) (User, error) {
	return User{}, errors.ErrUnsupported
}

// Users lists users by name; an empty tenant lists all.
func (s *Store) Users(ctx context.Context, tenant string) ([]User, error) {
	return nil, errors.ErrUnsupported
}

// SetPassword replaces a user's hash and ends their sessions.
func (s *Store) SetPassword(ctx context.Context, id, hash, by string) error {
	return errors.ErrUnsupported
}

// SetRole changes what a user may do.
func (s *Store) SetRole(ctx context.Context, id string, role review.Role, by string) error {
	return errors.ErrUnsupported
}

// DisableUser shuts a user out, ends their sessions and gives their cases back.
func (s *Store) DisableUser(ctx context.Context, id, by string) error {
	return errors.ErrUnsupported
}
