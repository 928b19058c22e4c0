package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// Entry is one line of the audit log. It never quotes content. Lines of one
// chain (a tenant's id, or empty for what concerns all) are bound by hashes.
type Entry struct {
	Chain   string
	Seq     int64
	At      time.Time
	Actor   string // user, key or worker
	Act     string // such as case.decide, media.view, key.revoke
	Subject string // the id that was acted on
	Detail  string // short fixed words
	Prev    string // hex hash of the line before
	Hash    string // hex
}

// hash binds every field of the line and the line before it. Each field goes
// in with its length, so that no two lines can be spelled alike.
func (e Entry) hash() string {
	h := sha256.New()
	var n [8]byte
	number := func(v int64) {
		binary.BigEndian.PutUint64(n[:], uint64(v))
		h.Write(n[:])
	}
	number(e.Seq)
	number(micros(e.At))
	for _, f := range [...]string{e.Chain, e.Actor, e.Act, e.Subject, e.Detail, e.Prev} {
		number(int64(len(f)))
		h.Write([]byte(f))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// audit writes a line in the transaction of the act that it tells of.
func (t *tx) audit(chain, actor, act, subject, detail string) error {
	_, err := t.exec("INSERT INTO audit_heads (chain, seq, hash) VALUES ($1, 0, '') ON CONFLICT (chain) DO NOTHING", chain)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	e := Entry{Chain: chain, At: timeOf(t.at), Actor: actor, Act: act, Subject: subject, Detail: detail}
	// taking the number locks the head, so that lines of one chain queue up
	err = t.one("UPDATE audit_heads SET seq = seq + 1 WHERE chain = $1 RETURNING seq, hash", args(chain), &e.Seq, &e.Prev)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	e.Hash = e.hash()
	_, err = t.exec("INSERT INTO audit (chain, seq, at, actor, act, subject, detail, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		chain, e.Seq, t.at, actor, act, subject, detail, e.Prev, e.Hash)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if _, err = t.exec("UPDATE audit_heads SET hash = $2 WHERE chain = $1", chain, e.Hash); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Audit writes a line on its own, for acts that change no row.
func (s *Store) Audit(ctx context.Context, chain, actor, act, subject, detail string) error {
	return s.write(ctx, func(t *tx) error { return t.audit(chain, actor, act, subject, detail) })
}

const auditColumns = "SELECT chain, seq, at, actor, act, subject, detail, prev, hash FROM audit WHERE chain = $1 AND seq >= $2 ORDER BY seq LIMIT $3"

func scanEntry(row scanner) (e Entry, err error) {
	var at int64
	err = row.Scan(&e.Chain, &e.Seq, &at, &e.Actor, &e.Act, &e.Subject, &e.Detail, &e.Prev, &e.Hash)
	e.At = timeOf(at)
	return e, err
}

// AuditLog lists a chain's lines from seq on, oldest first.
func (s *Store) AuditLog(ctx context.Context, chain string, from int64, limit int) ([]Entry, error) {
	list, err := allOf(s.reader(ctx), auditColumns, args(chain, from, page(limit)), scanEntry)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return list, nil
}

// Anchor is the head of a chain as it was noted outside of the database. Only
// against an anchor can a cut tail be seen.
type Anchor struct {
	Chain string `json:"chain"`
	Seq   int64  `json:"seq"`
	Hash  string `json:"hash"`
}

func scanAnchor(row scanner) (a Anchor, err error) {
	err = row.Scan(&a.Chain, &a.Seq, &a.Hash)
	return a, err
}

// AuditHeads returns the head of every chain, to be kept elsewhere.
func (s *Store) AuditHeads(ctx context.Context) ([]Anchor, error) {
	heads, err := allOf(s.reader(ctx), "SELECT chain, seq, hash FROM audit_heads ORDER BY chain", nil, scanAnchor)
	if err != nil {
		return nil, fmt.Errorf("read audit heads: %w", err)
	}
	return heads, nil
}
