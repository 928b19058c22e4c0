package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlight/queue/review"
)

// NextCase gives the reviewer the open case that ranks highest and leases it
// to them: their own live lease first, never one that they voted on, skipped
// or may not take, nothing severe once they saw Options.SevereViewsPerHour, and
// none about an item on which a vote may still be taken back.
// ErrNotFound when there is none, ErrForbidden for who may not review.
func (s *Store) NextCase(ctx context.Context, r review.Reviewer) (c review.Case, l review.Lease, err error) {
	err = s.write(ctx, func(t *tx) error {
		if r, err = t.mayReview(r); err != nil {
			return err
		}
		held, err := s.nextCase(t, r)
		c, l = held.Case, leaseOf(held)
		return err
	})
	if err != nil {
		return review.Case{}, review.Lease{}, fmt.Errorf("next case: %w", err)
	}
	return c, l, nil
}

func leaseOf(c heldCase) review.Lease {
	return review.Lease{CaseID: c.ID, Token: c.token, Until: c.LeaseUntil}
}

// caseOpenTo is true of a case that the reviewer $1, who is a senior when $2
// is 1, may vote on: nobody votes twice, what waits for a senior waits, and an
// appeal goes to other eyes than decided before.
const caseOpenTo = `c.state = 'open' AND (c.needs_role = '' OR $2 = 1)
	AND NOT EXISTS (SELECT 1 FROM votes v WHERE v.case_id = c.id AND v.reviewer = $1 AND v.undone_at = 0)
	AND NOT (` + appealed + " AND $1 IN (" + votedBefore + ") AND " + othersLeft + ")"

const (
	appealed = "EXISTS (SELECT 1 FROM reports a WHERE a.case_id = c.id AND a.kind = 'appeal')"
	// votedBefore are who voted on the item of the case: in another case about
	// it, in that which it joined as a copy, or in this one.
	votedBefore = `SELECT b.reviewer FROM votes b WHERE b.undone_at = 0
		AND (b.item_id = c.item_id OR b.case_id IN (SELECT k.case_id FROM case_copies k WHERE k.item_id = c.item_id))`
	// othersLeft is true while somebody is there who may take the case and has
	// not voted on its item. When everybody has, an appeal is better heard by
	// the same person than by nobody.
	othersLeft = `EXISTS (SELECT 1 FROM users u WHERE u.disabled_at = 0 AND (u.tenant = '' OR u.tenant = c.tenant)
		AND (u.role = 'senior' OR (u.role = 'reviewer' AND c.needs_role = '')) AND u.id NOT IN (` + votedBefore + "))"
)

// mayVote reports whether the case is open to the reviewer.
func (t *tx) mayVote(r review.Reviewer, caseID string) (bool, error) {
	var open int
	err := t.one("SELECT COUNT(*) FROM cases c WHERE "+caseOpenTo+" AND c.id = $3", args(r.ID, flag(r.Role == review.Senior), caseID), &open)
	return open == 1, err
}

// mayBeTakenBack is true of a case about an item on which somebody voted after
// since and may still take the vote back: in this case, in the one before it, or in
// that which the item joined as a copy. Nobody is given it meanwhile, since a lease
// or another vote would stand in the way.
func mayBeTakenBack(since string) string {
	return `EXISTS (SELECT 1 FROM votes y WHERE y.undone_at = 0 AND y.at > ` + since + `
		AND (y.item_id = c.item_id OR y.id IN (SELECT k.vote_id FROM case_copies k WHERE k.item_id = c.item_id)))`
}

// nextQuery picks by review.Rank; $3 is now, $4 the tenant, $5 the severity
// that is too much just now, $6 Options.Undo.
var nextQuery = `SELECT c.id FROM cases c JOIN items i ON i.id = c.item_id
	WHERE ` + caseOpenTo + ` AND c.lease_until <= $3 AND ($4 = '' OR c.tenant = $4) AND c.severity < $5 AND i.state <> 'pending'
	AND NOT ` + mayBeTakenBack("$3 - $6") + `
	AND NOT EXISTS (SELECT 1 FROM skips k WHERE k.case_id = c.id AND k.reviewer = $1 AND k.until > $3)
	ORDER BY (c.priority + 1.0) * (1.0 + CAST(CASE WHEN $3 > c.opened_at THEN $3 - c.opened_at ELSE 0 END AS DOUBLE PRECISION)
		/ CASE WHEN c.deadline_at - c.opened_at > 1000000 THEN c.deadline_at - c.opened_at ELSE 1000000 END) DESC, c.id
	LIMIT 1`

