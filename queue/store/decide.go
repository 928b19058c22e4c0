package store

import (
	"context"
	"errors"

	"nightlight/queue/review"
)

// Decide records a vote. When it is the last one needed it closes the case,
// resolves the item exactly once, writes item.resolved for every subscribed
// endpoint, lets the waiting guardian notices go or cancels them, and writes
// the audit line, all in one transaction. ErrLost when the lease is gone or
// the case is closed, ErrForbidden for who may not vote on it.
func (s *Store) Decide(ctx context.Context, r review.Reviewer, d review.Decision) (review.Decided, error) {
	return review.Decided{}, errors.ErrUnsupported
}

// Undo takes the reviewer's newest vote on a case back within Options.Undo,
// opens the case again and leases it to them. What already went out is
// followed by an item.reversed event. ErrTooLate after the window.
func (s *Store) Undo(ctx context.Context, r review.Reviewer, caseID string) (review.Lease, error) {
	return review.Lease{}, errors.ErrUnsupported
}

// Votes lists the votes on a case, oldest first. While a second vote is
// missing a reviewer sees only their own.
func (s *Store) Votes(ctx context.Context, r review.Reviewer, caseID string) ([]review.Vote, error) {
	return nil, errors.ErrUnsupported
}
