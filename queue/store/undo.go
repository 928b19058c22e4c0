package store

import (
	"context"
	"encoding/json"
	"fmt"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// Undo takes the reviewer's newest vote on a case back within Options.Undo,
// opens the case again and leases it to them, or leaves it to the seniors to
// whom it was handed meanwhile. What has not gone out yet is recalled; what has
// is followed by an item.reversed event, and NoticesGone lists the notices among
// it. ErrTooLate after the window and when the item was erased meanwhile,
// ErrConflict when somebody voted after them.
func (s *Store) Undo(ctx context.Context, r review.Reviewer, caseID string) (l review.Lease, err error) {
	err = s.write(ctx, func(t *tx) error {
		l, err = s.undo(t, r, caseID)
		return err
	})
	if err != nil {
		return review.Lease{}, fmt.Errorf("undo decision on case %s: %w", caseID, err)
	}
	return l, nil
}

// NoticesGone lists the notices to guardians that votes on the case let go and
// that were sent, or on their way, when the votes were taken back: no undo calls
// them back.
func (s *Store) NoticesGone(ctx context.Context, r review.Reviewer, caseID string) ([]review.Notice, error) {
	t := s.reader(ctx)
	r, err := t.mayRead(r)
	if err == nil {
		_, err = t.caseFor(r, caseID)
	}
	var list []review.Notice
	if err == nil {
		list, err = allOf(t, `SELECT d.notice FROM deliveries d
			WHERE d.item_id IN (SELECT c.item_id FROM cases c WHERE c.id = $1 UNION ALL SELECT k.item_id FROM case_copies k WHERE k.case_id = $1)
			AND d.vote_id IN (SELECT v.id FROM votes v WHERE v.case_id = $1 AND v.undone_at > 0)
			AND d.stage = 'notify' AND d.state IN ('pending', 'done') ORDER BY d.id`, args(caseID),
			func(row scanner) (n review.Notice, err error) {
				var text string
				if err := row.Scan(&text); err != nil {
					return n, err
				}
				return n, json.Unmarshal([]byte(text), &n)
			})
	}
	if err != nil {
		return nil, fmt.Errorf("list notices gone of case %s: %w", caseID, err)
	}
	return list, nil
}

// lastVote is a vote with what it changed.
type lastVote struct {
	id, reviewer       string
	at                 int64
	closedCase         int
	closedItem         int
	oldAction, oldRole string
	oldNeeded          int
	oldExpires         int64
}

func (s *Store) undo(t *tx, r review.Reviewer, caseID string) (review.Lease, error) {
	r, err := t.mayReview(r)
	if err != nil {
		return review.Lease{}, err
	}
	// locks the case, so that nobody votes meanwhile
	if _, err := t.exec("UPDATE cases SET votes = votes WHERE id = $1", caseID); err != nil {
		return review.Lease{}, err
	}
	c, err := t.caseFor(r, caseID)
	if err != nil {
		return review.Lease{}, err
	}
	v, err := t.lastVote(caseID)
	if err != nil {
		return review.Lease{}, err
	}
	switch {
	case v.reviewer != r.ID:
		return review.Lease{}, ErrConflict
	case t.at > v.at+s.options.Undo.Microseconds():
		return review.Lease{}, ErrTooLate
	case micros(c.LeaseUntil) > t.at:
		return review.Lease{}, ErrClaimed
	}
	if _, err := t.exec("UPDATE votes SET undone_at = $2 WHERE id = $1", v.id, t.at); err != nil {
		return review.Lease{}, err
	}
	if err := s.reverse(t, c, v); err != nil {
		return review.Lease{}, err
	}
	l, holder := review.Lease{CaseID: caseID, Token: secret(18), Until: timeOf(s.caseUntil(t))}, r.ID
	if c.Escalated != "" && r.Role != review.Senior {
		l, holder = review.Lease{CaseID: caseID}, ""
	}
	_, err = t.exec(`UPDATE cases SET state = 'open', action = '', closed_at = 0, votes = votes - 1, votes_needed = $2,
		needs_role = CASE WHEN escalated <> '' THEN 'senior' ELSE $3 END, reviewer = $4, token = $5, lease_until = $6 WHERE id = $1`,
		caseID, v.oldNeeded, v.oldRole, holder, l.Token, micros(l.Until))
	if err != nil {
		return review.Lease{}, err
	}
	return l, t.audit(c.Tenant, r.ID, "case.undo", caseID, "")
}

func (t *tx) lastVote(caseID string) (v lastVote, err error) {
	err = t.one(`SELECT id, reviewer, at, closed_case, closed_item, old_action, old_role, old_needed, old_expires FROM votes
		WHERE case_id = $1 AND undone_at = 0 ORDER BY id DESC LIMIT 1`, args(caseID),
		&v.id, &v.reviewer, &v.at, &v.closedCase, &v.closedItem, &v.oldAction, &v.oldRole, &v.oldNeeded, &v.oldExpires)
	return v, err
}

// reverse puts the item and its effects back to before the vote.
func (s *Store) reverse(t *tx, c heldCase, v lastVote) error {
	if v.closedCase == 0 {
		if c.State == review.Closed {
			return ErrTooLate // erased meanwhile
		}
		return nil
	}
	query := "UPDATE items SET action = $2, expires_at = $3 WHERE id = $1 AND state IN ('closed', 'quarantined')"
	if v.closedItem == 1 {
		query = "UPDATE items SET state = 'in_review', ending = '', closed_at = 0, action = $2, expires_at = $3 WHERE id = $1 AND state = 'closed' AND purged_at = 0"
	}
	n, err := t.exec(query, c.ItemID, v.oldAction, v.oldExpires)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrTooLate // erased meanwhile
	}
	return s.recall(t, c, v)
}

// untouched is true of a delivery that nobody has tried yet.
const untouched = "state = 'pending' AND tries = 0 AND fence = 0"

// recall takes back what the vote sent on its way, and tells the endpoints
// that have already heard.
func (s *Store) recall(t *tx, c heldCase, v lastVote) error {
	for _, query := range [...]string{
		"DELETE FROM outbox WHERE ref IN (SELECT id FROM deliveries WHERE vote_id = $1 AND " + untouched + ")",
		"DELETE FROM deliveries WHERE vote_id = $1 AND stage = 'deliver' AND " + untouched,
		"UPDATE deliveries SET state = 'waiting', vote_id = '' WHERE vote_id = $1 AND stage = 'notify' AND (state = 'cancelled' OR (" + untouched + "))",
	} {
		if _, err := t.exec(query, v.id); err != nil {
			return err
		}
	}
	if err := s.publishReversal(t, c, v, c.ItemID, pipeline.Action(v.oldAction)); err != nil {
		return err
	}
	return s.reverseCopies(t, c, v)
}

// publishReversal tells the endpoints that have heard of the vote already.
func (s *Store) publishReversal(t *tx, c heldCase, v lastVote, itemID string, old pipeline.Action) error {
	var heard int
	if err := t.one("SELECT COUNT(*) FROM deliveries WHERE vote_id = $1 AND item_id = $2 AND stage = 'deliver'", args(v.id, itemID), &heard); err != nil {
		return err
	}
	if heard == 0 {
		return nil
	}
	payload := jsonOf(map[string]any{"case_id": c.ID, "decision": v.id, "action": old})
	return s.publish(t, Delivery{Tenant: c.Tenant, ItemID: itemID, CaseID: c.ID, PolicyVersion: "undo:" + v.id, Effect: EventReversed,
		Urgency: pipeline.Soon, Payload: json.RawMessage(payload)}, t.at)
}
