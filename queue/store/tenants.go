package store

import (
	"context"
	"fmt"
	"time"
)

// Tenant is one backend that Nightlight works for.
type Tenant struct {
	ID        string
	Name      string
	CreatedAt time.Time
}

// CreateTenant adds a tenant; a name that is taken gives ErrConflict.
func (s *Store) CreateTenant(ctx context.Context, name string) (made Tenant, err error) {
	err = s.write(ctx, func(t *tx) error {
		made = Tenant{ID: s.newID("ten", t.at), Name: name, CreatedAt: timeOf(t.at)}
		_, err := t.exec("INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3)", made.ID, name, t.at)
		return err
	})
	if err != nil {
		return Tenant{}, fmt.Errorf("create tenant: %w", err)
	}
	return made, nil
}

const tenantColumns = "SELECT id, name, created_at FROM tenants"

func scanTenant(row scanner) (t Tenant, err error) {
	var created int64
	err = row.Scan(&t.ID, &t.Name, &created)
	t.CreatedAt = timeOf(created)
	return t, err
}

// Tenant returns the tenant with this id.
func (s *Store) Tenant(ctx context.Context, id string) (Tenant, error) {
	return s.tenant(ctx, tenantColumns+" WHERE id = $1", id)
}

// TenantByName returns the tenant with this name.
func (s *Store) TenantByName(ctx context.Context, name string) (Tenant, error) {
	return s.tenant(ctx, tenantColumns+" WHERE name = $1", name)
}

func (s *Store) tenant(ctx context.Context, query, by string) (Tenant, error) {
	found := Tenant{}
	err := firstOf(s.reader(ctx), query, args(by), scanTenant, &found)
	if err != nil {
		return Tenant{}, fmt.Errorf("read tenant: %w", err)
	}
	return found, nil
}

// Tenants lists every tenant by name.
func (s *Store) Tenants(ctx context.Context) ([]Tenant, error) {
	list, err := allOf(s.reader(ctx), tenantColumns+" ORDER BY name", nil, scanTenant)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	return list, nil
}
