package api

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"nightlight/queue/store"
)

// WebhookBody asks for events to be sent to an endpoint.
type WebhookBody struct {
	URL    string   `json:"url" must:"yes" doc:"https, and public unless the operator allows more." max:"2048"`
	Events []string `json:"events,omitempty" doc:"Which events; all when it is not given." each:"item.judged,item.resolved,item.quarantined,item.reversed" most:"4"`
}

// WebhookView is an endpoint. Secret is only there right after it was made.
type WebhookView struct {
	ID          string     `json:"id" must:"yes"`
	URL         string     `json:"url" must:"yes"`
	Events      []string   `json:"events" must:"yes" doc:"Empty: all events."`
	Secret      string     `json:"secret,omitempty" doc:"Shown once. Signatures follow Standard Webhooks."`
	CreatedAt   time.Time  `json:"created_at" must:"yes"`
	DisabledAt  *time.Time `json:"disabled_at,omitempty"`
	DisabledWhy string     `json:"disabled_why,omitempty" doc:"gone: it answered 410; asked: it was deleted."`
}

// WebhooksView lists a tenant's endpoints.
type WebhooksView struct {
	Webhooks []WebhookView `json:"webhooks" must:"yes"`
}

// SecretView is a fresh secret. The one before it stays good beside it.
type SecretView struct {
	ID     string `json:"id" must:"yes"`
	Secret string `json:"secret" must:"yes"`
}

// DeliveryView is one event on its way to an endpoint.
type DeliveryView struct {
	ID        string              `json:"id" must:"yes" doc:"The webhook-id header, the same over all tries."`
	Webhook   string              `json:"webhook_id" must:"yes"`
	Event     string              `json:"event" must:"yes"`
	ItemID    string              `json:"item_id" must:"yes"`
	State     store.DeliveryState `json:"state" must:"yes" enum:"waiting,pending,done,dead,cancelled"`
	Attempts  int                 `json:"attempts" must:"yes"`
	CreatedAt time.Time           `json:"created_at" must:"yes"`
	DueAt     time.Time           `json:"due_at,omitzero"`
	DoneAt    time.Time           `json:"done_at,omitzero"`
	Payload   json.RawMessage     `json:"payload,omitempty" doc:"The event's data; only when one delivery is asked for."`
	Tries     []TryView           `json:"tries,omitempty" doc:"Only when one delivery is asked for."`
}

// TryView is one try at a delivery.
type TryView struct {
	At         time.Time `json:"at" must:"yes"`
	Delivered  bool      `json:"delivered" must:"yes"`
	StatusCode int       `json:"status_code,omitempty"`
	Error      string    `json:"error,omitempty" doc:"A fixed word such as timeout, status, gone (it answered 410) or disabled (nothing was sent: the webhook was deleted or gone); never the receiver's."`
	Millis     int64     `json:"ms" must:"yes"`
}

// DeliveriesView is one page of deliveries, newest first.
type DeliveriesView struct {
	Deliveries []DeliveryView `json:"deliveries" must:"yes"`
	Next       string         `json:"next,omitempty"`
}

var webhookFields = []field[WebhookBody]{
	{"url", true, func(s *scan, b *WebhookBody) { b.URL, _ = s.text(2048) }},
	{"events", false, func(s *scan, b *WebhookBody) {
		s.list(len(store.Events), func(int) {
			if e := oneOf(s, store.Events[:]...); e != "" {
				if contains(b.Events, e) {
					s.wrong("is there twice")
				}
				b.Events = append(b.Events, e)
			}
		})
	}},
}

// httpsOnly is the check when main gives none.
func httpsOnly(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errNotHTTPS
	}
	return nil
}

var errNotHTTPS = errors.New("webhook address: want https://host/path")

func (a *API) postWebhook(c *call) error {
	b, err := readBody(a, c, webhookFields)
	if err != nil {
		return err
	}
	if a.CheckWebhook(b.URL) != nil {
		return invalidField("url", "no address that a webhook may go to")
	}
	secret := newSecret()
	e, err := a.Store.CreateEndpoint(c.r.Context(), store.Endpoint{
		Tenant: c.tenant(), URL: b.URL, Events: b.Events, Secrets: []string{secret},
	}, c.actor())
	if errors.Is(err, store.ErrFull) {
		return conflict("There are " + itoa(store.MostEndpoints) + " webhooks, the most that one tenant may have. Delete one first.")
	}
	if err != nil {
		return fromStore(err)
	}
	v := webhookView(e)
	v.Secret = secret
	c.w.Header().Set("Location", "/v1/webhooks/"+e.ID)
	return c.json(http.StatusCreated, v)
}

// newSecret is a secret of Standard Webhooks: whsec_ and base64 of 32 bytes.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

