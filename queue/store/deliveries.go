package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting   DeliveryState = "waiting"   // for a reviewer
	DeliveryPending   DeliveryState = "pending"   // due, or due later
	DeliveryDone      DeliveryState = "done"      // received
	DeliveryDead      DeliveryState = "dead"      // given up; can be replayed
	DeliveryCancelled DeliveryState = "cancelled" // a person decided against it
)

// Delivery is one effect on the world outside: an event to a webhook endpoint
// or a notice to a person. It is unique on item, policy version, effect and
// recipient, so that judging twice tells once. ID stays the same over retries.
type Delivery struct {
	ID            string
	Tenant        string
	ItemID        string
	CaseID        string
	PolicyVersion string
	// Effect is the webhook event, or "notice:" with the child it is about and
	// the text key that judging gave it; a decision may choose another letter.
	Effect string
	// Recipient is the endpoint's id, or the guardian's.
	Recipient string
	// Stage is StageDeliver or StageNotify.
	Stage    string
	Urgency  pipeline.Urgency
	State    DeliveryState
	Attempts int
	// Round counts the attempts since it was written or last replayed.
	Round int
	// Payload is the event's own part, fixed when the delivery was written;
	// it holds no word of the content.
	Payload   json.RawMessage
	CreatedAt time.Time
	DueAt     time.Time
	DoneAt    time.Time
	// Began is when a worker first took it up since it was written or last
	// replayed; the zero time when none has.
	Began time.Time
	// Endpoint is set by ClaimDelivery for a webhook event.
	Endpoint *Endpoint
	// Notice is set for a notice; Guardian too by ClaimDelivery.
	Notice   *review.Notice
	Guardian *Guardian
}

// The stages of a delivery's task.
const (
	StageDeliver = "deliver" // to a webhook endpoint
	StageNotify  = "notify"  // to a guardian or a reviewer
)

// publish writes an event for every endpoint of the tenant that wants it.
func (s *Store) publish(t *tx, d Delivery, due int64) error {
	endpoints, err := allOf(t, endpointColumns+" WHERE tenant = $1 AND disabled_at = 0 ORDER BY id", args(d.Tenant), scanEndpoint)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		if !e.Wants(d.Effect) {
			continue
		}
		d.Recipient, d.Stage, d.State = e.ID, StageDeliver, DeliveryPending
		if err := s.insertDelivery(t, d, "", due); err != nil {
			return err
		}
	}
	return nil
}

// notify writes one notice; it waits when a reviewer must confirm first.
func (s *Store) notify(t *tx, d Delivery, n review.Notice, voteID string) error {
	d.Effect = "notice:" + n.TextKey + ":" + n.Child
	d.Recipient, d.Stage, d.State, d.Urgency, d.Notice = n.Recipient, StageNotify, DeliveryPending, n.Urgency, &n
	if n.After == "review" {
		d.State = DeliveryWaiting
	}
	return s.insertDelivery(t, d, voteID, t.at)
}

// insertDelivery writes a delivery once: the same effect on the same
// recipient by the same policy changes nothing.
func (s *Store) insertDelivery(t *tx, d Delivery, voteID string, due int64) error {
	d.ID = s.newID("msg", t.at)
	queue := s.options.WebhookQueue
	notice := ""
	if d.Notice != nil {
		notice, queue = jsonOf(d.Notice), s.noticeQueue(d.Urgency)
	}
	n, err := t.exec(`INSERT INTO deliveries (id, tenant, item_id, case_id, policy_version, effect, recipient, stage, queue, urgency, state,
			payload, notice, vote_id, created_at, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (item_id, policy_version, effect, recipient) DO NOTHING`,
		d.ID, d.Tenant, d.ItemID, d.CaseID, d.PolicyVersion, d.Effect, d.Recipient, d.Stage, queue, string(d.Urgency), string(d.State),
		string(d.Payload), notice, voteID, t.at, due)
	if err != nil || n == 0 || d.State != DeliveryPending {
		return err
	}
	return t.post(SubjectDelivery, d.ID, d.Stage, queue, due)
}

