package store

import (
	"context"
	"errors"
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

// Audit writes a line on its own, for acts that change no row.
func (s *Store) Audit(ctx context.Context, chain, actor, act, subject, detail string) error {
	return errors.ErrUnsupported
}

// AuditLog lists a chain's lines from seq on, oldest first.
func (s *Store) AuditLog(ctx context.Context, chain string, from int64, limit int) ([]Entry, error) {
	return nil, errors.ErrUnsupported
}

// Anchor is the head of a chain as it was noted outside of the database. Only
// against an anchor can a cut tail be seen.
type Anchor struct {
	Chain string `json:"chain"`
	Seq   int64  `json:"seq"`
	Hash  string `json:"hash"`
}

// AuditHeads returns the head of every chain, to be kept elsewhere.
func (s *Store) AuditHeads(ctx context.Context) ([]Anchor, error) { return nil, errors.ErrUnsupported }

// AuditReport says whether the log is whole.
type AuditReport struct {
	Lines int64 `json:"lines"`
	// Broken is nil when every chain is whole, else the first broken line.
	Broken *Break `json:"broken,omitempty"`
}

// Break names the first line that does not fit.
type Break struct {
	Chain string `json:"chain"`
	Seq   int64  `json:"seq"`
	Why   string `json:"why"` // hash, link, gap or tail
}

// VerifyAudit walks every chain and compares it with the anchors.
func (s *Store) VerifyAudit(ctx context.Context, anchors ...Anchor) (AuditReport, error) {
	return AuditReport{}, errors.ErrUnsupported
}
