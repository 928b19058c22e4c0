package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// Decide records a vote. When it is the last one needed it closes the case,
// resolves the item exactly once, writes item.resolved for every subscribed
// endpoint, lets the waiting guardian notices go or cancels them, and writes
// the audit line, all in one transaction. One vote against telling guardians
// cancels, whoever votes last. What goes out waits for
// Options.Undo first (half of it when urgent). ErrLost when the lease is gone
// or the case is closed, ErrForbidden for who may not vote on it, ErrIllegal
// for an action that ends nothing.
func (s *Store) Decide(ctx context.Context, r review.Reviewer, d review.Decision) (done review.Decided, err error) {
	err = s.write(ctx, func(t *tx) error {
		done, err = s.decide(t, r, d)
		return err
	})
	if err != nil {
		return review.Decided{}, fmt.Errorf("decide case %s: %w", d.CaseID, err)
	}
	return done, nil
}

func (s *Store) decide(t *tx, r review.Reviewer, d review.Decision) (done review.Decided, err error) {
	if !d.Valid() {
		return done, ErrIllegal
	}
	if r, err = t.mayReview(r); err != nil {
		return done, err
	}
	// the lease ends with the vote, and the row is ours until the end
	if err := t.held(r, d.CaseID, d.Token, "reviewer = '', token = '', lease_until = 0"); err != nil {
		return done, err
	}
	c, err := t.caseFor(r, d.CaseID)
	if err != nil {
		return done, err
	}
	if c.NeedsRole == review.Senior && r.Role != review.Senior {
		return done, ErrForbidden
	}
	voteID, err := s.vote(t, r, c, d)
	if err != nil {
		return done, err
	}
	done, err = s.count(t, r, c, d)
	if err != nil {
		return done, err
	}
	done.UndoUntil = timeOf(t.at + s.options.Undo.Microseconds())
	if done.Closed {
		if d.NotifyGuardians, err = t.allTell(c.ID, d.Action); err != nil {
			return done, err
		}
		if err := s.closeCase(t, c, d, voteID, r.ID); err != nil {
			return done, err
		}
	}
	return done, t.audit(c.Tenant, r.ID, "case.decide", c.ID, decisionDetail(d, done))
}

// decisionDetail tells what was decided, in fixed words.
func decisionDetail(d review.Decision, done review.Decided) string {
	labels := make([]string, len(d.Labels))
	for i, l := range d.Labels {
		labels[i] = string(l)
	}
	return fmt.Sprintf("action=%s labels=%s reason=%s closed=%t", d.Action, strings.Join(labels, ","), d.Reason, done.Closed)
}

