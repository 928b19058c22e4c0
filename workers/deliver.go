package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"nightlight/pipeline"
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
	if lease.Endpoint == nil || !lease.Endpoint.DisabledAt.IsZero() {
		attempt.ErrorClass = "disabled" // meanwhile: nothing is sent there any more
		return w.recordAttempt(ctx, lease, attempt)
	}
	it, err := w.Store.Item(ctx, lease.Tenant, lease.ItemID)
	if err != nil {
		return fmt.Errorf("item of delivery %s: %w", id, err)
	}
	body, err := eventBody(lease.Delivery, it)
	if err != nil {
		return fmt.Errorf("write delivery %s: %w", id, err)
	}
	answer, err := w.Webhooks.Send(ctx, webhook.Message{ID: lease.ID, URL: lease.Endpoint.URL, Body: body, Secrets: lease.Endpoint.Secrets})
	attempt.StatusCode, attempt.Took = answer.Status, answer.Elapsed
	switch {
	case err == nil:
		attempt.Delivered = true
	case errors.Is(err, webhook.ErrGone):
		attempt.ErrorClass = "gone"
	default:
		attempt.ErrorClass = errorClass(err)
		attempt.RetryIn, _ = webhook.Pause(lease.Round + 1)
	}
	if err := w.recordAttempt(ctx, lease, attempt); err != nil || attempt.ErrorClass != "gone" {
		return err
	}
	return w.disable(ctx, lease.Endpoint) // after the attempt: it gives up all that is still on its way
}

// disable stops deliveries to an endpoint that is gone. Another delivery may
// have done so already.
func (w *Worker) disable(ctx context.Context, e *store.Endpoint) error {
	after, cancel := record(ctx)
	defer cancel()
	if err := w.Store.DisableEndpoint(after, e.Tenant, e.ID, "gone", w.Name); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("disable endpoint %s: %w", e.ID, err)
	}
	return nil
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

// event is the body of a webhook: what happened, when, and where the item
// stands. It holds no word of the content and none of the signals, which are
// many; GET /v1/items/{id} gives them.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      eventData `json:"data"`
}

type eventData struct {
	ID             string                  `json:"id"`
	ExternalID     string                  `json:"external_id,omitempty"`
	ConversationID string                  `json:"conversation_id,omitempty"`
	State          store.State             `json:"state"`
	Action         pipeline.Action         `json:"action"`
	Labels         []pipeline.LabelScore   `json:"labels"`
	Interventions  []pipeline.Intervention `json:"interventions"`
	PolicyVersion  string                  `json:"policy_version"`
	CaseID         string                  `json:"case_id,omitempty"`
	// Decision is a person's, for item.resolved and item.reversed.
	Decision json.RawMessage `json:"decision,omitempty"`
}

func eventBody(d store.Delivery, it store.Item) ([]byte, error) {
	data := eventData{ID: it.ID, ExternalID: it.ExternalID, ConversationID: it.ConversationID, State: it.State, Action: it.Action,
		Labels: []pipeline.LabelScore{}, Interventions: []pipeline.Intervention{}, CaseID: it.CaseID, Decision: d.Payload}
	if v := it.Verdict; v != nil {
		data.Labels, data.Interventions, data.PolicyVersion = v.Labels, v.Interventions, v.PolicyVersion
	}
	return json.Marshal(event{d.Effect, d.CreatedAt.UTC(), data})
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
