package store

import (
	"context"
	"errors"
	"time"
)

// Endpoint is where a tenant hears of events.
type Endpoint struct {
	ID     string
	Tenant string
	URL    string
	Events []string // empty: all
	// Secrets are the live signing secrets, newest first, at most two. Only
	// Endpoint and ClaimDelivery open them.
	Secrets    [][]byte
	CreatedAt  time.Time
	DisabledAt time.Time
	// DisabledWhy is a short fixed word such as gone or asked.
	DisabledWhy string
}

// CreateEndpoint adds an endpoint with its first secret, which is stored
// sealed. ID and CreatedAt are set here.
func (s *Store) CreateEndpoint(ctx context.Context, e Endpoint, by string) (Endpoint, error) {
	return Endpoint{}, errors.ErrUnsupported
}

// Endpoint returns one endpoint with its secrets.
func (s *Store) Endpoint(ctx context.Context, tenant, id string) (Endpoint, error) {
	return Endpoint{}, errors.ErrUnsupported
}

// Endpoints lists a tenant's endpoints without secrets.
func (s *Store) Endpoints(ctx context.Context, tenant string) ([]Endpoint, error) {
	return nil, errors.ErrUnsupported
}

// RotateSecret makes secret the newest and keeps the one before it alive.
func (s *Store) RotateSecret(ctx context.Context, tenant, id string, secret []byte, by string) error {
	return errors.ErrUnsupported
}

// DisableEndpoint stops deliveries to an endpoint; why is a short fixed word.
func (s *Store) DisableEndpoint(ctx context.Context, tenant, id, why, by string) error {
	return errors.ErrUnsupported
}