// noticeQueue lets urgent letters pass the others.
func (s *Store) noticeQueue(u pipeline.Urgency) string {
	if u == pipeline.Urgent {
		return s.options.UrgentNoticeQueue
	}
	return s.options.NoticeQueue
}

const deliveryColumns = `id, tenant, item_id, case_id, policy_version, effect, recipient, stage, urgency, state, tries, attempts, payload, notice,
	created_at, due_at, done_at, began_at`

func scanDelivery(row scanner, more ...any) (d Delivery, err error) {
	var payload, notice string
	var created, due, done, began int64
	into := append([]any{&d.ID, &d.Tenant, &d.ItemID, &d.CaseID, &d.PolicyVersion, &d.Effect, &d.Recipient, &d.Stage, &d.Urgency, &d.State, &d.Attempts,
		&d.Round, &payload, &notice, &created, &due, &done, &began}, more...)
	if err := row.Scan(into...); err != nil {
		return Delivery{}, err
	}
	d.CreatedAt, d.DueAt, d.DoneAt, d.Began = timeOf(created), timeOf(due), timeOf(done), timeOf(began)
	if payload != "" {
		d.Payload = json.RawMessage(payload)
	}
	if notice != "" {
		d.Notice = &review.Notice{}
		err = json.Unmarshal([]byte(notice), d.Notice)
	}
	return d, err
}

func scanPlainDelivery(row scanner) (Delivery, error) { return scanDelivery(row) }

// Delivery returns one delivery of the tenant with its attempts.
func (s *Store) Delivery(ctx context.Context, tenant, id string) (d Delivery, tries []Attempt, err error) {
	r := s.reader(ctx)
	err = firstOf(r, "SELECT "+deliveryColumns+" FROM deliveries WHERE tenant = $1 AND id = $2", args(tenant, id), scanPlainDelivery, &d)
	if err == nil {
		tries, err = allOf(r, "SELECT at, channel, delivered, status_code, error_class, retry_in, took FROM attempts WHERE delivery_id = $1 ORDER BY n",
			args(id), scanAttempt)
	}
	if err != nil {
		return Delivery{}, nil, fmt.Errorf("read delivery %s: %w", id, err)
	}
	return d, tries, nil
}

func scanAttempt(row scanner) (a Attempt, err error) {
	var at, retry, took int64
	var delivered int
	err = row.Scan(&at, &a.Channel, &delivered, &a.StatusCode, &a.ErrorClass, &retry, &took)
	a.At, a.Delivered = timeOf(at), delivered == 1
	a.RetryIn, a.Took = time.Duration(retry)*time.Microsecond, time.Duration(took)*time.Microsecond
	return a, err
}

// Deliveries lists what went or goes to an endpoint (empty: all of the
// tenant), newest first. state narrows it when not empty.
func (s *Store) Deliveries(ctx context.Context, tenant, endpoint string, state DeliveryState, cursor string, limit int) (list []Delivery, next string, err error) {
	limit = page(limit)
	where, a := "tenant = $1 AND ($2 = '' OR recipient = $2) AND ($3 = '' OR state = $3)", args(tenant, endpoint, string(state), limit+1)
	if cursor != "" {
		id, ok := idOf(cursor, "msg")
		if !ok {
			return nil, "", fmt.Errorf("list deliveries: cursor: %w", ErrNotFound)
		}
		where, a = where+" AND id < $5", append(a, id)
	}
	list, err = allOf(s.reader(ctx), "SELECT "+deliveryColumns+" FROM deliveries WHERE "+where+" ORDER BY id DESC LIMIT $4", a, scanPlainDelivery)
	if err != nil {
		return nil, "", fmt.Errorf("list deliveries: %w", err)
	}
	if len(list) > limit {
		list = list[:limit]
		next = cursorOf(list[limit-1].ID)
	}
	return list, next, nil
}

