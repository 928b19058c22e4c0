package store

import (
	"context"
	"errors"
	"time"

	"nightlight/pipeline"
)

// State is where an item stands.
type State string

// The states: pending → judged → closed, or judged → in_review → closed, or
// quarantined, or erased.
const (
	Pending     State = "pending"
	Judged      State = "judged"
	InReview    State = "in_review"
	Closed      State = "closed"
	Quarantined State = "quarantined"
	Erased      State = "erased"
)

// Known reports whether s is one of the six states.
func (s State) Known() bool {
	switch s {
	case Pending, Judged, InReview, Closed, Quarantined, Erased:
		return true
	}
	return false
}

// Ending is how an item ended; empty while it is in flight.
type Ending string

// The endings.
const (
	EndAllowed     Ending = "allowed"
	EndBlocked     Ending = "blocked"
	EndResolved    Ending = "resolved"
	EndQuarantined Ending = "quarantined"
	EndErased      Ending = "erased"
)

// Media describes an item's stored object.
type Media struct {
	Key         string // in the media store
	ContentType string
	Bytes       int64
	SHA256      string // hex, of the plain bytes
}

// Item is an item as the record shows it: everything but the text, which
// Text opens on its own.
type Item struct {
	pipeline.Item
	State  State
	Ending Ending
	// Action is what holds now: the verdict's, or a later decision's.
	Action pipeline.Action
	// Verdict is nil until the item is judged.
	Verdict *pipeline.Verdict
	Media   *Media
	// CaseID is the newest case about the item, if any.
	CaseID   string
	Hold     bool
	ClosedAt time.Time
	// Purged is true when the content's key was destroyed.
	Purged bool
}

// Item returns one item of the tenant with its verdict. An empty tenant is
// for our own workers and command line: it sees every item.
func (s *Store) Item(ctx context.Context, tenant, id string) (Item, error) {
	return Item{}, errors.ErrUnsupported
}

// Filter narrows a list. Zero fields do not.
type Filter struct {
	State        State
	ExternalID   string
	Sender       string
	Conversation string
	// Cursor is the opaque next of the page before.
	Cursor string
	// Limit is at most 1,000 (default 100).
	Limit int
}

// Items lists a tenant's items, newest first, and returns the cursor of the
// next page, empty at the end. A cursor that we did not make gives
// ErrNotFound.
func (s *Store) Items(ctx context.Context, tenant string, f Filter) (items []Item, next string, err error) {
	return nil, "", errors.ErrUnsupported
}

// Text opens the text of an item; ErrErased when its key is gone.
func (s *Store) Text(ctx context.Context, tenant, id string) (string, error) {
	return "", errors.ErrUnsupported
}

// Message is one item of a conversation as a reviewer may see it.
type Message struct {
	ItemID string
	Kind   pipeline.Kind
	Sender pipeline.Person
	// From is self when the sender is the one of the item in question.
	From   pipeline.From
	Text   string
	SentAt time.Time
	Gone   bool // the content was purged or erased
}

// Conversation returns up to before messages before the item, the item itself
// and up to after messages after it, oldest first, decrypted.
func (s *Store) Conversation(ctx context.Context, tenant, itemID string, before, after int) ([]Message, error) {
	return nil, errors.ErrUnsupported
}

// Evidence is something found in an item that a reviewer or an auditor needs:
// a transcript, recognised text, a frame, a blurred rendition.
type Evidence struct {
	Kind string // transcript, ocr, frame, rendition, …
	// Body is stored sealed under the item's key.
	Body []byte
	// MediaKey names an object in the media store, if there is one.
	MediaKey string
}

// Evidence opens what Commit stored for an item.
func (s *Store) Evidence(ctx context.Context, tenant, itemID string) ([]Evidence, error) {
	return nil, errors.ErrUnsupported
}

// ItemKey returns the wrapped data key of an item, for opening its media;
// ErrErased when it was destroyed.
func (s *Store) ItemKey(ctx context.Context, tenant, itemID string) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

// Watch returns a channel that is closed when this process commits a verdict
// for the item. Call cancel when done. Another process's commit is not seen:
// look at Item too.
func (s *Store) Watch(itemID string) (judged <-chan struct{}, cancel func()) { return nil, func() {} }
