package store

import (
	"context"
	"encoding/json"
	"errors"
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
	// Effect is the webhook event, or "notice." and the notice's text key.
	Effect string
	// Recipient is the endpoint's id, or the guardian's.
	Recipient string
	Urgency   pipeline.Urgency
	State     DeliveryState
	Attempts  int
	// Payload is the event's own part, fixed when the delivery was written;
	// it holds no word of the content.
	Payload   json.RawMessage
	CreatedAt time.Time
	DueAt     time.Time
	DoneAt    time.Time
	// Endpoint is set by ClaimDelivery for a webhook event.
	Endpoint *Endpoint
	// Notice is set for a notice; Guardian too by ClaimDelivery.
	Notice   *review.Notice
	Guardian *Guardian
}

// DeliveryLease is a worker's hold on a delivery.
type DeliveryLease struct {
	Delivery
	Worker string
	Fence  int
	Until  time.Time
}

// Attempt is one try at a delivery.
type Attempt struct {
	At         time.Time // set by the store
	Channel    string    // webhook, mail, log
	Delivered  bool
	StatusCode int
	// ErrorClass is a short fixed word such as timeout, refused, status,
	// redirect or tls; never the receiver's words.
	ErrorClass string
	// RetryIn is when to try again; 0 with Delivered false means give up.
	RetryIn time.Duration
	Took    time.Duration
}

// ClaimDelivery takes a delivery for a while. ErrClaimed, ErrDone (received,
// dead or cancelled, or its endpoint is disabled) and ErrNotFound as for
// Claim; ErrConflict when it is not due yet or still waits for a reviewer.
func (s *Store) ClaimDelivery(ctx context.Context, id, worker string, lease time.Duration) (*DeliveryLease, error) {
	return nil, errors.ErrUnsupported
}

// RecordAttempt writes what a try gave and returns where the delivery stands:
// done, pending again, or dead after Options.MaxDeliveries or without RetryIn.
// A dead notice to a guardian opens a case: it is never dropped.
func (s *Store) RecordAttempt(ctx context.Context, l *DeliveryLease, a Attempt) (DeliveryState, error) {
	return "", errors.ErrUnsupported
}

// Delivery returns one delivery of the tenant with its attempts.
func (s *Store) Delivery(ctx context.Context, tenant, id string) (Delivery, []Attempt, error) {
	return Delivery{}, nil, errors.ErrUnsupported
}

// Deliveries lists what went or goes to an endpoint (empty: all of the
// tenant), newest first. state narrows it when not empty.
func (s *Store) Deliveries(ctx context.Context, tenant, endpoint string, state DeliveryState, cursor string, limit int) (list []Delivery, next string, err error) {
	return nil, "", errors.ErrUnsupported
}

// Replay sends a delivery that is done or dead once more, under the same id.
func (s *Store) Replay(ctx context.Context, tenant, id, by string) error {
	return errors.ErrUnsupported
}

// DueDeliveries returns the ids of deliveries that are due and not leased,
// most urgent first, for a worker that runs without a queue.
func (s *Store) DueDeliveries(ctx context.Context, limit int) ([]string, error) {
	return nil, errors.ErrUnsupported
}