// vote writes the vote, with what Undo needs to put everything back.
func (s *Store) vote(t *tx, r review.Reviewer, c heldCase, d review.Decision) (id string, err error) {
	id = s.newID("vote", t.at)
	note, err := s.sealNote(t, c.ItemID, id, d.Note)
	if err != nil {
		return "", err
	}
	labels := d.Labels
	if labels == nil {
		labels = []pipeline.Label{}
	}
	_, err = t.exec(`INSERT INTO votes (id, case_id, item_id, reviewer, action, labels, reason, note, tell, at, old_role, old_needed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		id, c.ID, c.ItemID, r.ID, string(d.Action), jsonOf(labels), d.Reason, note, flag(d.NotifyGuardians), t.at, string(c.NeedsRole), c.VotesNeeded)
	if errors.Is(err, ErrConflict) {
		err = ErrForbidden // nobody votes twice
	}
	return id, err
}

// count says what the vote leads to. Two who agree close a severe case; when
// they differ a senior settles it. What waits for a senior does so until the
// case is closed.
func (s *Store) count(t *tx, r review.Reviewer, c heldCase, d review.Decision) (done review.Decided, err error) {
	needed := max(c.VotesNeeded, review.VotesFor(c.Severity, d.Irreversible))
	votes, role := c.Votes+1, c.NeedsRole
	switch {
	case votes < needed:
		done.NeedsSecond = true
	case needed == 2:
		agree, err := t.agree(c.ID)
		if err != nil {
			return done, err
		}
		if done.Closed = agree; !agree {
			done.NeedsSenior, needed, role = true, 3, review.Senior
		}
	default:
		done.Closed = true
	}
	_, err = t.exec("UPDATE cases SET votes = $2, votes_needed = $3, needs_role = $4 WHERE id = $1", c.ID, votes, needed, string(role))
	return done, err
}

// agree reports whether every standing vote on the case wants the same.
func (t *tx) agree(caseID string) (bool, error) {
	var kinds int
	err := t.one("SELECT COUNT(DISTINCT action) FROM votes WHERE case_id = $1 AND undone_at = 0", args(caseID), &kinds)
	return kinds == 1, err
}

// allTell reports whether the standing votes agree on telling guardians: a
// guardian who may be the source of harm is never told, so one "no" is enough.
// An allow has nothing to tell: it is a "no" only where the case ends with it.
func (t *tx) allTell(caseID string, end pipeline.Action) (bool, error) {
	var against int
	err := t.one("SELECT COUNT(*) FROM votes WHERE case_id = $1 AND undone_at = 0 AND tell = 0 AND (action <> 'allow' OR action = $2)",
		args(caseID, string(end)), &against)
	return against == 0, err
}

// closeCase ends the case and what follows from it, for its item and the
// copies that joined it.
func (s *Store) closeCase(t *tx, c heldCase, d review.Decision, voteID, by string) error {
	_, err := t.exec("UPDATE cases SET state = 'closed', action = $2, closed_at = $3 WHERE id = $1", c.ID, string(d.Action), t.at)
	if err != nil {
		return err
	}
	it, err := s.resolve(t, c, d.Action, voteID)
	if err != nil {
		return err
	}
	if err := s.closeCopies(t, c, d, voteID, by); err != nil {
		return err
	}
	if it.State == Erased {
		return nil
	}
	return s.publishDecision(t, c, d, voteID, c.ItemID)
}

// publishDecision tells of a decision about one item: the endpoints, and the
// guardians whose notices waited for it.
func (s *Store) publishDecision(t *tx, c heldCase, d review.Decision, voteID, itemID string) error {
	payload := jsonOf(map[string]any{"case_id": c.ID, "action": d.Action, "labels": d.Labels, "decision": voteID})
	event := Delivery{Tenant: c.Tenant, ItemID: itemID, CaseID: c.ID, PolicyVersion: "decision:" + voteID, Effect: EventResolved,
		Urgency: pipeline.Soon, Payload: json.RawMessage(payload)}
	if err := s.publish(t, event, t.at+s.options.Undo.Microseconds()); err != nil {
		return err
	}
	if _, err := t.exec("UPDATE deliveries SET vote_id = $2 WHERE item_id = $1 AND policy_version = $3", itemID, voteID, event.PolicyVersion); err != nil {
		return err
	}
	return s.letGo(t, itemID, voteID, d.NotifyGuardians)
}

// resolve ends an item that was in review; one that had ended keeps its end
// and takes the new action.
func (s *Store) resolve(t *tx, c heldCase, a pipeline.Action, voteID string) (it Item, err error) {
	err = firstOf(t, "SELECT "+itemColumns+" FROM items i WHERE i.id = $1", args(c.ItemID), func(row scanner) (Item, error) { return scanItem(row) }, &it)
	if err != nil {
		return it, err
	}
	expires := s.options.Retention.expiry(t.at, it.Kind, a)
	var oldExpires int64
	if err := t.one("SELECT expires_at FROM items WHERE id = $1", args(c.ItemID), &oldExpires); err != nil {
		return it, err
	}
	closed, err := t.exec("UPDATE items SET state = 'closed', ending = 'resolved', action = $2, closed_at = $3, expires_at = $4 WHERE id = $1 AND state = 'in_review'",
		c.ItemID, string(a), t.at, expires)
	if err != nil {
		return it, err
	}
	if closed == 0 {
		n, err := t.exec("UPDATE items SET action = $2, expires_at = $3 WHERE id = $1 AND state IN ('closed', 'quarantined')", c.ItemID, string(a), expires)
		if err != nil {
			return it, err
		}
		if n == 0 && it.State != Erased {
			return it, ErrConflict // not judged yet
		}
	}
	_, err = t.exec("UPDATE votes SET closed_case = 1, closed_item = $2, old_action = $3, old_expires = $4 WHERE id = $1",
		voteID, closed, string(it.Action), oldExpires)
	return it, err
}

// letGo sends the notices that waited for this decision, or cancels them.
func (s *Store) letGo(t *tx, itemID, voteID string, send bool) error {
	if !send {
		_, err := t.exec("UPDATE deliveries SET state = 'cancelled', vote_id = $2 WHERE item_id = $1 AND state = 'waiting'", itemID, voteID)
		return err
	}
	type waiting struct {
		id, queue, urgency string
	}
	list, err := allOf(t, "UPDATE deliveries SET state = 'pending', vote_id = $2 WHERE item_id = $1 AND state = 'waiting' RETURNING id, queue, urgency",
		args(itemID, voteID), func(row scanner) (w waiting, err error) {
			err = row.Scan(&w.id, &w.queue, &w.urgency)
			return w, err
		})
	if err != nil {
		return err
	}
	for _, w := range list {
		due := t.at + s.options.Undo.Microseconds()
		if w.urgency == string(pipeline.Urgent) {
			due = t.at + s.options.Undo.Microseconds()/2
		}
		if _, err := t.exec("UPDATE deliveries SET due_at = $2 WHERE id = $1", w.id, due); err != nil {
			return err
		}
		if err := t.post(SubjectDelivery, w.id, StageNotify, w.queue, due); err != nil {
			return err
		}
	}
	return nil
}

// Votes lists the votes on a case, oldest first. While a second vote is
// missing a reviewer sees only their own; a senior who settles sees all.
func (s *Store) Votes(ctx context.Context, r review.Reviewer, caseID string) ([]review.Vote, error) {
	list, err := s.votes(ctx, r, caseID)
	if err != nil {
		return nil, fmt.Errorf("list votes on case %s: %w", caseID, err)
	}
	return list, nil
}

func (s *Store) votes(ctx context.Context, r review.Reviewer, caseID string) ([]review.Vote, error) {
	t := s.reader(ctx)
	r, err := t.mayRead(r)
	if err != nil {
		return nil, err
	}
	c, err := t.caseFor(r, caseID)
	if err != nil {
		return nil, err
	}
	blind := c.State == review.Open && (c.NeedsRole != review.Senior || r.Role != review.Senior)
	type sealedVote struct {
		review.Vote
		note []byte
	}
	rows, err := allOf(t, `SELECT id, case_id, item_id, reviewer, action, labels, reason, note, tell, at, undone_at FROM votes
		WHERE case_id = $1 AND ($2 = 0 OR reviewer = $3) ORDER BY id`, args(caseID, flag(blind), r.ID), func(row scanner) (v sealedVote, err error) {
		var labels string
		var tell int
		var at, undone int64
		if err := row.Scan(&v.ID, &v.CaseID, &v.ItemID, &v.Reviewer, &v.Action, &labels, &v.Reason, &v.note, &tell, &at, &undone); err != nil {
			return v, err
		}
		v.NotifyGuardians, v.At, v.UndoneAt = tell == 1, timeOf(at), timeOf(undone)
		return v, json.Unmarshal([]byte(labels), &v.Labels)
	})
	if err != nil {
		return nil, err
	}
	list := make([]review.Vote, len(rows))
	for i, v := range rows {
		list[i] = v.Vote
		if list[i].Note, err = s.openNote(t, v.ItemID, v.ID, v.note); err != nil {
			return nil, err
		}
	}
	return list, nil
}
