package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"nightlight/queue/store"
	"nightlight/workers/webhook"
)

// deliveryLease is longer than one try of any channel.
const deliveryLease = 45 * time.Second

// Deliver makes one try at a webhook delivery and records what came of it.
// The id of the delivery is the webhook's id over all tries, so that a
// receiver can tell a repeat.
func (w *Worker) Deliver(ctx context.Context, id string) error {
	lease, err := w.Store.ClaimDelivery(ctx, id, w.Name, deliveryLease)
	if taken(err) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim delivery %s: %w", id, err)
	}
	attempt := store.Attempt{Channel: "webhook"}
	body, err := eventBody(lease.Delivery)
	if err != nil || lease.Endpoint == nil {
		attempt.ErrorClass = "unreadable"
		return w.recordAttempt(ctx, lease, attempt)
	}
	answer, err := w.Webhooks.Send(ctx, webhook.Message{ID: lease.ID, URL: lease.Endpoint.URL, Body: body, Secrets: lease.Endpoint.Secrets})
	attempt.StatusCode, attempt.Took = answer.Status, answer.Elapsed
	switch {
	case err == nil:
		attempt.Delivered = true
	case errors.Is(err, webhook.ErrGone):
		attempt.ErrorClass = "gone"
		after, cancel := record(ctx)
		defer cancel()
		if err := w.Store.DisableEndpoint(after, lease.Tenant, lease.Endpoint.ID, "gone", w.Name); err != nil {
			return fmt.Errorf("disable endpoint %s: %w", lease.Endpoint.ID, err)
		}
	default:
		attempt.ErrorClass = errorClass(err)
		attempt.RetryIn, _ = webhook.Pause(lease.Attempts + 1)
	}
	return w.recordAttempt(ctx, lease, attempt)
}

func (w *Worker) recordAttempt(ctx context.Context, lease *store.DeliveryLease, a store.Attempt) error {
	after, cancel := record(ctx)
	defer cancel()
	state, err := w.Store.RecordAttempt(after, lease, a)
	if errors.Is(err, store.ErrLost) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record attempt of delivery %s: %w", lease.ID, err)
	}
	w.metrics.deliveries.WithLabelValues(a.Channel, string(state)).Inc()
	return nil
}

// event is the body of a webhook: the type, the time, and what GET
// /v1/items/{id} would say without the content.
type event struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

func eventBody(d store.Delivery) ([]byte, error) {
	return json.Marshal(event{d.Effect, d.CreatedAt.UTC(), d.Payload})
}

func errorClass(err error) string {
	switch {
	case errors.Is(err, webhook.ErrAddress):
		return "address"
	case errors.Is(err, webhook.ErrRefused):
		return "status"
	case errors.Is(err, webhook.ErrSecret):
		return "secret"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "unreachable"
}
