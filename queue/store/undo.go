package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// Undo takes the reviewer's newest vote on a case back within Options.Undo,
// opens the case again and leases it to them, or leaves it to the seniors to
// whom it was handed meanwhile. A case that was opened about the item since, such
// as by a report, joins it. What has not gone out yet is recalled; what has is
// followed by an item.reversed event, and NoticesGone lists the notices among it.
// ErrTooLate after the window and when the item was erased meanwhile, ErrConflict
// when somebody voted on the item after them, and ErrClaimed when somebody has it
// in hand.
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
	// item and case are ours until the end, so that nobody votes meanwhile and no other case opens
	if err := t.lockItemOf(caseID); err != nil {
		return review.Lease{}, err
	}
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
	if err := t.votedSince(c, v); err != nil {
		return review.Lease{}, err
	}
	if _, err := t.exec("UPDATE votes SET undone_at = $2 WHERE id = $1", v.id, t.at); err != nil {
		return review.Lease{}, err
	}
	if err := s.reverse(t, c, v); err != nil {
		return review.Lease{}, err
	}
	later, err := t.endLater(c)
	if err != nil {
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
	if later.ID != "" {
		if err := s.merge(t, r, later, caseID); err != nil {
			return review.Lease{}, err
		}
	}
	if err := t.render(c.ItemID, t.at); err != nil { // a task of before may have ended with the case
		return review.Lease{}, err
	}
	return l, t.audit(c.Tenant, r.ID, "case.undo", caseID, "")
}

// votedSince gives ErrConflict when somebody voted after v in another case about
// the item. Nobody is given one before the time to take v back is over; an undo
// that had to wait for its turn may come behind them all the same.
func (t *tx) votedSince(c heldCase, v lastVote) error {
	var since int
	err := t.one("SELECT COUNT(*) FROM votes WHERE item_id = $1 AND case_id <> $2 AND at > $3 AND undone_at = 0", args(c.ItemID, c.ID, v.at), &since)
	if err == nil && since > 0 {
		err = ErrConflict
	}
	return err
}

// endLater closes the case that was opened about the item when c was closed, if
// there is one, and returns it. ErrClaimed when somebody has it in hand.
func (t *tx) endLater(c heldCase) (later heldCase, err error) {
	err = firstOf(t, `UPDATE cases SET state = 'closed', action = 'merged', closed_at = $3 WHERE item_id = $1 AND id <> $2 AND state = 'open'
		RETURNING `+caseReturning, args(c.ItemID, c.ID, t.at), scanCase, &later)
	switch {
	case errors.Is(err, ErrNotFound):
		return heldCase{}, nil
	case err == nil && (micros(later.LeaseUntil) > t.at || later.Escalated != ""):
		err = ErrClaimed
	}
	return later, err
}

// merge brings what a case was opened for into the open one of the same item.
func (s *Store) merge(t *tx, r review.Reviewer, later heldCase, into string) error {
	_, err := s.openCase(t, newCase{tenant: later.Tenant, itemID: later.ItemID, kind: later.Kind, labels: later.Labels, reasons: later.Reasons,
		severity: later.Severity, priority: later.Priority, deadline: left(micros(later.Deadline), t.at), reports: later.Reports})
	if err == nil {
		_, err = t.exec("UPDATE reports SET case_id = $2 WHERE case_id = $1", later.ID, into)
	}
	if err != nil {
		return err
	}
	return t.audit(later.Tenant, r.ID, "case.merge", later.ID, "case="+into)
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

// sentBy is true of what the vote sent. It says twice that there is a vote: the
// index deliveries_vote holds nothing else, and is used for what says so.
const sentBy = "vote_id = $1 AND vote_id <> ''"

// recalls take back what a vote sent on its way.
var recalls = [...]string{
	"DELETE FROM outbox WHERE ref IN (SELECT id FROM deliveries WHERE " + sentBy + " AND " + untouched + ")",
	"DELETE FROM deliveries WHERE " + sentBy + " AND stage = 'deliver' AND " + untouched,
	"UPDATE deliveries SET state = 'waiting', vote_id = '' WHERE " + sentBy + " AND stage = 'notify' AND (state = 'cancelled' OR (" + untouched + "))",
}

// recall takes back what the vote sent on its way, and tells the endpoints
// that have already heard.
func (s *Store) recall(t *tx, c heldCase, v lastVote) error {
	for _, query := range recalls {
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
