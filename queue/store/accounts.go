package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Account is a child, or anybody who writes to one, by a pseudonymous id.
type Account struct {
	ID string
	// Age in years as told at AgeAt, or BirthMonth as YYYY-MM; nil and empty
	// when not known.
	Age        *int
	AgeAt      time.Time
	BirthMonth string
	Locale     string
	Guardians  []Guardian
	UpdatedAt  time.Time
}

// AgeOn returns the age in whole years on a day, nil when not known.
func (a Account) AgeOn(day time.Time) *int {
	if b, err := time.Parse("2006-01", a.BirthMonth); err == nil {
		years := day.Year() - b.Year()
		if day.Month() < b.Month() {
			years--
		}
		years = max(years, 0)
		return &years
	}
	if a.Age == nil {
		return nil
	}
	years := *a.Age
	if !a.AgeAt.IsZero() {
		years += int(day.Sub(a.AgeAt).Hours() / (24 * 365.2425))
	}
	return &years
}

// Guardian is bound to a child's account.
type Guardian struct {
	ID       string `json:"id"`
	Child    string `json:"-"`
	Relation string `json:"relation"`
	Locale   string `json:"locale"`
	// Channels are in order of preference, stored sealed, and none where they
	// do not open: a notice then ends as one that reached nobody, with a case.
	Channels []Channel `json:"channels"`
	// QuietFrom and QuietTo are HH:MM in Zone; empty for the default.
	QuietFrom string    `json:"quiet_from,omitempty"`
	QuietTo   string    `json:"quiet_to,omitempty"`
	Zone      string    `json:"zone,omitempty"`
	BoundAt   time.Time `json:"-"`
}

// Channel is one way to reach a guardian.
type Channel struct {
	Kind    string `json:"kind"` // webhook, mail or log
	Address string `json:"address"`
}

// PutAccount creates or replaces an account and its guardians.
func (s *Store) PutAccount(ctx context.Context, tenant string, a Account) error {
	err := s.write(ctx, func(t *tx) error { return s.putAccount(t, tenant, a) })
	if err != nil {
		return fmt.Errorf("put account: %w", err)
	}
	return nil
}

func (s *Store) putAccount(t *tx, tenant string, a Account) error {
	before, err := t.boundSince(tenant, a.ID)
	if err != nil {
		return err
	}
	key, err := s.keyring.NewKey()
	if err != nil {
		return err
	}
	ageAt := micros(a.AgeAt)
	if a.Age != nil && ageAt == 0 {
		ageAt = t.at
	}
	_, err = t.exec(`INSERT INTO accounts (tenant, id, age, age_at, birth_month, locale, wrapped, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant, id) DO UPDATE SET age = excluded.age, age_at = excluded.age_at, birth_month = excluded.birth_month,
			locale = excluded.locale, wrapped = excluded.wrapped, updated_at = excluded.updated_at`,
		tenant, a.ID, a.Age, ageAt, a.BirthMonth, a.Locale, key, t.at)
	if err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM guardians WHERE tenant = $1 AND child = $2", tenant, a.ID); err != nil {
		return err
	}
	for i, g := range a.Guardians {
		if err := s.putGuardian(t, tenant, a.ID, key, i, g, cmp.Or(before[g.ID], t.at)); err != nil {
			return err
		}
	}
	return nil
}

// boundSince says since when each guardian is bound.
func (t *tx) boundSince(tenant, child string) (map[string]int64, error) {
	since := map[string]int64{}
	err := t.each("SELECT id, bound_at FROM guardians WHERE tenant = $1 AND child = $2", args(tenant, child), func(row scanner) error {
		var id string
		var at int64
		err := row.Scan(&id, &at)
		since[id] = at
		return err
	})
	return since, err
}

func (s *Store) putGuardian(t *tx, tenant, child string, key []byte, place int, g Guardian, bound int64) error {
	channels, err := s.keyring.Seal(key, channelsAAD(tenant, child, g.ID), []byte(jsonOf(g.Channels)))
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO guardians (tenant, child, id, place, relation, locale, channels, quiet_from, quiet_to, zone, bound_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		tenant, child, g.ID, place, g.Relation, g.Locale, channels, g.QuietFrom, g.QuietTo, g.Zone, bound)
	return err
}

func channelsAAD(tenant, child, guardian string) []byte {
	return []byte("channels\x00" + tenant + "\x00" + child + "\x00" + guardian)
}

// Account returns an account with its guardians.
func (s *Store) Account(ctx context.Context, tenant, id string) (Account, error) {
	r := s.reader(ctx)
	a, err := r.account(tenant, id)
	if err == nil {
		a.Guardians, err = s.guardians(r, tenant, id)
	}
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

func (t *tx) account(tenant, id string) (a Account, err error) {
	var ageAt, updated int64
	err = t.one("SELECT id, age, age_at, birth_month, locale, updated_at FROM accounts WHERE tenant = $1 AND id = $2", args(tenant, id),
		&a.ID, &a.Age, &ageAt, &a.BirthMonth, &a.Locale, &updated)
	a.AgeAt, a.UpdatedAt = timeOf(ageAt), timeOf(updated)
	return a, err
}

// Guardians lists the guardians who are bound to any of these children.
func (s *Store) Guardians(ctx context.Context, tenant string, children ...string) ([]Guardian, error) {
	var list []Guardian
	r := s.reader(ctx)
	for _, child := range children {
		more, err := s.guardians(r, tenant, child)
		if err != nil {
			return nil, fmt.Errorf("list guardians: %w", err)
		}
		list = append(list, more...)
	}
	return list, nil
}

func (s *Store) guardians(t *tx, tenant, child string) ([]Guardian, error) {
	return allOf(t, `SELECT g.id, g.child, g.relation, g.locale, g.channels, g.quiet_from, g.quiet_to, g.zone, g.bound_at, a.wrapped
		FROM guardians g JOIN accounts a ON a.tenant = g.tenant AND a.id = g.child
		WHERE g.tenant = $1 AND g.child = $2 ORDER BY g.place`, args(tenant, child), func(row scanner) (g Guardian, err error) {
		var channels, key []byte
		var bound int64
		err = row.Scan(&g.ID, &g.Child, &g.Relation, &g.Locale, &channels, &g.QuietFrom, &g.QuietTo, &g.Zone, &bound, &key)
		if err != nil {
			return g, err
		}
		g.BoundAt = timeOf(bound)
		plain, err := s.keyring.Open(key, channelsAAD(tenant, child, g.ID), channels)
		if err != nil { // whoever waits for a verdict must not wait for this
			return g, nil
		}
		return g, json.Unmarshal(plain, &g.Channels)
	})
}

// IsGuardian reports whether every person is a bound guardian of the child.
// It is false for nobody.
func (s *Store) IsGuardian(ctx context.Context, tenant, child string, persons ...string) (bool, error) {
	yes, err := s.reader(ctx).isGuardian(tenant, child, persons)
	if err != nil {
		return false, fmt.Errorf("look up guardians: %w", err)
	}
	return yes, nil
}

func (t *tx) isGuardian(tenant, child string, persons []string) (bool, error) {
	if len(persons) == 0 {
		return false, nil
	}
	bound, err := allOf(t, "SELECT id FROM guardians WHERE tenant = $1 AND child = $2", args(tenant, child), scanText)
	if err != nil {
		return false, err
	}
	for _, p := range persons {
		if !slices.Contains(bound, p) {
			return false, nil
		}
	}
	return true, nil
}
