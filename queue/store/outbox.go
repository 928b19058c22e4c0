package store

import (
	"context"
	"fmt"
	"slices"
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
	Stage   string // judge, render, deliver or notify
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
	return fmt.Sprintf("%s:%s#%d", t.Ref, t.Stage, t.Generation)
}

// relayLease is how long a relay may hold rows before another takes them.
const relayLease = 5 * time.Second

// post writes an outbox row, or makes one that is there go out again.
func (t *tx) post(subject Subject, ref, stage, queue string, due int64) error {
	_, err := t.exec(`INSERT INTO outbox (subject, ref, stage, queue, due_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (ref, stage) DO UPDATE SET due_at = excluded.due_at, sent_at = 0, claimed_until = 0, generation = outbox.generation + 1`,
		string(subject), ref, stage, queue, due)
	t.woke = t.woke || due <= t.at
	return err
}

// unpost removes the outbox rows of what has ended.
func (t *tx) unpost(ref string) error {
	_, err := t.exec("DELETE FROM outbox WHERE ref = $1", ref)
	return err
}

func scanTask(row scanner) (k Task, err error) {
	err = row.Scan(&k.ID, &k.Subject, &k.Ref, &k.Stage, &k.Queue, &k.Generation)
	return k, err
}

// PendingTasks claims up to limit outbox rows that are due, for this relay
// alone and for 5 s; rows that are not marked sent by then come again.
func (s *Store) PendingTasks(ctx context.Context, limit int) ([]Task, error) {
	list, err := s.pendingTasks(ctx, limit)
	if err != nil {
		return nil, fmt.Errorf("take from outbox: %w", err)
	}
	return list, nil
}

func (s *Store) pendingTasks(ctx context.Context, limit int) (list []Task, err error) {
	// a look that takes no lock spares the writer when there is nothing
	var any int
	err = s.reader(ctx).one("SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE sent_at = 0 LIMIT 1) AS w", nil, &any)
	if err != nil || any == 0 {
		return nil, err
	}
	err = s.write(ctx, func(t *tx) error {
		list, err = allOf(t, `UPDATE outbox SET claimed_until = $2 WHERE id IN
			(SELECT id FROM outbox WHERE sent_at = 0 AND due_at <= $1 AND claimed_until <= $1 ORDER BY due_at, id LIMIT $3`+t.lock.skip+`)
			RETURNING id, subject, ref, stage, queue, generation`, args(t.at, t.at+relayLease.Microseconds(), limit), scanTask)
		return err
	})
	return list, err
}

