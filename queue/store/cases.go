package store

import (
	"context"
	"errors"

	"nightlight/queue/review"
)

// NextCase gives the reviewer the open case that ranks highest and leases it
// to them: their own live lease first, never one that they voted on, skipped
// or may not take, nothing severe once they saw Options.SevereViewsPerHour.
// ErrNotFound when there is none, ErrForbidden for who may not review.
func (s *Store) NextCase(ctx context.Context, r review.Reviewer) (review.Case, review.Lease, error) {
	return review.Case{}, review.Lease{}, errors.ErrUnsupported
}

// ClaimCase leases one case by its id, with the same rules.
func (s *Store) ClaimCase(ctx context.Context, r review.Reviewer, caseID string) (review.Case, review.Lease, error) {
	return review.Case{}, review.Lease{}, errors.ErrUnsupported
}

// HeartbeatCase extends the lease; ErrLost when it is gone.
func (s *Store) HeartbeatCase(ctx context.Context, r review.Reviewer, caseID, token string) (review.Lease, error) {
	return review.Lease{}, errors.ErrUnsupported
}

// ReleaseCase gives a case back. With a reason (a short fixed word) it is a
// skip: the reviewer is not given the case again for an hour.
func (s *Store) ReleaseCase(ctx context.Context, r review.Reviewer, caseID, token, reason string) error {
	return errors.ErrUnsupported
}

// EscalateCase hands a case to a senior.
func (s *Store) EscalateCase(ctx context.Context, r review.Reviewer, e review.Escalation) error {
	return errors.ErrUnsupported
}

// Case returns one case in the reviewer's scope.
func (s *Store) Case(ctx context.Context, r review.Reviewer, caseID string) (review.Case, error) {
	return review.Case{}, errors.ErrUnsupported
}

// CaseFilter narrows a list of cases.
type CaseFilter struct {
	State  review.State
	Kind   review.Kind
	ItemID string
	Cursor string
	Limit  int // at most 1,000, default 100
}

// Cases lists cases in the reviewer's scope, newest first.
func (s *Store) Cases(ctx context.Context, r review.Reviewer, f CaseFilter) (list []review.Case, next string, err error) {
	return nil, "", errors.ErrUnsupported
}

// CaseCounts is the overview of the queue in the reviewer's scope.
func (s *Store) CaseCounts(ctx context.Context, r review.Reviewer) (review.Counts, error) {
	return review.Counts{}, errors.ErrUnsupported
}

// View writes the audit line for looking at what (such as "original",
// "frame") of a case's item, and counts a severe one. Call it before anything
// is shown; when it fails, show nothing. token must be the reviewer's live
// lease, or empty for an auditor or a senior.
func (s *Store) View(ctx context.Context, r review.Reviewer, caseID, token, what string) error {
	return errors.ErrUnsupported
}

// Exposure is how much severe material a reviewer looked at.
type Exposure struct{ LastHour, LastDay int }

// Exposure counts a reviewer's severe views.
func (s *Store) Exposure(ctx context.Context, reviewer string) (Exposure, error) {
	return Exposure{}, errors.ErrUnsupported
}
