package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// The same picture lies before a reviewer once. An upload that is held while a
// case about the same file, or nearly the same picture, is open joins that case
// as a copy; the decision then goes for each item, with its own effects, its own
// guardians and its own audit line.
//
// It joins only when nothing sets it apart: one tenant, the same grounds in the
// verdict (pipeline.Verdict.SameGrounds: same policy, thresholds, banks and
// faults), people of the same ages on both sides and the same audience
// (pipeline.Item.SameParties: what may pass between two children was not weighed
// for a grown-up who sends it, nor for all to see), no caption, no report of its
// own before the verdict, and word to guardians waiting only where the reviewer
// is asked about it. And a picture that is merely near shares only a block: what
// nobody has seen is never let through because something like it was. Any milder
// decision gives it a case of its own.

// groundsSlack is how far the scores of two copies may lie apart.
const groundsSlack = 0.1

// Copy is an item that joined the case of another.
type Copy struct {
	ItemID   string
	Distance int  // bits of PDQ
	SameFile bool // byte by byte
}

// join adds a judged item to an open case of the same picture, or reports
// ErrNotFound.
func (s *Store) join(t *tx, l *Lease, v pipeline.Verdict, p *Print, notices []review.Notice) (caseID string, err error) {
	if p == nil || !p.Alone || v.Quarantine || l.Item.ToGuardian {
		return "", ErrNotFound
	}
	var own int // of a report that came first: it decides the item, and must be as grave as the verdict
	if err := t.one("SELECT COUNT(*) FROM cases WHERE item_id = $1 AND state = 'open'", args(l.ItemID), &own); err != nil {
		return "", err
	}
	if own > 0 {
		return "", ErrNotFound
	}
	// two workers with the same picture at one moment take turns
	if _, err := t.exec("UPDATE tenants SET name = name WHERE id = $1", l.Item.Tenant); err != nil {
		return "", err
	}
	same, err := t.copiesInReview(l, p)
	if err != nil {
		return "", err
	}
	asks := waitsForReview(notices)
	for _, c := range same {
		if joined, err := s.joinOne(t, l, v, c, asks); joined || err != nil {
			return c.caseID, err
		}
	}
	return "", ErrNotFound
}

func waitsForReview(notices []review.Notice) bool {
	for _, n := range notices {
		if n.After != "" {
			return true
		}
	}
	return false
}

// inReview is a print whose item has an open case.
type inReview struct {
	Print
	caseID string
}

