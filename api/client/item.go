package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"nightlight/pipeline"
)

// Item is what a child, or somebody who writes to a child, sends.
type Item struct {
	// ExternalID is the backend's own id. With it, sending the same item
	// again, even after a restart, gives the same answer.
	ExternalID     string            `json:"external_id,omitempty"`
	Kind           pipeline.Kind     `json:"kind"`
	Text           string            `json:"text,omitempty"`
	UploadID       string            `json:"upload_id,omitempty"`
	Sender         pipeline.Person   `json:"sender"`
	Recipients     []pipeline.Person `json:"recipients,omitempty"`
	ConversationID string            `json:"conversation_id,omitempty"`
	Audience       pipeline.Audience `json:"audience,omitempty"`
	Locale         string            `json:"locale,omitempty"`
	SentAt         time.Time         `json:"sent_at,omitzero"`
}

// State is where an item stands at Nightlight.
type State string

// The states of an item.
const (
	Pending     State = "pending"
	Judged      State = "judged"
	InReview    State = "in_review"
	Closed      State = "closed"
	Quarantined State = "quarantined"
	Erased      State = "erased"
)

// Status is an item as Nightlight knows it. Verdict is nil while it is not
// judged; Decision is there when a person decided, after a report or an appeal
// too.
type Status struct {
	ID         string            `json:"id"`
	ExternalID string            `json:"external_id"`
	State      State             `json:"state"`
	Verdict    *pipeline.Verdict `json:"verdict"`
	ReceivedAt time.Time         `json:"received_at"`
	Decision   *Decision         `json:"decision"`
}

// Decision is what a person decided.
type Decision struct {
	Action    pipeline.Action `json:"action"`
	DecidedAt time.Time       `json:"decided_at"`
}

// Action is what to do with the item now: what a person decided, else the
// verdict's. Without either it is hold: what was not judged is not delivered.
func (s Status) Action() pipeline.Action {
	switch {
	case s.Decision != nil:
		return s.Decision.Action
	case s.Verdict != nil && s.Verdict.Action.Known():
		return s.Verdict.Action
	}
	return pipeline.Hold
}

// MaxWait is the longest that one call waits for a verdict.
const MaxWait = 10 * time.Second

// Submit sends an item and waits up to wait (at most MaxWait, 0 for not at
// all) for its verdict. Status.Verdict is nil when that did not do: use Wait,
// Get or a webhook.
func (c *Client) Submit(ctx context.Context, it Item, wait time.Duration) (Status, error) {
	body, err := json.Marshal(it)
	if err != nil {
		return Status{}, fmt.Errorf("write item: %w", err)
	}
	return c.submit(ctx, "application/json", body, wait)
}

// SubmitMedia sends an item with its file in one request. The file is read
// into memory, so that it can be sent again.
func (c *Client) SubmitMedia(ctx context.Context, it Item, file io.Reader, wait time.Duration) (Status, error) {
	body, content, err := form(it, file)
	if err != nil {
		return Status{}, fmt.Errorf("write item and file: %w", err)
	}
	return c.submit(ctx, content, body, wait)
}

func form(it Item, file io.Reader) (body []byte, content string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormField("item")
	if err != nil {
		return nil, "", err
	}
	if err := json.NewEncoder(part).Encode(it); err != nil {
		return nil, "", err
	}
	if part, err = w.CreateFormFile("file", "file"); err != nil {
		return nil, "", err
	}
	if _, err := io.Copy(part, file); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

func (c *Client) submit(ctx context.Context, content string, body []byte, wait time.Duration) (Status, error) {
	r := request{http.MethodPost, "/v1/items", content, body, map[string]string{"Idempotency-Key": newKey()}}
	if seconds := int(min(wait, MaxWait).Seconds() + 0.5); seconds > 0 {
		r.headers["Prefer"] = "wait=" + strconv.Itoa(seconds)
	}
	var s Status
	if _, err := c.call(ctx, r, &s); err != nil {
		return Status{}, fmt.Errorf("submit item: %w", err)
	}
	return s, nil
}

// Get returns an item as it stands.
func (c *Client) Get(ctx context.Context, id string) (Status, error) {
	var s Status
	if _, err := c.sendJSON(ctx, http.MethodGet, "/v1/items/"+url.PathEscape(id), nil, &s, nil); err != nil {
		return Status{}, fmt.Errorf("get item: %w", err)
	}
	return s, nil
}

// Wait asks until the item has a verdict or ctx ends, less often as time goes
// by. Where many wait, hear of verdicts by webhook instead.
func (c *Client) Wait(ctx context.Context, id string) (Status, error) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		s, err := c.Get(ctx, id)
		if err != nil || s.State != Pending {
			return s, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s, fmt.Errorf("wait for verdict: %w", ctx.Err())
		}
	}
}

