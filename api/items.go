package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"nightlight/pipeline"
	"nightlight/queue"
	"nightlight/queue/store"
)

// ItemView is an item as a backend sees it.
type ItemView struct {
	ID         string            `json:"id" must:"yes"`
	ExternalID string            `json:"external_id" must:"yes" doc:"Empty when none was given."`
	State      store.State       `json:"state" must:"yes" enum:"pending,judged,in_review,closed,quarantined,erased"`
	Verdict    *pipeline.Verdict `json:"verdict,omitempty" doc:"There as soon as the item is judged."`
	ReceivedAt time.Time         `json:"received_at" must:"yes"`
	Decision   *DecisionView     `json:"decision,omitempty" doc:"What a person decided last, also after the item had ended; it replaces the verdict's action."`
}

// DecisionView is what a person decided about an item.
type DecisionView struct {
	Action    pipeline.Action `json:"action" must:"yes" enum:"allow,warn,blur,block"`
	DecidedAt time.Time       `json:"decided_at" must:"yes"`
}

// AcceptedView is the answer to an accepted item.
type AcceptedView struct {
	ID    string      `json:"id" must:"yes"`
	State store.State `json:"state" must:"yes" enum:"pending"`
	Links Links       `json:"links" must:"yes"`
}

// Links say where to look next.
type Links struct {
	Self string `json:"self" must:"yes" doc:"The path of the item."`
}

// ListView is one page of items, newest first.
type ListView struct {
	Items []ItemView `json:"items" must:"yes"`
	Next  string     `json:"next,omitempty" doc:"The cursor of the next page; not there at the end."`
}

func viewOf(it store.Item) ItemView {
	v := ItemView{ID: it.ID, ExternalID: it.ExternalID, State: it.State, ReceivedAt: it.ReceivedAt.UTC()}
	if it.Verdict != nil {
		verdict := *it.Verdict
		whole(&verdict)
		if verdict.CaseID == "" {
			verdict.CaseID = it.CaseID
		}
		v.Verdict = &verdict
	}
	if d := it.Decision; d != nil {
		v.Decision = &DecisionView{d.Action, d.At.UTC()}
	}
	return v
}

// whole turns lists that are not there into empty ones, which clients can
// read without asking.
func whole(v *pipeline.Verdict) {
	empty(&v.Labels)
	empty(&v.Signals)
	empty(&v.Reasons)
	empty(&v.Interventions)
	empty(&v.Escalations)
	empty(&v.Models)
}