func (s *Store) nextCase(t *tx, r review.Reviewer) (c heldCase, err error) {
	err = firstOf(t, `UPDATE cases SET lease_until = $3 WHERE id =
		(SELECT id FROM cases WHERE reviewer = $1 AND state = 'open' AND lease_until > $2 ORDER BY id LIMIT 1)
		AND reviewer = $1 AND state = 'open' AND lease_until > $2 -- as the row is when its turn comes
		RETURNING `+caseReturning, args(r.ID, t.at, s.caseUntil(t)), scanCase, &c)
	if !errors.Is(err, ErrNotFound) {
		return c, err
	}
	most, err := s.mostSevere(t, r)
	if err != nil {
		return c, err
	}
	var id string
	err = t.one(nextQuery+t.lock.skipCase, args(r.ID, flag(r.Role == review.Senior), t.at, r.Tenant, most, s.options.Undo.Microseconds()), &id)
	if err != nil {
		return c, err
	}
	return s.lease(t, r, id)
}

func (s *Store) caseUntil(t *tx) int64 { return t.at + s.options.CaseLease.Microseconds() }

// mostSevere is the severity that the reviewer may not take just now.
func (s *Store) mostSevere(t *tx, r review.Reviewer) (int, error) {
	seen, err := t.exposure(r.ID, t.at)
	if err != nil {
		return 0, err
	}
	if seen.LastHour >= s.options.SevereViewsPerHour {
		return review.SevereView, nil
	}
	return 5, nil
}

// lease gives a free case to the reviewer.
func (s *Store) lease(t *tx, r review.Reviewer, caseID string) (c heldCase, err error) {
	err = firstOf(t, `UPDATE cases SET reviewer = $2, token = $3, lease_until = $4
		WHERE id = $1 AND state = 'open' AND lease_until <= $5 RETURNING `+caseReturning,
		args(caseID, r.ID, secret(18), s.caseUntil(t), t.at), scanCase, &c)
	if errors.Is(err, ErrNotFound) {
		err = ErrClaimed
	}
	return c, err
}

// ClaimCase leases one case by its id, with the same rules; the holder gets
// their own lease again. ErrClaimed, ErrDone, ErrForbidden and ErrCapped say
// why not; ErrClaimed also while a vote on the item may be taken back, and
// ErrConflict while the item waits for its verdict.
func (s *Store) ClaimCase(ctx context.Context, r review.Reviewer, caseID string) (c review.Case, l review.Lease, err error) {
	err = s.write(ctx, func(t *tx) error {
		held, err := s.claimCase(t, r, caseID)
		c, l = held.Case, leaseOf(held)
		return err
	})
	if err != nil {
		return review.Case{}, review.Lease{}, fmt.Errorf("claim case %s: %w", caseID, err)
	}
	return c, l, nil
}

func (s *Store) claimCase(t *tx, r review.Reviewer, caseID string) (heldCase, error) {
	r, err := t.mayReview(r)
	if err != nil {
		return heldCase{}, err
	}
	c, err := t.caseFor(r, caseID)
	if err != nil {
		return heldCase{}, err
	}
	if c.State == review.Closed {
		return heldCase{}, ErrDone
	}
	var state State
	if err := t.one("SELECT state FROM items WHERE id = $1", args(c.ItemID), &state); err != nil {
		return heldCase{}, err
	}
	if state == Pending { // what nobody judged has nothing yet to decide about, and no guardian's notice
		return heldCase{}, ErrConflict
	}
	if micros(c.LeaseUntil) > t.at {
		if c.Reviewer == r.ID {
			return c, nil
		}
		return heldCase{}, ErrClaimed
	}
	most, err := s.mostSevere(t, r)
	if err != nil {
		return heldCase{}, err
	}
	if c.Severity >= most {
		return heldCase{}, ErrCapped
	}
	open, err := t.mayVote(r, caseID)
	if err != nil {
		return heldCase{}, err
	}
	if !open {
		return heldCase{}, ErrForbidden
	}
	var fresh int
	err = t.one("SELECT COUNT(*) FROM cases c WHERE c.id = $1 AND "+mayBeTakenBack("$2"), args(caseID, t.at-s.options.Undo.Microseconds()), &fresh)
	if err != nil {
		return heldCase{}, err
	}
	if fresh > 0 {
		return heldCase{}, ErrClaimed
	}
	return s.lease(t, r, caseID)
}

