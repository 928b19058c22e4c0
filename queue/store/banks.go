package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// BankKind says of what a bank holds hashes.
type BankKind string

// The kinds of bank.
const (
	PDQBank    BankKind = "pdq"    // pictures, by pipeline/pdq
	SHA256Bank BankKind = "sha256" // files
)

// Bank is a list of hashes of known pictures or files. Banks belong to who
// runs Nightlight and serve every tenant.
type Bank struct {
	Name string
	Kind BankKind
	// Threshold is the largest distance in bits that counts as the same, 0 to
	// 31; 0 for a bank of files.
	Threshold            int
	Hashes               int
	CreatedAt, UpdatedAt time.Time
}

// BankHash is one entry of a bank: 32 bytes, and whatever its giver calls it.
type BankHash struct {
	Hash      [32]byte
	Reference string
}

// Imported says what ImportHashes did.
type Imported struct {
	Added int // hashes that the bank did not hold
	Held  int // hashes that it held already, or that came twice
	Total int // hashes in the bank now
}

// importBatch is how many hashes one transaction takes, and insertRows how many
// one statement: a list of a million must not keep others from writing.
const (
	importBatch = 5000
	insertRows  = 500
)

// MaxThreshold is the largest distance that a bank may allow.
const MaxThreshold = 31

// ErrBank says that a bank's name, kind or threshold is not allowed.
var ErrBank = errors.New("no such bank can be made")

// ImportHashes adds hashes to a bank, which is made when there is none of that
// name. It takes many transactions; until the last one workers may see a part
// of the list. Doing it again does no harm. ErrConflict when the bank is of
// the other kind.
func (s *Store) ImportHashes(ctx context.Context, b Bank, list []BankHash, by string) (done Imported, err error) {
	if err := b.check(); err != nil {
		return Imported{}, fmt.Errorf("import into bank %q: %w", b.Name, err)
	}
	if err = s.write(ctx, func(t *tx) error { return t.makeBank(b) }); err == nil {
		for part := range slices.Chunk(list, importBatch) {
			added := 0
			if err = s.write(ctx, func(t *tx) error { added, err = t.addHashes(b.Name, part); return err }); err != nil {
				break
			}
			done.Added += added
		}
	}
	if err == nil {
		err = s.write(ctx, func(t *tx) error {
			if err := t.bankChanged(b.Name); err != nil {
				return err
			}
			if err := t.one("SELECT COUNT(*) FROM bank_hashes WHERE bank = $1", args(b.Name), &done.Total); err != nil {
				return err
			}
			return t.audit("", by, "bank.import", b.Name, fmt.Sprintf("kind=%s threshold=%d added=%d of=%d", b.Kind, b.Threshold, done.Added, len(list)))
		})
	}
	if err != nil {
		return Imported{}, fmt.Errorf("import into bank %q: %w", b.Name, err)
	}
	done.Held = len(list) - done.Added
	return done, nil
}

// check refuses what policy could not name or an index could not search.
func (b Bank) check() error {
	letters := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r)
	}
	switch {
	case b.Name == "" || len(b.Name) > 64 || strings.ContainsFunc(b.Name, func(r rune) bool { return !letters(r) }):
		return fmt.Errorf("a name is 1 to 64 letters, digits, dots, dashes and underscores: %w", ErrBank)
	case b.Name == "default":
		return fmt.Errorf("policy calls the rule for all others default: %w", ErrBank)
	case b.Kind != PDQBank && b.Kind != SHA256Bank:
		return fmt.Errorf("want kind pdq or sha256: %w", ErrBank)
	case b.Threshold < 0 || b.Threshold > MaxThreshold:
		return fmt.Errorf("want a threshold of 0 to %d: %w", MaxThreshold, ErrBank)
	case b.Kind == SHA256Bank && b.Threshold != 0:
		return fmt.Errorf("a file is the same or not: want threshold 0: %w", ErrBank)
	}
	return nil
}

func (t *tx) makeBank(b Bank) error {
	var kind BankKind
	err := t.one(`INSERT INTO hash_banks (name, kind, threshold, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
		ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at RETURNING kind`, args(b.Name, string(b.Kind), b.Threshold, t.at), &kind)
	if err == nil && kind != b.Kind {
		err = fmt.Errorf("it is a bank of %s: %w", kind, ErrConflict)
	}
	if err == nil {
		_, err = t.exec("UPDATE hash_banks SET threshold = $2 WHERE name = $1", b.Name, b.Threshold)
	}
	return err
}

