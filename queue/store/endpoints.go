package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Endpoint is where a tenant hears of events.
type Endpoint struct {
	ID     string
	Tenant string
	URL    string
	Events []string // empty: all
	// Secrets are the live signing secrets (whsec_…), newest first, at most
	// two. Only Endpoint and ClaimDelivery open them.
	Secrets    []string
	CreatedAt  time.Time
	DisabledAt time.Time
	// DisabledWhy is a short fixed word such as gone or asked.
	DisabledWhy string
	// Silent counts the tries one after the other that got no answer; those
	// that were under way at once count as one. 0 when the last one got some.
	Silent int
	// RestUntil is when a silent endpoint may be tried next, by one alone.
	RestUntil time.Time
}

// Wants reports whether the endpoint subscribed to an event.
func (e Endpoint) Wants(event string) bool {
	return len(e.Events) == 0 || slices.Contains(e.Events, event)
}

// MostEndpoints is how many live endpoints a tenant may have: every event is
// written once for each of them, in the transaction of the verdict.
const MostEndpoints = 20

// CreateEndpoint adds an endpoint with its first secret, which is stored
// sealed. ID and CreatedAt are set here. ErrFull when the tenant has all it may.
func (s *Store) CreateEndpoint(ctx context.Context, e Endpoint, by string) (Endpoint, error) {
	key, err := s.keyring.NewKey()
	if err != nil {
		return Endpoint{}, fmt.Errorf("create endpoint: %w", err)
	}
	err = s.write(ctx, func(t *tx) error {
		e.ID, e.CreatedAt = s.newID("end", t.at), timeOf(t.at)
		sealed, err := s.keyring.Seal(key, secretsAAD(e.ID), []byte(jsonOf(e.Secrets)))
		if err != nil {
			return err
		}
		// the line comes first: its lock has those who add to one tenant count one after the other
		if err := t.audit(e.Tenant, by, "endpoint.create", e.ID, ""); err != nil {
			return err
		}
		if err := t.roomForEndpoint(e.Tenant); err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO endpoints (id, tenant, url, events, wrapped, secrets, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			e.ID, e.Tenant, e.URL, jsonOf(e.Events), key, sealed, t.at)
		return err
	})
	if err != nil {
		return Endpoint{}, fmt.Errorf("create endpoint: %w", err)
	}
	return e, nil
}

// roomForEndpoint gives ErrFull when a tenant may have no more live endpoints.
func (t *tx) roomForEndpoint(tenant string) error {
	var live int
	err := t.one("SELECT COUNT(*) FROM endpoints WHERE tenant = $1 AND disabled_at = 0", args(tenant), &live)
	if err == nil && live >= MostEndpoints {
		err = ErrFull
	}
	return err
}

func secretsAAD(id string) []byte { return []byte("secrets\x00" + id) }

const endpointColumns = "SELECT id, tenant, url, events, wrapped, secrets, created_at, disabled_at, disabled_why, silent, rest_until FROM endpoints"

// sealedEndpoint is an endpoint whose secrets are still sealed.
type sealedEndpoint struct {
	Endpoint
	key, secrets []byte
}

func scanEndpoint(row scanner) (e sealedEndpoint, err error) {
	var events string
	var created, disabled, rest int64
	err = row.Scan(&e.ID, &e.Tenant, &e.URL, &events, &e.key, &e.secrets, &created, &disabled, &e.DisabledWhy, &e.Silent, &rest)
	if err != nil {
		return e, err
	}
	e.CreatedAt, e.DisabledAt, e.RestUntil = timeOf(created), timeOf(disabled), timeOf(rest)
	return e, json.Unmarshal([]byte(events), &e.Events)
}

// endpoint reads one endpoint and opens its secrets. When they do not open, such
// as with a lost key, it has none: an error would leave its deliveries untried
// without end.
func (s *Store) endpoint(t *tx, tenant, id string) (e sealedEndpoint, err error) {
	if err = firstOf(t, endpointColumns+" WHERE tenant = $1 AND id = $2", args(tenant, id), scanEndpoint, &e); err != nil {
		return e, err
	}
	plain, err := s.keyring.Open(e.key, secretsAAD(id), e.secrets)
	if err != nil {
		return e, nil
	}
	return e, json.Unmarshal(plain, &e.Secrets)
}

// Endpoint returns one endpoint with its secrets, none where they do not open.
func (s *Store) Endpoint(ctx context.Context, tenant, id string) (Endpoint, error) {
	e, err := s.endpoint(s.reader(ctx), tenant, id)
	if err != nil {
		return Endpoint{}, fmt.Errorf("read endpoint %s: %w", id, err)
	}
	return e.Endpoint, nil
}

// Endpoints lists a tenant's endpoints without secrets.
func (s *Store) Endpoints(ctx context.Context, tenant string) ([]Endpoint, error) {
	sealed, err := allOf(s.reader(ctx), endpointColumns+" WHERE tenant = $1 ORDER BY id", args(tenant), scanEndpoint)
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	list := make([]Endpoint, len(sealed))
	for i, e := range sealed {
		list[i] = e.Endpoint
	}
	return list, nil
}

// RotateSecret makes secret the newest and keeps the one before it alive.
func (s *Store) RotateSecret(ctx context.Context, tenant, id, secret, by string) error {
	err := s.write(ctx, func(t *tx) error {
		e, err := s.endpoint(t, tenant, id)
		if err != nil {
			return err
		}
		live := append([]string{secret}, e.Secrets[:min(1, len(e.Secrets))]...)
		sealed, err := s.keyring.Seal(e.key, secretsAAD(id), []byte(jsonOf(live)))
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE endpoints SET secrets = $3 WHERE tenant = $1 AND id = $2", tenant, id, sealed); err != nil {
			return err
		}
		return t.audit(tenant, by, "endpoint.rotate", id, "")
	})
	if err != nil {
		return fmt.Errorf("rotate secret of endpoint %s: %w", id, err)
	}
	return nil
}

// DisableEndpoint stops deliveries to an endpoint and gives up what was on
// its way; why is a short fixed word. ErrNotFound when it already is.
func (s *Store) DisableEndpoint(ctx context.Context, tenant, id, why, by string) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE endpoints SET disabled_at = $3, disabled_why = $4 WHERE tenant = $1 AND id = $2 AND disabled_at = 0", tenant, id, t.at, why)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		for _, query := range [...]string{
			"DELETE FROM outbox WHERE ref IN (SELECT id FROM deliveries WHERE tenant = $1 AND recipient = $2 AND state = 'pending')",
			"UPDATE deliveries SET state = 'dead' WHERE tenant = $1 AND recipient = $2 AND state = 'pending'",
		} {
			if _, err := t.exec(query, tenant, id); err != nil {
				return err
			}
		}
		return t.audit(tenant, by, "endpoint.disable", id, why)
	})
	if err != nil {
		return fmt.Errorf("disable endpoint %s: %w", id, err)
	}
	return nil
}
