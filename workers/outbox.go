package workers

import (
	"context"

	"nightlight/queue"
	"nightlight/queue/store"
)

// Outbox lets the relay empty the database's outbox.
type Outbox struct{ Store *store.Store }

// TakeOutbox implements queue.Outbox.
func (o Outbox) TakeOutbox(ctx context.Context, limit int) ([]queue.Outgoing, error) {
	tasks, err := o.Store.PendingTasks(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]queue.Outgoing, len(tasks))
	for i, t := range tasks {
		out[i] = queue.Outgoing{ID: t.ID, Task: queue.Task{Subject: t.Ref, Stage: queue.Stage(t.Stage), Queue: t.Queue, Sends: t.Generation}}
	}
	return out, nil
}

// MarkSent implements queue.Outbox.
func (o Outbox) MarkSent(ctx context.Context, ids []int64) error {
	return o.Store.MarkSent(ctx, ids)
}