// Report flags an item for a person; label and note may be empty. It returns
// the case.
func (c *Client) Report(ctx context.Context, itemID, reporter string, label pipeline.Label, note string) (caseID string, err error) {
	in := map[string]string{"item_id": itemID, "reporter": reporter}
	if label != "" {
		in["label"] = string(label)
	}
	if note != "" {
		in["note"] = note
	}
	return c.opened(ctx, "/v1/reports", in)
}

// Appeal asks for another look at a verdict and returns the case.
func (c *Client) Appeal(ctx context.Context, itemID, by, note string) (caseID string, err error) {
	in := map[string]string{"item_id": itemID, "by": by}
	if note != "" {
		in["note"] = note
	}
	return c.opened(ctx, "/v1/appeals", in)
}

func (c *Client) opened(ctx context.Context, path string, in map[string]string) (string, error) {
	var out struct {
		CaseID string `json:"case_id"`
	}
	if _, err := c.sendJSON(ctx, http.MethodPost, path, in, &out, nil); err != nil {
		return "", fmt.Errorf("ask for a person: %w", err)
	}
	return out.CaseID, nil
}

// Account is what a backend knows of an account.
type Account struct {
	Age        *int       `json:"age,omitempty"`         // in whole years, or
	BirthMonth string     `json:"birth_month,omitempty"` // YYYY-MM
	Locale     string     `json:"locale,omitempty"`
	Guardians  []Guardian `json:"guardians,omitempty"`
}

// Guardian is bound to a child's account.
type Guardian struct {
	ID       string      `json:"id"`
	Relation string      `json:"relation"`
	Locale   string      `json:"locale,omitempty"`
	Channels []Channel   `json:"channels,omitempty"` // in order of preference
	Quiet    *QuietHours `json:"quiet_hours,omitempty"`
}

// Channel is one way to reach a guardian: webhook, mail or log.
type Channel struct {
	Kind    string `json:"kind"`
	Address string `json:"address,omitempty"`
}

// QuietHours is when a guardian is not disturbed, except for the most urgent.
type QuietHours struct {
	From string `json:"from"` // HH:MM
	To   string `json:"to"`
	Zone string `json:"zone,omitempty"`
}

// PutAccount tells what is known of an account, instead of what was told
// before.
func (c *Client) PutAccount(ctx context.Context, id string, a Account) error {
	if _, err := c.sendJSON(ctx, http.MethodPut, "/v1/accounts/"+url.PathEscape(id), a, nil, nil); err != nil {
		return fmt.Errorf("put account: %w", err)
	}
	return nil
}

// Receipt says what an erasure did.
type Receipt struct {
	ID       string    `json:"receipt_id"`
	ErasedAt time.Time `json:"erased_at"`
	Erased   int       `json:"erased_items"`
	Held     int       `json:"held_items"` // kept because of a legal hold
}

// EraseAccount erases an account and what it sent. After an error the same again
// goes on, and what is erased gives the same receipt again for 30 days.
func (c *Client) EraseAccount(ctx context.Context, id string) (Receipt, error) {
	var r Receipt
	if _, err := c.sendJSON(ctx, http.MethodDelete, "/v1/accounts/"+url.PathEscape(id), nil, &r, nil); err != nil {
		return Receipt{}, fmt.Errorf("erase account: %w", err)
	}
	return r, nil
}