func webhookView(e store.Endpoint) WebhookView {
	v := WebhookView{ID: e.ID, URL: e.URL, Events: e.Events, CreatedAt: e.CreatedAt.UTC(), DisabledWhy: e.DisabledWhy}
	empty(&v.Events)
	if !e.DisabledAt.IsZero() {
		at := e.DisabledAt.UTC()
		v.DisabledAt = &at
	}
	return v
}

func (a *API) listWebhooks(c *call) error {
	if _, err := c.queries(); err != nil {
		return err
	}
	list, err := a.Store.Endpoints(c.r.Context(), c.tenant())
	if err != nil {
		return fromStore(err)
	}
	v := WebhooksView{Webhooks: make([]WebhookView, len(list))}
	for i, e := range list {
		v.Webhooks[i] = webhookView(e)
	}
	return c.json(http.StatusOK, v)
}

func (a *API) getWebhook(c *call) error {
	if _, err := c.queries(); err != nil {
		return err
	}
	e, err := a.Store.Endpoint(c.r.Context(), c.tenant(), c.param)
	if err != nil {
		return fromStore(err)
	}
	return c.json(http.StatusOK, webhookView(e))
}

func (a *API) deleteWebhook(c *call) error {
	if err := c.noBody(); err != nil {
		return err
	}
	if err := a.Store.DisableEndpoint(c.r.Context(), c.tenant(), c.param, "asked", c.actor()); err != nil {
		return fromStore(err)
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) rotateSecret(c *call) error {
	if err := c.noBody(); err != nil {
		return err
	}
	secret := newSecret()
	if err := a.Store.RotateSecret(c.r.Context(), c.tenant(), c.param, secret, c.actor()); err != nil {
		return fromStore(err)
	}
	return c.json(http.StatusOK, SecretView{c.param, secret})
}

func (a *API) listDeliveries(c *call) error {
	q, err := c.queries("state", "cursor", "limit")
	if err != nil {
		return err
	}
	state := store.DeliveryState(q["state"])
	switch state {
	case "", store.DeliveryWaiting, store.DeliveryPending, store.DeliveryDone, store.DeliveryDead, store.DeliveryCancelled:
	default:
		return invalidField("state", "want one of waiting, pending, done, dead, cancelled")
	}
	limit, err := pageSize(q["limit"])
	if err != nil {
		return err
	}
	if _, err := a.Store.Endpoint(c.r.Context(), c.tenant(), c.param); err != nil {
		return fromStore(err)
	}
	list, next, err := a.Store.Deliveries(c.r.Context(), c.tenant(), c.param, state, q["cursor"], limit)
	if errors.Is(err, store.ErrNotFound) && q["cursor"] != "" {
		return invalidField("cursor", "not one of ours")
	}
	if err != nil {
		return fromStore(err)
	}
	v := DeliveriesView{Deliveries: make([]DeliveryView, len(list)), Next: next}
	for i, d := range list {
		v.Deliveries[i] = deliveryView(d)
	}
	return c.json(http.StatusOK, v)
}

func deliveryView(d store.Delivery) DeliveryView {
	return DeliveryView{
		ID: d.ID, Webhook: d.Recipient, Event: d.Effect, ItemID: d.ItemID, State: d.State, Attempts: d.Attempts,
		CreatedAt: d.CreatedAt.UTC(), DueAt: d.DueAt, DoneAt: d.DoneAt,
	}
}

// webhookDelivery is a delivery to an endpoint; notices to guardians are not
// shown here.
func (a *API) webhookDelivery(c *call) (store.Delivery, []store.Attempt, error) {
	d, tries, err := a.Store.Delivery(c.r.Context(), c.tenant(), c.param)
	if err == nil && d.Notice != nil {
		err = store.ErrNotFound
	}
	if err != nil {
		return d, nil, fromStore(err)
	}
	return d, tries, nil
}

func (a *API) getDelivery(c *call) error {
	if _, err := c.queries(); err != nil {
		return err
	}
	d, tries, err := a.webhookDelivery(c)
	if err != nil {
		return err
	}
	v := deliveryView(d)
	v.Payload = d.Payload
	for _, t := range tries {
		v.Tries = append(v.Tries, TryView{t.At.UTC(), t.Delivered, t.StatusCode, t.ErrorClass, t.Took.Milliseconds()})
	}
	return c.json(http.StatusOK, v)
}

func (a *API) replay(c *call) error {
	if err := c.noBody(); err != nil {
		return err
	}
	if _, _, err := a.webhookDelivery(c); err != nil {
		return err
	}
	err := a.Store.Replay(c.r.Context(), c.tenant(), c.param, c.actor())
	if errors.Is(err, store.ErrDisabled) {
		return conflict("The webhook was deleted or answered 410: nothing is sent there any more.")
	}
	if err != nil {
		return fromStore(err)
	}
	d, _, err := a.webhookDelivery(c)
	if err != nil {
		return err
	}
	return c.json(http.StatusAccepted, deliveryView(d))
}

func itoa(n int) string { return strconv.Itoa(n) }