func empty[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

// postItem takes one item in, as JSON or with its file.
func (a *API) postItem(c *call) error {
	if isMultipart(c.r.Header) {
		return a.postMultipart(c)
	}
	idempotency, err := idempotencyKey(c.r.Header)
	if err != nil {
		return err
	}
	raw, free, err := a.body(c)
	if err != nil {
		return err
	}
	free = sync.OnceFunc(free)
	defer free()
	b, errs := readItem(raw, a.Now(), false)
	if len(errs) > 0 {
		return invalid(errs...)
	}
	return a.take(c, b, idempotency, free)
}

// take accepts a checked item and answers. free gives back the bytes that its body has in flight: it is called once
// the content is durable, since the answer may wait for the verdict.
func (a *API) take(c *call, b ItemBody, idempotency string, free func()) error {
	n, err := a.newItem(c, b, idempotency)
	if err != nil {
		return err
	}
	done, err := a.accept(c.r.Context(), n)
	if err != nil {
		return a.notAccepted(n, err)
	}
	free()
	return a.answer(c, done)
}

// newItem is the item as the record takes it. Content that a client put
// straight into the bucket is checked and sealed here, before any answer.
func (a *API) newItem(c *call, b ItemBody, idempotency string) (store.NewItem, error) {
	it := b.item(c.tenant())
	n := store.NewItem{
		Item: it, UploadID: b.UploadID, IdempotencyKey: idempotency,
		Queue: queue.QueueFor(it.Kind, it.Sender, it.Recipients), Stage: store.StageJudge,
	}
	sum := ""
	if b.UploadID != "" {
		u, err := a.settle(c.r.Context(), c.tenant(), b.UploadID, b.Kind)
		if err != nil {
			return n, err
		}
		sum = u.SHA256
	}
	n.BodyHash = b.hash(sum)
	if n.SentAt.IsZero() {
		n.SentAt = a.Now().UTC()
	}
	return n, nil
}

// accept writes the item. A client that goes away meanwhile changes nothing:
// what it would have been told must be true in either case.
func (a *API) accept(ctx context.Context, n store.NewItem) (store.Accepted, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	done, err := a.Store.Accept(ctx, n)
	if err == nil {
		a.accepted(n.Kind, done)
	}
	return done, err
}

func (a *API) accepted(k pipeline.Kind, done store.Accepted) {
	a.metrics.accepted.WithLabelValues(string(k), strconv.FormatBool(done.Existing)).Inc()
	if a.Wake != nil && !done.Existing {
		a.Wake()
	}
}

// notAccepted says which of the item's names was used for something else.
func (a *API) notAccepted(n store.NewItem, err error) error {
	if !errors.Is(err, store.ErrConflict) {
		return fromStore(err)
	}
	const reason = "was used before for an item with other content"
	var errs []FieldError
	if n.IdempotencyKey != "" {
		errs = append(errs, FieldError{"Idempotency-Key", reason})
	}
	if n.ExternalID != "" {
		errs = append(errs, FieldError{"external_id", reason})
	}
	if len(errs) == 2 {
		for i := range errs {
			errs[i].Reason = "this or the other " + reason
		}
	}
	return invalid(errs...)
}

// answer says 202 at once, or 200 with the verdict to who prefers to wait and
// need not wait too long.
func (a *API) answer(c *call, done store.Accepted) error {
	h := c.w.Header()
	self := "/v1/items/" + done.ID
	h.Set("Location", self)
	if done.Existing {
		h.Set("Idempotent-Replayed", "true")
	}
	if wait := preferWait(c.r.Header.Values("Prefer")); wait > 0 {
		h.Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
		if it, ok := a.await(c.r.Context(), c.tenant(), done.ID, done.Existing, wait); ok {
			return c.json(http.StatusOK, viewOf(it))
		}
	}
	// ids are letters, digits and underscores: nothing needs escaping
	c.send(http.StatusAccepted, "application/json",
		[]byte(`{"id":"`+done.ID+`","state":"pending","links":{"self":"`+self+`"}}`+"\n"))
	return nil
}

// await waits until the item has a verdict. This process's own commits wake
// it; for another's it looks again and again, less often as time goes by.
func (a *API) await(ctx context.Context, tenant, id string, existing bool, wait time.Duration) (store.Item, bool) {
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
	default:
		return store.Item{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	judged, unwatch := a.Store.Watch(id)
	defer unwatch()
	pause := 100 * time.Millisecond
	for fresh := !existing; ; fresh = false { // a fresh item cannot be judged yet: its first look would be for nothing
		if !fresh {
			it, err := a.Store.Item(ctx, tenant, id)
			if err == nil && it.State != store.Pending {
				return it, true
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-judged:
			judged = nil // closed for good; the next look sees the verdict
		case <-timer.C:
			pause = min(pause*3/2, 500*time.Millisecond)
		case <-ctx.Done():
			timer.Stop()
			return store.Item{}, false
		}
		timer.Stop()
	}
}

// getItem shows one item.
func (a *API) getItem(c *call) error {
	if _, err := c.queries(); err != nil {
		return err
	}
	it, err := a.Store.Item(c.r.Context(), c.tenant(), c.param)
	if err != nil {
		return fromStore(err)
	}
	return c.json(http.StatusOK, viewOf(it))
}

// listItems shows a tenant's items, newest first.
func (a *API) listItems(c *call) error {
	q, err := c.queries("state", "external_id", "sender", "conversation_id", "cursor", "limit")
	if err != nil {
		return err
	}
	f := store.Filter{
		State: store.State(q["state"]), ExternalID: q["external_id"], Sender: q["sender"],
		Conversation: q["conversation_id"], Cursor: q["cursor"],
	}
	if f.State != "" && !f.State.Known() {
		return invalidField("state", "want one of pending, judged, in_review, closed, quarantined, erased")
	}
	if f.Limit, err = pageSize(q["limit"]); err != nil {
		return err
	}
	items, next, err := a.Store.Items(c.r.Context(), c.tenant(), f)
	if errors.Is(err, store.ErrNotFound) && f.Cursor != "" {
		return invalidField("cursor", "not one of ours")
	}
	if err != nil {
		return fromStore(err)
	}
	page := ListView{Items: make([]ItemView, len(items)), Next: next}
	for i, it := range items {
		page.Items[i] = viewOf(it)
	}
	return c.json(http.StatusOK, page)
}

// pageSize reads a limit of 1 to 1,000; 0 stands for the default.
func pageSize(v string) (int, error) {
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n < 1 || n > 1000 || v[0] == '0' {
		return 0, invalidField("limit", "want 1 to 1000")
	}
	return int(n), nil
}

// idempotencyKey reads the header; empty when it is not there.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || !printable(values[0]) {
		return "", invalidField("Idempotency-Key", "want once 1 to 128 printable ASCII characters")
	}
	return values[0], nil
}

// json sends a value of ours.
func (c *call) json(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return internal(err)
	}
	c.send(status, "application/json", append(body, '\n'))
	return nil
}

func (c *call) send(status int, content string, body []byte) {
	h := c.w.Header()
	h.Set("Content-Type", content)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body) // the client may be gone
	}
}
