package store

import (
	"context"
	"fmt"
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
	err := s.write(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO dead_letters (task_id, kind, reason, at) VALUES ($1, $2, $3, $4)", taskID, kind, reason, t.at)
		return err
	})
	if err != nil {
		return fmt.Errorf("bury task %s: %w", taskID, err)
	}
	return nil
}

// DeadLetters lists them, newest first.
func (s *Store) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	list, err := allOf(s.reader(ctx), "SELECT id, task_id, kind, reason, at FROM dead_letters ORDER BY id DESC LIMIT $1", args(page(limit)),
		func(row scanner) (d DeadLetter, err error) {
			var at int64
			err = row.Scan(&d.ID, &d.TaskID, &d.Kind, &d.Reason, &at)
			d.At = timeOf(at)
			return d, err
		})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return list, nil
}
