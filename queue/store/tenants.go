package store

import (
	"context"
	"errors"
	"time"
)

// Tenant is one backend that Nightlight works for.
type Tenant struct {
	ID        string
	Name      string
	CreatedAt time.Time
}

// CreateTenant adds a tenant; a name that is taken gives ErrConflict.
func (s *Store) CreateTenant(ctx context.Context, name string) (Tenant, error) {
	return Tenant{}, errors.ErrUnsupported
}

// Tenant returns the tenant with this id.
func (s *Store) Tenant(ctx context.Context, id string) (Tenant, error) {
	return Tenant{}, errors.ErrUnsupported
}

// TenantByName returns the tenant with this name.
func (s *Store) TenantByName(ctx context.Context, name string) (Tenant, error) {
	return Tenant{}, errors.ErrUnsupported
}

// Tenants lists every tenant by name.
func (s *Store) Tenants(ctx context.Context) ([]Tenant, error) { return nil, errors.ErrUnsupported }