// Replay sends a delivery that is done or dead once more, under the same id
// and with all its tries before it. An endpoint that rests is woken: whoever
// replays may know that it answers again. ErrConflict when it is neither;
// ErrDisabled when its endpoint is.
func (s *Store) Replay(ctx context.Context, tenant, id, by string) error {
	err := s.write(ctx, func(t *tx) error {
		var stage, queue, recipient string
		err := t.one(`UPDATE deliveries SET state = 'pending', due_at = $3, attempts = 0, lease_until = 0, done_at = 0, began_at = 0, put_off = 0
			WHERE tenant = $1 AND id = $2 AND state IN ('done', 'dead') AND (stage <> 'deliver' OR EXISTS
				(SELECT 1 FROM endpoints e WHERE e.tenant = deliveries.tenant AND e.id = deliveries.recipient AND e.disabled_at = 0))
			RETURNING stage, queue, recipient`, args(tenant, id, t.at), &stage, &queue, &recipient)
		if errors.Is(err, ErrNotFound) {
			return t.replayRefused(tenant, id)
		}
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE endpoints SET rest_until = 0 WHERE tenant = $1 AND id = $2 AND rest_until > 0", tenant, recipient); err != nil {
			return err
		}
		if err := t.post(SubjectDelivery, id, stage, queue, t.at); err != nil {
			return err
		}
		return t.audit(tenant, by, "delivery.replay", id, "")
	})
	if err != nil {
		return fmt.Errorf("replay delivery %s: %w", id, err)
	}
	return nil
}

func (t *tx) replayRefused(tenant, id string) error {
	var state DeliveryState
	if err := t.one("SELECT state FROM deliveries WHERE tenant = $1 AND id = $2", args(tenant, id), &state); err != nil {
		return err
	}
	if state == DeliveryDone || state == DeliveryDead {
		return ErrDisabled
	}
	return ErrConflict
}

// DueDeliveries returns the ids of deliveries that are due and not leased,
// most urgent first, for a worker that runs without a queue.
func (s *Store) DueDeliveries(ctx context.Context, limit int) ([]string, error) {
	now, err := s.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("list due deliveries: %w", err)
	}
	list, err := allOf(s.reader(ctx), `SELECT id FROM deliveries WHERE state = 'pending' AND due_at <= $1 AND lease_until <= $1
		ORDER BY CASE urgency WHEN 'urgent' THEN 0 WHEN 'soon' THEN 1 ELSE 2 END, due_at LIMIT $2`, args(now, limit), scanText)
	if err != nil {
		return nil, fmt.Errorf("list due deliveries: %w", err)
	}
	return list, nil
}

// NoticeWaits reports whether word to a guardian about the item waits for a
// reviewer.
func (s *Store) NoticeWaits(ctx context.Context, tenant, itemID string) (bool, error) {
	var waiting int
	err := s.reader(ctx).one("SELECT COUNT(*) FROM deliveries WHERE tenant = $1 AND item_id = $2 AND stage = 'notify' AND state = 'waiting'",
		args(tenant, itemID), &waiting)
	if err != nil {
		return false, fmt.Errorf("notices of item %s: %w", itemID, err)
	}
	return waiting > 0, nil
}

// WaitingNotices lists the notices about the item that wait for a reviewer.
func (s *Store) WaitingNotices(ctx context.Context, tenant, itemID string) ([]review.Notice, error) {
	list, err := s.reader(ctx).waiting(itemID)
	if err != nil {
		return nil, fmt.Errorf("notices of item %s: %w", itemID, err)
	}
	var notices []review.Notice
	for _, d := range list {
		if d.Tenant == tenant && d.Notice != nil {
			notices = append(notices, *d.Notice)
		}
	}
	return notices, nil
}

// waiting lists the deliveries about an item that wait for a reviewer.
func (t *tx) waiting(itemID string) ([]Delivery, error) {
	return allOf(t, "SELECT "+deliveryColumns+" FROM deliveries WHERE item_id = $1 AND state = 'waiting' ORDER BY id", args(itemID), scanPlainDelivery)
}
