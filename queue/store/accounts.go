package store

import (
	"context"
	"errors"
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
	ID       string    `json:"id"`
	Child    string    `json:"-"`
	Relation string    `json:"relation"`
	Locale   string    `json:"locale"`
	Channels []Channel `json:"channels"` // in order of preference; stored sealed
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
	return errors.ErrUnsupported
}

// Account returns an account with its guardians.
func (s *Store) Account(ctx context.Context, tenant, id string) (Account, error) {
	return Account{}, errors.ErrUnsupported
}

// Guardians lists the guardians who are bound to any of these children.
func (s *Store) Guardians(ctx context.Context, tenant string, children ...string) ([]Guardian, error) {
	return nil, errors.ErrUnsupported
}

// IsGuardian reports whether every person is a bound guardian of the child.
// It is false for nobody.
func (s *Store) IsGuardian(ctx context.Context, tenant, child string, persons ...string) (bool, error) {
	return false, errors.ErrUnsupported
}

// Receipt says what an erasure did.
type Receipt struct {
	ID      string
	Account string
	At      time.Time
	Erased  int // items whose key was destroyed
	Held    int // items that stay because of a legal hold
	// Received counts items that others sent to this account; they are the
	// senders' and stay.
	Received int
	// MediaKeys are the objects to delete; they are in the trash too.
	MediaKeys []string
}

// EraseAccount destroys the keys of everything that the account sent and that
// is not under hold, forgets the account and its guardians, and ends those
// items as erased.
func (s *Store) EraseAccount(ctx context.Context, tenant, id, by string) (Receipt, error) {
	return Receipt{}, errors.ErrUnsupported
}
