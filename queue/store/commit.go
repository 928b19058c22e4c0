package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// Outcome is what judging an item gave.
type Outcome struct {
	Verdict  pipeline.Verdict
	Evidence []Evidence
	// Notices to guardians and reviewers. Those with After "review" wait for
	// a Decision.
	Notices []review.Notice
	// Look is how long a person has for a first look where the verdict asks for
	// none, yet somebody reported the item before it; 0 leaves it to the report.
	Look time.Duration
	// Print remembers a picture or film that could be opened; nil for others.
	Print *Print
}

// Committed says where the item stands after Commit.
type Committed struct {
	State  State
	Ending Ending
	CaseID string
}

// Webhook events that Commit and Decide write for subscribed endpoints.
const (
	EventJudged      = "item.judged"
	EventResolved    = "item.resolved"
	EventQuarantined = "item.quarantined"
	EventReversed    = "item.reversed"
)

// Events lists the webhook events that an endpoint can subscribe to.
var Events = [...]string{EventJudged, EventResolved, EventQuarantined, EventReversed}

// Commit writes verdict, signals, evidence, case, deliveries and outbox rows
// and moves the item on, in one transaction. A lease that is no longer the
// newest gets ErrLost, and nothing is written.
func (s *Store) Commit(ctx context.Context, l *Lease, o Outcome) (done Committed, err error) {
	err = s.write(ctx, func(t *tx) error {
		done, err = s.commit(t, l, o)
		if err == nil {
			t.after = append(t.after, func() { s.announce(l.ItemID) })
		}
		return err
	})
	if err != nil {
		return Committed{}, fmt.Errorf("commit verdict of %s: %w", l.ItemID, err)
	}
	return done, nil
}

func (s *Store) commit(t *tx, l *Lease, o Outcome) (done Committed, err error) {
	v := o.Verdict
	if !v.Action.Known() {
		v.Action = pipeline.Hold // a word that nobody defined lets nothing through
	}
	// the fence: only the newest attempt passes, and only once
	n, err := t.exec("UPDATE items SET state = 'judged', action = $3, lease_until = 0, lease_worker = '' WHERE id = $1 AND attempt = $2 AND state = 'pending'",
		l.ItemID, l.Attempt, string(v.Action))
	if err != nil {
		return Committed{}, err
	}
	if n == 0 {
		return Committed{}, ErrLost
	}
	done = end(v)
	if done.State != Closed {
		if done.CaseID, err = s.join(t, l, v, o.Print, o.Notices); errors.Is(err, ErrNotFound) {
			done.CaseID, err = s.openCase(t, caseOf(l.Item, v))
		}
		if err != nil {
			return Committed{}, err
		}
	}
	if o.Print != nil {
		if err := t.keepPrint(l.Item.Tenant, l.ItemID, *o.Print); err != nil {
			return Committed{}, err
		}
	}
	v.CaseID = done.CaseID
	if err := s.settle(t, l, v, done); err != nil {
		return Committed{}, err
	}
	if err := t.keepVerdict(l, v); err != nil {
		return Committed{}, err
	}
	if done.State == Closed {
		if err := s.weigh(t, l.Item, o.Look); err != nil {
			return Committed{}, err
		}
	}
	if err := s.keep(t, l.ItemID, l.Key, 0, o.Evidence); err != nil {
		return Committed{}, err
	}
	if err := t.unpost(l.ItemID); err != nil {
		return Committed{}, err
	}
	if l.Media != nil { // nobody may have made any: it was reported meanwhile, or its store did not answer
		if err := t.render(l.ItemID, t.at); err != nil {
			return Committed{}, err
		}
	}
	return done, s.tell(t, l.Item, v, done, o.Notices)
}

// weigh makes the case of a report that came before a verdict which asks for
// nobody as grave as if it had come after it.
func (s *Store) weigh(t *tx, it pipeline.Item, look time.Duration) error {
	var deadline int64
	err := t.one("SELECT deadline_at FROM cases WHERE item_id = $1 AND state = 'open'", args(it.ID), &deadline)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	n := newCase{tenant: it.Tenant, itemID: it.ID, kind: review.KindReport, deadline: left(deadline, t.at)}
	if look > 0 {
		n.deadline = min(n.deadline, look)
	}
	if err == nil {
		err = t.remember(&n)
	}
	if err == nil {
		_, err = s.openCase(t, n)
	}
	return err
}

// end says where a verdict leads. What is held waits for a person even when
// policy named none: nothing is held for ever.
func end(v pipeline.Verdict) Committed {
	switch {
	case v.Quarantine:
		return Committed{State: Quarantined, Ending: EndQuarantined}
	case v.NeedsPerson() || v.Action == pipeline.Hold:
		return Committed{State: InReview}
	case v.Action == pipeline.Block:
		return Committed{State: Closed, Ending: EndBlocked}
	}
	return Committed{State: Closed, Ending: EndAllowed}
}

// settle moves the judged item on.
func (s *Store) settle(t *tx, l *Lease, v pipeline.Verdict, done Committed) error {
	var closed, expires int64
	if done.Ending != "" {
		closed = t.at
	}
	if done.State == Closed {
		expires = s.options.Retention.expiry(t.at, l.Item.Kind, v.Action)
	}
	n, err := t.exec("UPDATE items SET state = $2, ending = $3, closed_at = $4, expires_at = $5 WHERE id = $1 AND state = 'judged'",
		l.ItemID, string(done.State), string(done.Ending), closed, expires)
	if err == nil && n != 1 {
		err = ErrIllegal
	}
	return err
}

// signalFloor is the score from which a signal gets a row of its own; the
// verdict's JSON has them all.
const signalFloor = 0.5

func (t *tx) keepVerdict(l *Lease, v pipeline.Verdict) error {
	if v.DecidedAt.IsZero() {
		v.DecidedAt = timeOf(t.at)
	}
	_, err := t.exec("INSERT INTO verdicts (item_id, attempt, policy_version, action, severity, body, decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		l.ItemID, l.Attempt, v.PolicyVersion, string(v.Action), v.Severity(), jsonOf(v), micros(v.DecidedAt))
	if err != nil {
		return err
	}
	for n, sig := range v.Signals {
		if sig.Score < signalFloor {
			continue
		}
		_, err := t.exec("INSERT INTO signals (item_id, n, label, score, source) VALUES ($1, $2, $3, $4, $5)",
			l.ItemID, n, string(sig.Label), sig.Score, sig.Source)
		if err != nil {
			return err
		}
	}
	return nil
}

// tell writes the verdict's effects: the event for each endpoint that wants
// it, and the notices.
func (s *Store) tell(t *tx, it pipeline.Item, v pipeline.Verdict, done Committed, notices []review.Notice) error {
	event := EventJudged
	if done.State == Quarantined {
		event = EventQuarantined
	}
	d := Delivery{Tenant: it.Tenant, ItemID: it.ID, CaseID: done.CaseID, PolicyVersion: v.PolicyVersion, Effect: event, Urgency: urgencyOf(v)}
	if err := s.publish(t, d, t.at); err != nil {
		return err
	}
	for _, n := range notices {
		if err := s.notify(t, d, n, ""); err != nil {
			return err
		}
	}
	return nil
}

// urgencyOf is the most urgent of a verdict's escalations.
func urgencyOf(v pipeline.Verdict) pipeline.Urgency {
	for _, u := range [...]pipeline.Urgency{pipeline.Urgent, pipeline.Soon} {
		if slices.ContainsFunc(v.Escalations, func(e pipeline.Escalation) bool { return e.Urgency == u }) {
			return u
		}
	}
	return pipeline.Routine
}