// MarkSent records that the tasks with these outbox ids are in the queue.
func (s *Store) MarkSent(ctx context.Context, sent []int64) error {
	err := s.write(ctx, func(t *tx) error {
		for some := range slices.Chunk(sent, 100) {
			if err := t.markSent(some); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark tasks as sent: %w", err)
	}
	return nil
}

// markSent marks only rows that a relay still holds: one that was posted anew
// meanwhile must go out again. It fills the list up to a round length, so that
// few statements serve every length.
func (t *tx) markSent(sent []int64) error {
	width := 1
	for width < len(sent) {
		width *= 2
	}
	a := make([]any, 0, width+1)
	for i := range width {
		a = append(a, sent[min(i, len(sent)-1)])
	}
	a = append(a, t.at)
	_, err := t.exec(fmt.Sprintf("UPDATE outbox SET sent_at = $%d, claimed_until = 0 WHERE sent_at = 0 AND claimed_until > 0 AND id IN %s", width+1, places(1, width)), a...)
	return err
}

// Sweep lets go out again what was sent more than after ago and has not ended
// while nobody holds a live lease on it: at once what a worker dropped, and at
// growing distances what still waits in the queue. It also writes the outbox
// rows that pending work has lost. It returns how many tasks go out again.
func (s *Store) Sweep(ctx context.Context, after time.Duration) (n int, err error) {
	unrendered, err := s.unrendered(ctx)
	if err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	err = s.write(ctx, func(t *tx) error {
		n = len(unrendered)
		for _, id := range unrendered {
			if err := t.render(id, t.at); err != nil {
				return err
			}
		}
		for _, query := range [...]string{sweepItems, sweepRenditions, sweepDeliveries, restoreItems, restoreDeliveries} {
			more, err := t.exec(query, t.at, after.Microseconds())
			if err != nil {
				return err
			}
			n += more
		}
		t.woke = n > 0
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	return n, nil
}

// The five parts of a sweep; $1 is now, $2 how long a task may be away.
const (
	sweepItems = `UPDATE outbox SET sent_at = 0, claimed_until = 0, due_at = CAST($1 AS BIGINT), generation = generation + 1
		WHERE subject = 'item' AND sent_at > 0 AND sent_at <= CAST($1 AS BIGINT) - CAST($2 AS BIGINT)
		AND EXISTS (SELECT 1 FROM items i WHERE i.id = outbox.ref AND i.state = 'pending' AND i.lease_until <= CAST($1 AS BIGINT)
			AND (i.lease_until > outbox.sent_at OR outbox.sent_at <= CAST($1 AS BIGINT) - CAST($2 AS BIGINT) * 2 * (outbox.generation + 1)))`
	// nobody holds a lease while rendering, which can take minutes; a second time is a no-op
	sweepRenditions = `UPDATE outbox SET sent_at = 0, claimed_until = 0, due_at = CAST($1 AS BIGINT), generation = generation + 1
		WHERE stage = 'render' AND sent_at > 0 AND sent_at <= CAST($1 AS BIGINT) - CAST($2 AS BIGINT) * 12 * (generation + 1)`
	sweepDeliveries = `UPDATE outbox SET sent_at = 0, claimed_until = 0, due_at = CAST($1 AS BIGINT), generation = generation + 1
		WHERE subject = 'delivery' AND sent_at > 0 AND sent_at <= CAST($1 AS BIGINT) - CAST($2 AS BIGINT)
		AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = outbox.ref AND d.state = 'pending' AND d.due_at <= CAST($1 AS BIGINT) AND d.lease_until <= CAST($1 AS BIGINT)
			AND (d.lease_until > outbox.sent_at OR outbox.sent_at <= CAST($1 AS BIGINT) - CAST($2 AS BIGINT) * 2 * (outbox.generation + 1)))`
	restoreItems = `INSERT INTO outbox (subject, ref, stage, queue, due_at)
		SELECT 'item', i.id, i.stage, i.queue, CAST($1 AS BIGINT) FROM items i
		WHERE i.ending = '' AND i.state = 'pending' AND i.received_at <= CAST($1 AS BIGINT) - CAST($2 AS BIGINT) AND i.lease_until <= CAST($1 AS BIGINT)
		AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.ref = i.id)
		ON CONFLICT (ref, stage) DO NOTHING`
	restoreDeliveries = `INSERT INTO outbox (subject, ref, stage, queue, due_at)
		SELECT 'delivery', d.id, d.stage, d.queue, CAST($1 AS BIGINT) FROM deliveries d
		WHERE d.state = 'pending' AND d.due_at <= CAST($1 AS BIGINT) - CAST($2 AS BIGINT) AND d.lease_until <= CAST($1 AS BIGINT)
		AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.ref = d.id)
		ON CONFLICT (ref, stage) DO NOTHING`
)

// OutboxDepth counts outbox rows that wait to be sent, and those sent and not
// ended.
func (s *Store) OutboxDepth(ctx context.Context) (waiting, sent int, err error) {
	r := s.reader(ctx)
	err = r.one("SELECT COUNT(*) FROM outbox WHERE sent_at = 0", nil, &waiting)
	if err == nil {
		err = r.one("SELECT COUNT(*) FROM outbox WHERE sent_at > 0", nil, &sent)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("measure outbox: %w", err)
	}
	return waiting, sent, nil
}
