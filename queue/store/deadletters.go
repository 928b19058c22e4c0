package store

import (
	"context"
	"errors"
	"time"
)

// DeadLetter is a task that the queue gave up on.
type DeadLetter struct {
	ID     int64
	TaskID string
	Kind   string
	Reason string // a short fixed word or error class, never content
	At     time.Time
}

// Bury keeps a task that the queue gave up on.
func (s *Store) Bury(ctx context.Context, taskID, kind, reason string) error {
	return errors.ErrUnsupported
}

// DeadLetters lists them, newest first.
func (s *Store) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	return nil, errors.ErrUnsupported
}
