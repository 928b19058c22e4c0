package store

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strings"
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
func (s *Store) CreateKey(ctx context.Context, k APIKey, by string) (key APIKey, token string, err error) {
	err = s.write(ctx, func(t *tx) error {
		k.ID, k.CreatedAt = s.newID("key", t.at), timeOf(t.at)
		token = "nl." + k.ID + "." + secret(32)
		_, err := t.exec(`INSERT INTO api_keys (id, tenant, name, hash, scopes, rate, burst, body_limit, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			k.ID, k.Tenant, k.Name, hashOf(token), jsonOf(k.Scopes), k.RatePerSecond, k.Burst, k.BodyLimit, t.at)
		if err != nil {
			return err
		}
		return t.audit(k.Tenant, by, "key.create", k.ID, "scopes="+jsonOf(k.Scopes))
	})
	if err != nil {
		return APIKey{}, "", fmt.Errorf("create api key: %w", err)
	}
	return k, token, nil
}

const keyColumns = "SELECT id, tenant, name, hash, scopes, rate, burst, body_limit, created_at, revoked_at FROM api_keys"

// storedKey is an APIKey with its hash, which never leaves this file.
type storedKey struct {
	APIKey
	hash []byte
}

func scanKey(row scanner) (k storedKey, err error) {
	var scopes string
	var created, revoked int64
	err = row.Scan(&k.ID, &k.Tenant, &k.Name, &k.hash, &scopes, &k.RatePerSecond, &k.Burst, &k.BodyLimit, &created, &revoked)
	if err != nil {
		return k, err
	}
	k.CreatedAt, k.RevokedAt = timeOf(created), timeOf(revoked)
	return k, json.Unmarshal([]byte(scopes), &k.Scopes)
}

// Authenticate returns the key that secret belongs to; an unknown, wrong or
// revoked secret gives ErrNotFound.
func (s *Store) Authenticate(ctx context.Context, secret string) (APIKey, error) {
	_, rest, _ := strings.Cut(secret, ".")
	id, _, _ := strings.Cut(rest, ".")
	var k storedKey
	if err := firstOf(s.reader(ctx), keyColumns+" WHERE id = $1", args(id), scanKey, &k); err != nil {
		return APIKey{}, fmt.Errorf("authenticate api key: %w", err)
	}
	if subtle.ConstantTimeCompare(k.hash, hashOf(secret)) != 1 || !k.RevokedAt.IsZero() {
		return APIKey{}, fmt.Errorf("authenticate api key: %w", ErrNotFound)
	}
	return k.APIKey, nil
}

// Keys lists a tenant's keys, newest first.
func (s *Store) Keys(ctx context.Context, tenant string) ([]APIKey, error) {
	list, err := allOf(s.reader(ctx), keyColumns+" WHERE tenant = $1 ORDER BY id DESC", args(tenant), scanKey)
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	keys := make([]APIKey, len(list))
	for i, k := range list {
		keys[i] = k.APIKey
	}
	return keys, nil
}

// RevokeKey ends a key at once. by is written into the audit log.
func (s *Store) RevokeKey(ctx context.Context, tenant, id, by string) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE api_keys SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at = 0", tenant, id, t.at)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		return t.audit(tenant, by, "key.revoke", id, "")
	})
	if err != nil {
		return fmt.Errorf("revoke api key %s: %w", id, err)
	}
	return nil
}