func (t *tx) addHashes(bank string, list []BankHash) (added int, err error) {
	for part := range slices.Chunk(list, insertRows) {
		var values []any
		for _, h := range part {
			values = append(values, bank, h.Hash[:], h.Reference, t.at)
		}
		n, err := t.exec("INSERT INTO bank_hashes (bank, hash, reference, added_at) VALUES "+places(len(part), 4)+" ON CONFLICT DO NOTHING", values...)
		if err != nil {
			return 0, err
		}
		added += n
	}
	return added, nil
}

// bankChanged makes every worker load the banks again.
func (t *tx) bankChanged(name string) error {
	if _, err := t.exec("UPDATE hash_state SET version = version + 1 WHERE id = 1"); err != nil {
		return err
	}
	_, err := t.exec("UPDATE hash_banks SET updated_at = $2 WHERE name = $1", name, t.at)
	return err
}

// RemoveBank removes a bank with all its hashes; ErrNotFound when there is
// none.
func (s *Store) RemoveBank(ctx context.Context, name, by string) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM bank_hashes WHERE bank = $1", name)
		if err != nil {
			return err
		}
		banks, err := t.exec("DELETE FROM hash_banks WHERE name = $1", name)
		if err == nil && banks == 0 {
			err = ErrNotFound
		}
		if err == nil {
			err = t.bankChanged(name)
		}
		if err != nil {
			return err
		}
		return t.audit("", by, "bank.remove", name, fmt.Sprintf("hashes=%d", n))
	})
	if err != nil {
		return fmt.Errorf("remove bank %q: %w", name, err)
	}
	return nil
}

// RemoveHash takes one hash out of a bank; ErrNotFound when it is not in it.
func (s *Store) RemoveHash(ctx context.Context, bank string, hash [32]byte, by string) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM bank_hashes WHERE bank = $1 AND hash = $2", bank, hash[:])
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err == nil {
			err = t.bankChanged(bank)
		}
		if err != nil {
			return err
		}
		return t.audit("", by, "bank.remove_hash", bank, fmt.Sprintf("%x", hash))
	})
	if err != nil {
		return fmt.Errorf("remove a hash from bank %q: %w", bank, err)
	}
	return nil
}

// Banks lists the banks by name.
func (s *Store) Banks(ctx context.Context) ([]Bank, error) {
	list, err := allOf(s.reader(ctx), `SELECT b.name, b.kind, b.threshold, (SELECT COUNT(*) FROM bank_hashes h WHERE h.bank = b.name), b.created_at, b.updated_at
		FROM hash_banks b ORDER BY b.name`, nil, func(row scanner) (b Bank, err error) {
		var created, updated int64
		err = row.Scan(&b.Name, &b.Kind, &b.Threshold, &b.Hashes, &created, &updated)
		b.CreatedAt, b.UpdatedAt = timeOf(created), timeOf(updated)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("list banks: %w", err)
	}
	return list, nil
}

// BankVersion is a number that grows with every change of a bank.
func (s *Store) BankVersion(ctx context.Context) (v int64, err error) {
	if err := s.reader(ctx).one("SELECT version FROM hash_state WHERE id = 1", nil, &v); err != nil {
		return 0, fmt.Errorf("read the banks' version: %w", err)
	}
	return v, nil
}

// BankHashes calls each for every hash of every bank, bank after bank.
func (s *Store) BankHashes(ctx context.Context, each func(bank string, h BankHash)) error {
	err := s.reader(ctx).each("SELECT bank, hash, reference FROM bank_hashes ORDER BY bank, hash", nil, func(row scanner) error {
		var bank string
		var raw []byte
		var h BankHash
		if err := row.Scan(&bank, &raw, &h.Reference); err != nil {
			return err
		}
		if copy(h.Hash[:], raw) != len(h.Hash) || len(raw) != len(h.Hash) {
			return fmt.Errorf("a hash of %d bytes in bank %s", len(raw), bank)
		}
		each(bank, h)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the banks: %w", err)
	}
	return nil
}