// HeartbeatCase extends the lease; ErrLost when it is gone.
func (s *Store) HeartbeatCase(ctx context.Context, r review.Reviewer, caseID, token string) (l review.Lease, err error) {
	err = s.write(ctx, func(t *tx) error {
		until := s.caseUntil(t)
		l = review.Lease{CaseID: caseID, Token: token, Until: timeOf(until)}
		return t.held(r, caseID, token, "lease_until = $5", until)
	})
	if err != nil {
		return review.Lease{}, fmt.Errorf("extend lease of case %s: %w", caseID, err)
	}
	return l, nil
}

// held changes a case that the reviewer holds by a live lease, or gives
// ErrLost. It also locks the case for the rest of the transaction.
func (t *tx) held(r review.Reviewer, caseID, token, change string, more ...any) error {
	n, err := t.exec("UPDATE cases SET "+change+" WHERE id = $1 AND reviewer = $2 AND token = $3 AND lease_until > $4 AND state = 'open' AND token <> ''",
		append(args(caseID, r.ID, token, t.at), more...)...)
	if err == nil && n == 0 {
		err = ErrLost
	}
	return err
}

// skipFor is how long a skipped case is not given to the same person.
const skipFor = time.Hour

// ReleaseCase gives a case back. With a reason (a short fixed word) it is a
// skip: the reviewer is not given the case again for an hour.
func (s *Store) ReleaseCase(ctx context.Context, r review.Reviewer, caseID, token, reason string) error {
	err := s.write(ctx, func(t *tx) error {
		if err := t.held(r, caseID, token, "reviewer = '', token = '', lease_until = 0"); err != nil {
			return err
		}
		if reason == "" {
			return nil
		}
		_, err := t.exec(`INSERT INTO skips (case_id, reviewer, reason, until) VALUES ($1, $2, $3, $4)
			ON CONFLICT (case_id, reviewer) DO UPDATE SET reason = excluded.reason, until = excluded.until`,
			caseID, r.ID, reason, t.at+skipFor.Microseconds())
		if err != nil {
			return err
		}
		return t.auditCase(r, caseID, "case.skip", reason)
	})
	if err != nil {
		return fmt.Errorf("release case %s: %w", caseID, err)
	}
	return nil
}

// EscalateCase hands a case to a senior; it stays with seniors until it is
// closed. ErrIllegal without a reason.
func (s *Store) EscalateCase(ctx context.Context, r review.Reviewer, e review.Escalation) error {
	err := s.write(ctx, func(t *tx) error {
		if e.Reason == "" {
			return ErrIllegal
		}
		if err := t.held(r, e.CaseID, e.Token, "reviewer = '', token = '', lease_until = 0, needs_role = 'senior', escalated = $5", e.Reason); err != nil {
			return err
		}
		return t.auditCase(r, e.CaseID, "case.escalate", e.Reason)
	})
	if err != nil {
		return fmt.Errorf("escalate case %s: %w", e.CaseID, err)
	}
	return nil
}

// auditCase writes a line into the chain of the case's tenant.
func (t *tx) auditCase(r review.Reviewer, caseID, act, detail string) error {
	var tenant string
	if err := t.one("SELECT tenant FROM cases WHERE id = $1", args(caseID), &tenant); err != nil {
		return err
	}
	return t.audit(tenant, r.ID, act, caseID, detail)
}
