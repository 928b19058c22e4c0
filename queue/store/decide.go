package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// Decide records a vote. When it is the last one needed it closes the case,
// resolves the item exactly once, writes item.resolved for every subscribed
// endpoint, lets the waiting guardian notices go or cancels them, and writes
// the audit line, all in one transaction. One vote against telling guardians
// cancels, whoever votes last; what is told is chosen by the labels that were
// voted. What goes out waits for the whole of Options.Undo first, however
// urgent. The same decision sent again while it can be taken back changes
// nothing and gives the same answer. ErrLost when the lease is gone or the case
// is closed, ErrForbidden for who may not vote on it, ErrIllegal for an action
// that does not end such a case (review.Case.Allows).
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
	if err = t.lockItemOf(d.CaseID); err != nil {
		return done, err
	}
	// the lease ends with the vote, and the row is ours until the end
	err = t.held(r, d.CaseID, d.Token, "reviewer = '', token = '', lease_until = 0")
	if errors.Is(err, ErrLost) {
		return s.decidedAlready(t, r, d)
	}
	if err != nil {
		return done, err
	}
	c, err := t.caseFor(r, d.CaseID)
	if err != nil {
		return done, err
	}
	if err := t.mayDecide(r, c, d.Action); err != nil {
		return done, err
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

// mayDecide gives ErrForbidden when the case is not the reviewer's to vote on,
// as when an appeal joined it while they held it, and ErrIllegal when the action
// is no end of it.
func (t *tx) mayDecide(r review.Reviewer, c heldCase, a pipeline.Action) error {
	open, err := t.mayVote(r, c.ID)
	if err != nil {
		return err
	}
	if !open {
		return ErrForbidden
	}
	var now pipeline.Action
	if err := t.one("SELECT action FROM items WHERE id = $1", args(c.ItemID), &now); err != nil {
		return err
	}
	if !c.Allows(a, now) {
		return ErrIllegal
	}
	return nil
}

// decidedAlready answers for a decision that was recorded a moment ago, such as
// a form that was sent twice. ErrLost when the reviewer's vote says something
// else, was taken back or stands for good.
func (s *Store) decidedAlready(t *tx, r review.Reviewer, d review.Decision) (done review.Decided, err error) {
	c, err := t.caseFor(r, d.CaseID)
	if errors.Is(err, ErrNotFound) {
		err = ErrLost
	}
	if err != nil {
		return done, err
	}
	var action, labels string
	var at int64
	var closed, needed int
	err = t.one("SELECT action, labels, at, closed_case, old_needed FROM votes WHERE case_id = $1 AND reviewer = $2 AND undone_at = 0",
		args(d.CaseID, r.ID), &action, &labels, &at, &closed, &needed)
	if errors.Is(err, ErrNotFound) {
		err = ErrLost
	}
	if err != nil {
		return done, err
	}
	if action != string(d.Action) || labels != labelsOf(d) || t.at > at+s.options.Undo.Microseconds() {
		return done, ErrLost
	}
	return review.Decided{
		Closed: closed == 1, NeedsSecond: c.State == review.Open && c.VotesNeeded == 2, NeedsSenior: c.State == review.Open && c.VotesNeeded == 3,
		Blind: needed == 2, UndoUntil: timeOf(at + s.options.Undo.Microseconds()),
	}, nil
}

// labelsOf is how a vote keeps its labels and tells of them: as a list, though it be empty.
func labelsOf(d review.Decision) string {
	if d.Labels == nil {
		return "[]"
	}
	return jsonOf(d.Labels)
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
	_, err = t.exec(`INSERT INTO votes (id, case_id, item_id, reviewer, action, labels, reason, note, tell, at, old_role, old_needed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		id, c.ID, c.ItemID, r.ID, string(d.Action), labelsOf(d), d.Reason, note, flag(d.NotifyGuardians), t.at, string(c.NeedsRole), c.VotesNeeded)
	if errors.Is(err, ErrConflict) {
		err = ErrForbidden // nobody votes twice
	}
	return id, err
}

// count says what the vote leads to. Two who agree close a severe case; when
// they differ a senior settles it, and also when they agree only because one
// took back what differed. What waits for a senior does so until the case is
// closed.
func (s *Store) count(t *tx, r review.Reviewer, c heldCase, d review.Decision) (done review.Decided, err error) {
	needed := max(c.VotesNeeded, review.VotesFor(c.Severity))
	votes, role := c.Votes+1, c.NeedsRole
	done.Blind = needed == 2
	switch {
	case votes < needed:
		done.NeedsSecond = true
	case needed == 2:
		agree, err := t.agree(c.ID)
		if err != nil {
			return done, err
		}
		if agree {
			changed, err := t.changed(r, c.ID, d.Action)
			if err != nil {
				return done, err
			}
			agree = !changed
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

// changed reports whether the reviewer voted otherwise on the case beside a vote
// of somebody else that still stands, and took that back: who may have seen what
// their vote led to does not vote blind any more.
func (t *tx) changed(r review.Reviewer, caseID string, a pipeline.Action) (bool, error) {
	var before int
	err := t.one(`SELECT COUNT(*) FROM votes m WHERE m.case_id = $1 AND m.reviewer = $2 AND m.undone_at > 0 AND m.action <> $3
		AND EXISTS (SELECT 1 FROM votes o WHERE o.case_id = m.case_id AND o.reviewer <> m.reviewer AND o.undone_at = 0 AND o.at <= m.at)`,
		args(caseID, r.ID, string(a)), &before)
	return before > 0, err
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
	if d.Action == review.Keep {
		return s.keepItem(t, c, d, voteID)
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

// keepItem leaves the item as it is, how long it is kept too, and tells nobody
// of it: nothing was decided anew.
func (s *Store) keepItem(t *tx, c heldCase, d review.Decision, voteID string) error {
	_, err := t.exec(`UPDATE votes SET closed_case = 1, old_action = (SELECT i.action FROM items i WHERE i.id = $2),
		old_expires = (SELECT i.expires_at FROM items i WHERE i.id = $2) WHERE id = $1`, voteID, c.ItemID)
	if err != nil {
		return err
	}
	return s.letGo(t, c, d, voteID, c.ItemID)
}

// publishDecision tells of a decision about one item: the endpoints, and the
// guardians whose notices waited for it.
func (s *Store) publishDecision(t *tx, c heldCase, d review.Decision, voteID, itemID string) error {
	payload := jsonOf(map[string]any{"case_id": c.ID, "action": d.Action, "labels": json.RawMessage(labelsOf(d)), "decision": voteID})
	event := Delivery{Tenant: c.Tenant, ItemID: itemID, CaseID: c.ID, PolicyVersion: "decision:" + voteID, Effect: EventResolved,
		Urgency: pipeline.Soon, Payload: json.RawMessage(payload)}
	if err := s.publish(t, event, t.at+s.options.Undo.Microseconds()); err != nil {
		return err
	}
	if _, err := t.exec("UPDATE deliveries SET vote_id = $2 WHERE item_id = $1 AND policy_version = $3", itemID, voteID, event.PolicyVersion); err != nil {
		return err
	}
	return s.letGo(t, c, d, voteID, itemID)
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

// letGo sends the notices that waited for this decision, or cancels them: all
// when guardians are not told, else those about nothing that was voted.
func (s *Store) letGo(t *tx, c heldCase, d review.Decision, voteID, itemID string) error {
	list, err := t.waiting(itemID)
	if err != nil || len(list) == 0 {
		return err
	}
	labels, err := t.agreedOn(c, d)
	if err != nil {
		return err
	}
	for _, w := range list {
		send := d.NotifyGuardians
		if send && w.Notice != nil {
			*w.Notice, send = w.Notice.For(labels)
			w.Urgency = w.Notice.Urgency
		}
		if err := s.letOneGo(t, w, voteID, send); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) letOneGo(t *tx, d Delivery, voteID string, send bool) error {
	if !send {
		_, err := t.exec("UPDATE deliveries SET state = 'cancelled', vote_id = $2 WHERE id = $1 AND state = 'waiting'", d.ID, voteID)
		return err
	}
	due := t.at + s.options.Undo.Microseconds()
	queue := s.noticeQueue(d.Urgency) // of the letter that was chosen
	n, err := t.exec(`UPDATE deliveries SET state = 'pending', vote_id = $2, urgency = $3, notice = $4, due_at = $5, queue = $6
		WHERE id = $1 AND state = 'waiting'`, d.ID, voteID, string(d.Urgency), jsonOf(d.Notice), due, queue)
	if err != nil || n == 0 { // erased meanwhile
		return err
	}
	return t.post(SubjectDelivery, d.ID, StageNotify, queue, due)
}

// agreedOn lists the labels of which guardians may hear: those that every
// standing vote for what was decided names, so that a label which one of two has
// taken off is not told. Where they have none in common it is all that they
// name, and where a senior settled it what the senior says.
func (t *tx) agreedOn(c heldCase, d review.Decision) ([]pipeline.Label, error) {
	if c.VotesNeeded > 2 {
		return d.Labels, nil
	}
	votes, err := allOf(t, "SELECT labels FROM votes WHERE case_id = $1 AND undone_at = 0 AND action = $2", args(c.ID, string(d.Action)), scanText)
	if err != nil {
		return nil, err
	}
	var all, common []pipeline.Label
	for i, text := range votes {
		var labels []pipeline.Label
		if err := json.Unmarshal([]byte(text), &labels); err != nil {
			return nil, fmt.Errorf("read labels of votes on case %s: %w", c.ID, err)
		}
		all = append(all, labels...)
		if i == 0 {
			common = labels
		}
		common = slices.DeleteFunc(slices.Clone(common), func(l pipeline.Label) bool { return !slices.Contains(labels, l) })
	}
	if len(common) == 0 {
		return all, nil
	}
	return common, nil
}

// Votes lists the votes on a case, oldest first. While a second vote is
// missing everybody sees only their own; a senior who settles sees all. Show no
// Note before View wrote its line.
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
	blind := c.State == review.Open && (c.VotesNeeded == 2 || c.NeedsRole != review.Senior || r.Role != review.Senior)
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
