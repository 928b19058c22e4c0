package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
	"nightlight/workers/notify"
	"nightlight/workers/webhook"
)

const (
	// deliveryLease is time to wait in line, for one try of 20 s and for
	// writing down what came of it.
	deliveryLease = time.Minute
	longestWait   = 30 * time.Second
	// oneTask is how long one task goes on with others that wait for the same
	// endpoint: the queue gives it ten minutes.
	oneTask = time.Minute
	// putOff is when what was let go from a line is due again.
	putOff = time.Minute
)

// Deliver makes one try at a webhook delivery and records what came of it, and
// then at those that wait in line for the same endpoint. The id of a delivery
// is the webhook's id over all tries, so that a receiver can tell a repeat.
func (w *Worker) Deliver(ctx context.Context, id string) error {
	began := time.Now()
	lease, err := w.Store.ClaimDelivery(ctx, id, w.Name, deliveryLease)
	if taken(err) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim delivery %s: %w", id, err)
	}
	if lease.Endpoint == nil || !lease.Endpoint.DisabledAt.IsZero() {
		// meanwhile: nothing is sent there any more
		return w.recordAttempt(ctx, lease, store.Attempt{Channel: "webhook", ErrorClass: "disabled"})
	}
	place := w.turns.enter(lease.Endpoint.ID, turn{lease, began.Add(longestWait)})
	if place == nil {
		return w.letGo(ctx, lease.Endpoint.ID)
	}
	defer place.leave()
	err = w.deliverInTurn(ctx, lease, place, began)
	place.leave()
	return errors.Join(err, w.letGo(ctx, place.endpoint))
}

// deliverInTurn makes a try, and then the next in line.
func (w *Worker) deliverInTurn(ctx context.Context, lease *store.DeliveryLease, place *place, began time.Time) error {
	for {
		if err := w.try(ctx, lease, place); err != nil {
			return err
		}
		if w.draining.Load() || time.Since(began) > oneTask {
			return nil
		}
		if lease = place.next(time.Now()); lease == nil {
			return nil
		}
		if err := w.letGo(ctx, place.endpoint); err != nil {
			return err
		}
		if err := w.renewEndpoint(ctx, lease); err != nil {
			return err
		}
		if !lease.Endpoint.DisabledAt.IsZero() {
			place.sendAway() // disabling gave them all up
			return nil
		}
	}
}

// letGo puts off what was let go from an endpoint's line, so that no sweeper
// needs to find it. When the process stops, others may have it at once.
func (w *Worker) letGo(ctx context.Context, endpoint string) error {
	after, cancel := record(ctx)
	defer cancel()
	pause := putOff
	if w.draining.Load() {
		pause = 0
	}
	for some := range slices.Chunk(w.turns.letGo(endpoint), 200) { // others write in between
		if err := w.Store.PutOff(after, some, pause); err != nil {
			return fmt.Errorf("endpoint %s: %w", endpoint, err)
		}
	}
	return nil
}

// renewEndpoint reads the endpoint of a delivery that waited: it may have been
// disabled, or have a new secret.
func (w *Worker) renewEndpoint(ctx context.Context, lease *store.DeliveryLease) error {
	e, err := w.Store.Endpoint(ctx, lease.Tenant, lease.Recipient)
	if err != nil {
		return fmt.Errorf("endpoint of delivery %s: %w", lease.ID, err)
	}
	lease.Endpoint = &e
	return nil
}

// try makes one try and records it.
func (w *Worker) try(ctx context.Context, lease *store.DeliveryLease, at *place) error {
	it, err := w.Store.Item(ctx, lease.Tenant, lease.ItemID)
	if err != nil {
		return fmt.Errorf("item of delivery %s: %w", lease.ID, err)
	}
	body, err := eventBody(lease.Delivery, it)
	if err != nil {
		return fmt.Errorf("write delivery %s: %w", lease.ID, err)
	}
	answer, err := w.Webhooks.Send(ctx, webhook.Message{ID: lease.ID, URL: lease.Endpoint.URL, Body: body, Secrets: lease.Endpoint.Secrets})
	at.heard(!errors.Is(err, webhook.ErrUnreachable))
	attempt := store.Attempt{Channel: "webhook", StatusCode: answer.Status, Took: answer.Elapsed}
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
		w.Log.Warn("a try came too late to be recorded: its lease is lost, or the delivery has ended", "delivery", lease.ID, "channel", a.Channel, "delivered", a.Delivered)
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
	case errors.Is(err, notify.ErrNoChannel):
		return "no_channel"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "unreachable"
}