// copiesInReview finds open cases about the same file, then about near
// pictures.
func (t *tx) copiesInReview(l *Lease, p *Print) ([]inReview, error) {
	const open = "EXISTS (SELECT 1 FROM cases c WHERE c.item_id = p.item_id AND c.state = 'open' AND c.kind = 'verdict') AND p.alone = 1"
	same, err := allOf(t, "SELECT "+printColumns+" FROM prints p WHERE p.tenant = $1 AND p.sha256 = $2 AND "+open+" ORDER BY p.item_id LIMIT 20",
		args(l.Item.Tenant, p.SHA256), scanPrint)
	if err != nil {
		return nil, err
	}
	if p.Quality >= NearQuality && len(p.PDQ) > 0 {
		near, err := t.near(l.Item.Tenant, p.PDQ, open+" AND p.sha256 <> $10", p.SHA256)
		if err != nil {
			return nil, err
		}
		same = append(same, near...)
	}
	var list []inReview
	for _, q := range same {
		c := inReview{Print: q}
		if err := t.one("SELECT id FROM cases WHERE item_id = $1 AND state = 'open'", args(q.ItemID), &c.caseID); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// joinOne joins one case if the grounds are the same.
func (s *Store) joinOne(t *tx, l *Lease, v pipeline.Verdict, c inReview, asks bool) (bool, error) {
	first, err := t.verdictOf(c.ItemID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !v.SameGrounds(first, groundsSlack) {
		return false, nil
	}
	if same, err := s.sameParties(t, l.Item, c.ItemID); !same || err != nil {
		return false, err
	}
	if asks { // the reviewer is asked about guardians only when the first item has some
		var waiting int
		if err := t.one("SELECT COUNT(*) FROM deliveries WHERE item_id = $1 AND state = 'waiting'", args(c.ItemID), &waiting); err != nil || waiting == 0 {
			return false, err
		}
	}
	deadline := v.Deadline
	if deadline <= 0 {
		deadline = defaultDeadline
	}
	// as urgent as the most urgent of them; no row when it was closed meanwhile
	n, err := t.exec(`UPDATE cases SET priority = CASE WHEN $2 > priority THEN $2 ELSE priority END,
		deadline_at = CASE WHEN $3 < deadline_at THEN $3 ELSE deadline_at END WHERE id = $1 AND state = 'open'`,
		c.caseID, v.Priority, t.at+deadline.Microseconds())
	if err != nil || n == 0 {
		return false, err
	}
	same := c.SHA256 == l.sha256()
	_, err = t.exec("INSERT INTO case_copies (item_id, case_id, distance, same_file, joined_at) VALUES ($1, $2, $3, $4, $5)",
		l.ItemID, c.caseID, c.Distance, flag(same), t.at)
	if err != nil {
		return false, err
	}
	return true, t.audit(l.Item.Tenant, l.Worker, "case.join", l.ItemID, fmt.Sprintf("case=%s same_file=%t bits=%d", c.caseID, same, c.Distance))
}

// sameParties compares who sends to whom, by ages as they are known now, and who
// else sees it.
func (s *Store) sameParties(t *tx, it pipeline.Item, firstID string) (bool, error) {
	var first Item
	err := firstOf(t, "SELECT "+itemColumns+" FROM items i WHERE i.id = $1", args(firstID), func(row scanner) (Item, error) { return scanItem(row) }, &first)
	if err != nil {
		return false, err
	}
	if err := s.fillAges(t, &first.Item); err != nil {
		return false, err
	}
	return it.SameParties(first.Item), nil
}

func (l *Lease) sha256() string {
	if l.Media == nil {
		return ""
	}
	return l.Media.SHA256
}

func (t *tx) verdictOf(itemID string) (v pipeline.Verdict, err error) {
	var body string
	var severity int
	if err := t.one("SELECT body, severity FROM verdicts WHERE item_id = $1", args(itemID), &body, &severity); err != nil {
		return v, err
	}
	v.Unjudged = severity // the body names only its labels'
	return v, json.Unmarshal([]byte(body), &v)
}

const copyColumns = "SELECT k.item_id, k.distance, k.same_file FROM case_copies k"

func scanCopy(row scanner) (c Copy, err error) {
	var same int
	err = row.Scan(&c.ItemID, &c.Distance, &same)
	c.SameFile = same == 1
	return c, err
}

// Copies lists the items that joined a case in the reviewer's scope.
func (s *Store) Copies(ctx context.Context, r review.Reviewer, caseID string) ([]Copy, error) {
	t := s.reader(ctx)
	r, err := t.mayRead(r)
	if err == nil {
		_, err = t.caseFor(r, caseID)
	}
	var list []Copy
	if err == nil {
		list, err = allOf(t, copyColumns+" WHERE k.case_id = $1 ORDER BY k.item_id", args(caseID), scanCopy)
	}
	if err != nil {
		return nil, fmt.Errorf("list copies of case %s: %w", caseID, err)
	}
	return list, nil
}

// waitingCopies are those that a decision can still reach: in review, and
// without a case of their own such as a report's.
const waitingCopies = copyColumns + ` JOIN items i ON i.id = k.item_id WHERE k.case_id = $1 AND k.vote_id = '' AND i.state = 'in_review'
	AND NOT EXISTS (SELECT 1 FROM cases o WHERE o.item_id = k.item_id AND o.state = 'open') ORDER BY k.item_id`

// closeCopies lets a decision go for the copies.
func (s *Store) closeCopies(t *tx, c heldCase, d review.Decision, voteID, by string) error {
	list, err := allOf(t, waitingCopies, args(c.ID), scanCopy)
	if err != nil {
		return err
	}
	for _, k := range list {
		if !k.SameFile && d.Action != pipeline.Block {
			if err := s.ownCase(t, c, k.ItemID); err != nil {
				return err
			}
			continue
		}
		if err := s.closeCopy(t, c, d, voteID, k, by); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) closeCopy(t *tx, c heldCase, d review.Decision, voteID string, k Copy, by string) error {
	var kind pipeline.Kind
	var action string
	var expires int64
	if err := t.one("SELECT kind, action, expires_at FROM items WHERE id = $1", args(k.ItemID), &kind, &action, &expires); err != nil {
		return err
	}
	n, err := t.exec("UPDATE items SET state = 'closed', ending = 'resolved', action = $2, closed_at = $3, expires_at = $4 WHERE id = $1 AND state = 'in_review'",
		k.ItemID, string(d.Action), t.at, s.options.Retention.expiry(t.at, kind, d.Action))
	if err != nil || n == 0 {
		return err
	}
	if _, err := t.exec("UPDATE case_copies SET vote_id = $2, old_action = $3, old_expires = $4 WHERE item_id = $1", k.ItemID, voteID, action, expires); err != nil {
		return err
	}
	if err := s.publishDecision(t, c, d, voteID, k.ItemID); err != nil {
		return err
	}
	return t.audit(c.Tenant, by, "case.decide_copy", k.ItemID, fmt.Sprintf("case=%s action=%s same_file=%t bits=%d", c.ID, d.Action, k.SameFile, k.Distance))
}

// ownCase takes a copy out of another's case and gives it one of its own, with
// the same urgency.
func (s *Store) ownCase(t *tx, c heldCase, itemID string) error {
	if _, err := t.exec("DELETE FROM case_copies WHERE item_id = $1", itemID); err != nil {
		return err
	}
	v, err := t.verdictOf(itemID)
	if err != nil {
		return err
	}
	_, err = s.openCase(t, newCase{tenant: c.Tenant, itemID: itemID, kind: c.Kind, labels: v.Labels, reasons: v.Reasons,
		severity: v.Severity(), priority: c.Priority, deadline: c.Deadline.Sub(c.OpenedAt)})
	if err != nil {
		return err
	}
	return t.render(itemID, t.at)
}

// reverseCopies takes a decision back from the copies.
func (s *Store) reverseCopies(t *tx, c heldCase, v lastVote) error {
	type back struct{ id, action string }
	list, err := allOf(t, `UPDATE items SET state = 'in_review', ending = '', closed_at = 0,
			action = (SELECT k.old_action FROM case_copies k WHERE k.item_id = items.id),
			expires_at = (SELECT k.old_expires FROM case_copies k WHERE k.item_id = items.id)
		WHERE state = 'closed' AND purged_at = 0 AND id IN (SELECT k.item_id FROM case_copies k WHERE k.vote_id = $1) RETURNING id, action`, args(v.id),
		func(row scanner) (b back, err error) { err = row.Scan(&b.id, &b.action); return b, err })
	if err != nil {
		return err
	}
	for _, b := range list {
		if _, err := t.exec("UPDATE case_copies SET vote_id = '' WHERE item_id = $1", b.id); err != nil {
			return err
		}
		if err := s.publishReversal(t, c, v, b.id, pipeline.Action(b.action)); err != nil {
			return err
		}
		if err := t.audit(c.Tenant, v.reviewer, "case.undo_copy", b.id, "case="+c.ID); err != nil {
			return err
		}
	}
	return nil
}

// adopt gives copies whose case ended with an erasure cases of their own.
func (s *Store) adopt(t *tx, tenant string) error {
	type orphan struct{ item, caseID string }
	list, err := allOf(t, `SELECT k.item_id, k.case_id FROM case_copies k JOIN cases c ON c.id = k.case_id JOIN items i ON i.id = k.item_id
		WHERE c.tenant = $1 AND c.action = 'erased' AND k.vote_id = '' AND i.state = 'in_review' ORDER BY k.item_id`, args(tenant),
		func(row scanner) (o orphan, err error) { err = row.Scan(&o.item, &o.caseID); return o, err })
	if err != nil {
		return err
	}
	for _, o := range list {
		c, err := t.caseFor(review.Reviewer{}, o.caseID)
		if err == nil {
			err = s.ownCase(t, c, o.item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
