package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Subject says what a Task is about.
type Subject string

// The subjects: Ref is an item's id or a delivery's.
const (
	SubjectItem     Subject = "item"
	SubjectDelivery Subject = "delivery"
)

// Task is an outbox row: something that a worker must be woken for.
type Task struct {
	ID      int64
	Subject Subject
	Ref     string // id of the item or delivery
	Stage   string // judge, webhook, notice
	Queue   string
	// Generation grows each time the row goes out again, so that a task that
	// the queue lost but still knows does not swallow its successor.
	Generation int
}

// TaskID is ref:stage, with the generation behind it from the second time on.
func (t Task) TaskID() string {
	if t.Generation == 0 {
		return t.Ref + ":" + t.Stage
	}
	return fmt.Sprintf("%s:%s:%d", t.Ref, t.Stage, t.Generation)
}

// PendingTasks claims up to limit outbox rows that are due, for this relay
// alone and for 5 s; rows that are not marked sent by then come again.
func (s *Store) PendingTasks(ctx context.Context, limit int) ([]Task, error) {
	return nil, errors.ErrUnsupported
}

// MarkSent records that the tasks are in the queue.
func (s *Store) MarkSent(ctx context.Context, tasks []Task) error { return errors.ErrUnsupported }

// Sweep lets go out again what was sent more than after ago and has not ended
// while nobody holds a live lease on it. It returns how many.
func (s *Store) Sweep(ctx context.Context, after time.Duration) (int, error) {
	return 0, errors.ErrUnsupported
}

// OutboxDepth counts outbox rows that wait to be sent, and those sent and not
// ended.
func (s *Store) OutboxDepth(ctx context.Context) (waiting, sent int, err error) {
	return 0, 0, errors.ErrUnsupported
}
