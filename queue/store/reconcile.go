package store

import (
	"context"
	"fmt"
	"time"
)

// Ledger is what Reconcile found.
type Ledger struct {
	Accepted int            `json:"accepted"`
	InFlight map[State]int  `json:"in_flight"`
	Ended    map[Ending]int `json:"ended"`
	// Differences is empty when all is well.
	Differences []Difference `json:"differences"`
	// Dead counts deliveries that were given up and dead letters; they need
	// a person, yet are no difference.
	DeadDeliveries int `json:"dead_deliveries"`
	DeadLetters    int `json:"dead_letters"`
}

// Well reports whether accepted = ended + in flight and nothing differs.
func (l Ledger) Well() bool {
	n := 0
	for _, c := range l.InFlight {
		n += c
	}
	for _, c := range l.Ended {
		n += c
	}
	return n == l.Accepted && len(l.Differences) == 0
}

// Difference is one thing that should not be.
type Difference struct {
	What   string `json:"what"` // such as orphan_item, duplicate_effect, verdict_without_end
	ItemID string `json:"item_id"`
}

// Reconcile counts items by state and end and looks for orphans (no verdict,
// no task, older than age), items tried without end, duplicate effects,
// verdicts without an end, ends without a verdict, reviews without a case and
// notices that wait for a case which nobody opened.
func (s *Store) Reconcile(ctx context.Context, age time.Duration) (Ledger, error) {
	l, err := s.reconcile(ctx, age)
	if err != nil {
		return Ledger{}, fmt.Errorf("reconcile: %w", err)
	}
	return l, nil
}

// differences are the things that should not be. Each query gives item ids;
// $1 is the time before which an item must have moved on.
var differences = [...]struct{ what, query string }{
	{"orphan_item", `SELECT i.id FROM items i WHERE i.state = 'pending' AND i.ending = '' AND i.received_at <= $1 AND i.lease_until <= $1
		AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.ref = i.id)`},
	// Options.MaxAttempts should have ended it long ago
	{"tried_too_often", `SELECT i.id FROM items i WHERE i.state = 'pending' AND i.spent > 20 AND i.received_at <= $1`},
	{"verdict_without_end", `SELECT i.id FROM items i JOIN verdicts v ON v.item_id = i.id
		WHERE i.state IN ('pending', 'judged') AND v.decided_at <= $1`},
	{"judged_and_stuck", `SELECT i.id FROM items i WHERE i.state = 'judged' AND i.received_at <= $1`},
	{"end_without_verdict", `SELECT i.id FROM items i WHERE i.ending NOT IN ('', 'erased') AND i.received_at <= $1
		AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.item_id = i.id)`},
	{"review_without_case", `SELECT i.id FROM items i WHERE i.state = 'in_review' AND i.received_at <= $1
		AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.item_id = i.id AND c.state = 'open')
		AND NOT EXISTS (SELECT 1 FROM case_copies k JOIN cases c ON c.id = k.case_id WHERE k.item_id = i.id AND c.state = 'open')`},
	{"notice_without_case", `SELECT DISTINCT d.item_id FROM deliveries d WHERE d.state = 'waiting' AND d.created_at <= $1
		AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.item_id = d.item_id AND c.state = 'open')
		AND NOT EXISTS (SELECT 1 FROM case_copies k JOIN cases c ON c.id = k.case_id WHERE k.item_id = d.item_id AND c.state = 'open')`},
	{"resolved_without_decision", `SELECT i.id FROM items i WHERE i.ending = 'resolved' AND i.received_at <= $1
		AND NOT EXISTS (SELECT 1 FROM votes v WHERE v.item_id = i.id AND v.undone_at = 0 AND v.closed_case = 1)
		AND NOT EXISTS (SELECT 1 FROM case_copies k JOIN votes v ON v.id = k.vote_id WHERE k.item_id = i.id AND v.undone_at = 0 AND v.closed_case = 1)`},
	{"duplicate_effect", `SELECT d.item_id FROM deliveries d WHERE d.created_at <= $1
		GROUP BY d.item_id, d.policy_version, d.effect, d.recipient HAVING COUNT(*) > 1`},
	{"delivery_without_task", `SELECT d.item_id FROM deliveries d WHERE d.state = 'pending' AND d.due_at <= $1 AND d.lease_until <= $1
		AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.ref = d.id)`},
	{"content_without_key", `SELECT i.id FROM items i WHERE i.purged_at = 0 AND i.received_at <= $1
		AND NOT EXISTS (SELECT 1 FROM item_secrets k WHERE k.item_id = i.id)`},
	{"key_of_purged_item", `SELECT i.id FROM items i JOIN item_secrets k ON k.item_id = i.id WHERE i.purged_at > 0 AND i.received_at <= $1`},
}

func (s *Store) reconcile(ctx context.Context, age time.Duration) (l Ledger, err error) {
	now, err := s.now(ctx)
	if err != nil {
		return l, err
	}
	r := s.reader(ctx)
	l = Ledger{InFlight: map[State]int{}, Ended: map[Ending]int{}, Differences: []Difference{}}
	// one statement, so that all counts are of one moment
	err = r.each("SELECT state, ending, COUNT(*), (SELECT COUNT(*) FROM items) FROM items GROUP BY state, ending", nil, func(row scanner) error {
		var state State
		var ending Ending
		var n int
		err := row.Scan(&state, &ending, &n, &l.Accepted)
		if ending == "" {
			l.InFlight[state] += n
		} else {
			l.Ended[ending] += n
		}
		return err
	})
	if err != nil {
		return l, err
	}
	for _, d := range differences {
		items, err := allOf(r, d.query, args(now-age.Microseconds()), scanText)
		if err != nil {
			return l, fmt.Errorf("%s: %w", d.what, err)
		}
		for _, id := range items {
			l.Differences = append(l.Differences, Difference{What: d.what, ItemID: id})
		}
	}
	if err := r.one("SELECT COUNT(*) FROM deliveries WHERE state = 'dead'", nil, &l.DeadDeliveries); err != nil {
		return l, err
	}
	return l, r.one("SELECT COUNT(*) FROM dead_letters", nil, &l.DeadLetters)
}
