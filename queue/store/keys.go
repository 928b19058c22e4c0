package store

import (
	"context"
	"errors"
	"time"
)

// Scope is one thing that an API key may do.
type Scope string

// The scopes.
const (
	ScopeIngest   Scope = "ingest"
	ScopeRead     Scope = "read"
	ScopeReports  Scope = "reports"
	ScopeWebhooks Scope = "webhooks"
	ScopeAccounts Scope = "accounts"
	ScopeAdmin    Scope = "admin" // everything within its tenant
)

// APIKey is a key as the database knows it: never its secret.
type APIKey struct {
	ID     string
	Tenant string
	Name   string
	Scopes []Scope
	// RatePerSecond, Burst and BodyLimit (bytes) are this key's limits; 0
	// means the server's default.
	RatePerSecond float64
	Burst         int
	BodyLimit     int64
	CreatedAt     time.Time
	RevokedAt     time.Time
}

// Allows reports whether the key has the scope, or is its tenant's admin key.
func (k APIKey) Allows(s Scope) bool {
	for _, have := range k.Scopes {
		if have == s || have == ScopeAdmin {
			return true
		}
	}
	return false
}

// CreateKey stores a new key and returns its secret, which is shown once and
// kept only as a SHA-256 hash. ID and CreatedAt of k are set here.
func (s *Store) CreateKey(ctx context.Context, k APIKey) (key APIKey, secret string, err error) {
	return APIKey{}, "", errors.ErrUnsupported
}

// Authenticate returns the key that secret belongs to; an unknown, wrong or
// revoked secret gives ErrNotFound.
func (s *Store) Authenticate(ctx context.Context, secret string) (APIKey, error) {
	return APIKey{}, errors.ErrUnsupported
}

// Keys lists a tenant's keys, newest first.
func (s *Store) Keys(ctx context.Context, tenant string) ([]APIKey, error) {
	return nil, errors.ErrUnsupported
}

// RevokeKey ends a key at once. by is written into the audit log.
func (s *Store) RevokeKey(ctx context.Context, tenant, id, by string) error {
	return errors.ErrUnsupported
}
