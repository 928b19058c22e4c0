package store

import (
	"context"
	"errors"

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
func (s *Store) Commit(ctx context.Context, l *Lease, o Outcome) (Committed, error) {
	return Committed{}, errors.ErrUnsupported
}
