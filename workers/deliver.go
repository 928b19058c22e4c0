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
	// receiver: the queue gives it ten minutes.
	oneTask = time.Minute
	// What was not tried is put off for shortestPause at first, and at last for
	// longestPause.
	shortestPause, longestPause = time.Minute, time.Hour
	// broughtForward is how many that were put off follow one that was answered,
	// as long as few wait in line.
	broughtForward = 50
)

// Deliver makes one try at a webhook delivery and records what came of it, and
// then at those that wait in line for the same tenant's endpoints. The id of a
// delivery is the webhook's id over all tries, so that a receiver can tell a
// repeat. An endpoint that does not answer rests, in all processes at once, and
// is tried by one delivery each time until it does.
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
	if lease.Rests {
		return w.putOff(ctx, lease)
	}
	place := w.turns.enter(lease.Tenant, lease.Endpoint.ID, turn[*store.DeliveryLease]{lease, began.Add(longestWait)})
	if place == nil {
		return w.putOff(ctx, w.turns.letGo(lease.Tenant)...)
	}
	defer place.leave()
	err = w.deliverInTurn(ctx, lease, place, began)
	place.leave()
	return errors.Join(err, w.putOff(ctx, w.turns.letGo(place.tenant)...))
}

// deliverInTurn makes a try, and then the next in line.
func (w *Worker) deliverInTurn(ctx context.Context, lease *store.DeliveryLease, place *place[*store.DeliveryLease], began time.Time) error {
	for {
		if err := w.try(ctx, lease, place); err != nil {
			return err
		}
		if w.draining.Load() || time.Since(began) > oneTask {
			return nil
		}
		var err error
		if lease, err = w.nextInLine(ctx, place); err != nil || lease == nil {
			return err
		}
	}
}

// nextInLine returns the next delivery whose endpoint may be tried still; nil
// when there is none.
func (w *Worker) nextInLine(ctx context.Context, place *place[*store.DeliveryLease]) (*store.DeliveryLease, error) {
	for {
		lease, ok := place.next(time.Now())
		if err := w.putOff(ctx, w.turns.letGo(place.tenant)...); err != nil || !ok {
			return nil, err
		}
		if err := w.renewEndpoint(ctx, lease); err != nil {
			return nil, err
		}
		switch {
		case !lease.Endpoint.DisabledAt.IsZero():
			place.sendAway() // disabling gave them all up
		case lease.Endpoint.Silent > 0: // as another process found out
			place.silent()
			if err := w.putOff(ctx, lease); err != nil {
				return nil, err
			}
		default:
			return lease, nil
		}
	}
}

// putOff gives back what nobody tried, so that no sweeper needs to find it. Each
// time a delivery waits as long again as it has waited already, from a minute to
// an hour, and no shorter than its endpoint rests. One that has waited for as
// long as all tries take is given up. When the process stops, others may have
// what it had at once.
func (w *Worker) putOff(ctx context.Context, leases ...*store.DeliveryLease) error {
	var later []store.Later
	var failed error
	for _, l := range leases {
		age := ageOf(l, deliveryLease)
		switch {
		case w.draining.Load():
			later = append(later, store.Later{Lease: l})
		case age >= webhook.Lasting():
			failed = errors.Join(failed, w.recordAttempt(ctx, l, store.Attempt{Channel: "webhook", ErrorClass: "expired"}))
		default:
			later = append(later, store.Later{Lease: l, After: max(pauseAt(age), restAfter(l.Endpoint.Silent))})
		}
	}
	return errors.Join(failed, w.giveBack(ctx, later))
}

// giveBack writes down what is put off.
func (w *Worker) giveBack(ctx context.Context, later []store.Later) error {
	after, cancel := record(ctx)
	defer cancel()
	for some := range slices.Chunk(later, 200) { // others write in between
		if err := w.Store.PutOff(after, some); err != nil {
			return err
		}
	}
	return nil
}

// ageOf is how long before it was claimed a delivery was first taken up.
func ageOf(l *store.DeliveryLease, lease time.Duration) time.Duration {
	return l.Until.Add(-lease).Sub(l.Began)
}

// retryIn is the pause before a delivery's next try, of which the last comes when
// the time that is left is over.
func retryIn(l *store.DeliveryLease, left time.Duration) time.Duration {
	pause, _ := webhook.Pause(l.Round + 1)
	return min(pause, max(left, 0))
}

// pauseAt is how long what has waited for age waits again.
func pauseAt(age time.Duration) time.Duration {
	return min(max(age, shortestPause), longestPause)
}

// restAfter is how long a receiver is left alone that did not answer n times
// running: 1, 2, 4 … 60 minutes.
func restAfter(n int) time.Duration {
	return min(shortestPause<<min(max(n-1, 0), 6), longestPause)
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
func (w *Worker) try(ctx context.Context, lease *store.DeliveryLease, at *place[*store.DeliveryLease]) error {
	it, err := w.Store.Item(ctx, lease.Tenant, lease.ItemID)
	if err != nil {
		return fmt.Errorf("item of delivery %s: %w", lease.ID, err)
	}
	body, err := eventBody(lease.Delivery, it)
	if err != nil {
		return fmt.Errorf("write delivery %s: %w", lease.ID, err)
	}
	answer, err := w.Webhooks.Send(ctx, webhook.Message{ID: lease.ID, URL: lease.Endpoint.URL, Body: body, Secrets: lease.Endpoint.Secrets})
	attempt := store.Attempt{Channel: "webhook", StatusCode: answer.Status, Took: answer.Elapsed}
	switch {
	case err == nil:
		attempt.Delivered = true
	case errors.Is(err, webhook.ErrGone):
		attempt.ErrorClass = "gone"
	default:
		attempt.ErrorClass = errorClass(err)
		attempt.RetryIn = retryIn(lease, webhook.Lasting()-ageOf(lease, deliveryLease))
	}
	if errors.Is(err, webhook.ErrUnreachable) && ctx.Err() == nil {
		attempt.Rest = restAfter(lease.Endpoint.Silent + 1)
	}
	if err := w.recordAttempt(ctx, lease, attempt); err != nil {
		return err
	}
	switch {
	case attempt.ErrorClass == "gone":
		return w.disable(ctx, lease.Endpoint) // after the attempt: it gives up all that is still on its way
	case attempt.Rest > 0:
		at.silent()
	case at.waiting() < triesAtOnce:
		if _, err := w.Store.BringForward(ctx, lease.Tenant, lease.Endpoint.ID, broughtForward); err != nil {
			return err
		}
	}
	return nil
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
