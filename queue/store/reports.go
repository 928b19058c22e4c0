package store

import (
	"context"
	"errors"

	"nightlight/queue/review"
)

// Report attaches a flag to the item's open case, or opens one. The same
// reporter flags an item once: the second time returns the same case.
func (s *Store) Report(ctx context.Context, r review.Report) (caseID string, err error) {
	return "", errors.ErrUnsupported
}

// Appeal asks for another look at a verdict. ErrConflict when the item has no
// verdict yet; the same person's second appeal returns the same case.
func (s *Store) Appeal(ctx context.Context, a review.Appeal) (caseID string, err error) {
	return "", errors.ErrUnsupported
}

// Note is what a reporter or an appellant wrote.
type Note struct {
	Kind  review.Kind // report or appeal
	By    string
	Label string
	Text  string
}

// Notes opens the reports and appeals of a case.
func (s *Store) Notes(ctx context.Context, r review.Reviewer, caseID string) ([]Note, error) {
	return nil, errors.ErrUnsupported
}
