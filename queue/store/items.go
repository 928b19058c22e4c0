package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// Decision is what a person decided about an item: the vote that closed its
// case, or the case that it had joined as a copy.
type Decision struct {
	Action pipeline.Action
	At     time.Time
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
	// Decision is what a person decided last, also about an item that had ended
	// before; nil when nobody did or it was taken back.
	Decision *Decision
	Media    *Media
	// CaseID is the newest case about the item, if any, but for one that Undo
	// joined to another.
	CaseID   string
	Hold     bool
	ClosedAt time.Time
	// Purged is true when the content's key was destroyed.
	Purged bool
}

// itemColumns are in the order of scanItem.
const itemColumns = `i.id, i.tenant, COALESCE(i.external_id, ''), i.kind, i.sender, i.sender_age, i.recipients, i.conversation_id, i.audience,
	i.locale, i.sent_at, i.received_at, i.media_key, i.media_type, i.media_bytes, i.media_sha256, i.state, i.ending, i.action, i.hold,
	i.closed_at, i.purged_at`

// itemReturning is itemColumns where a statement knows no alias.
var itemReturning = strings.ReplaceAll(itemColumns, "i.", "")

func scanItem(row scanner, more ...any) (it Item, err error) {
	var recipients string
	var sent, received, closed, purgedAt int64
	var hold int
	var m Media
	into := append([]any{&it.ID, &it.Tenant, &it.ExternalID, &it.Kind, &it.Sender.ID, &it.Sender.Age, &recipients, &it.ConversationID, &it.Audience,
		&it.Locale, &sent, &received, &m.Key, &m.ContentType, &m.Bytes, &m.SHA256, &it.State, &it.Ending, &it.Action, &hold,
		&closed, &purgedAt}, more...)
	if err := row.Scan(into...); err != nil {
		return Item{}, err
	}
	it.SentAt, it.ReceivedAt, it.ClosedAt = timeOf(sent), timeOf(received), timeOf(closed)
	it.Hold, it.Purged = hold == 1, purgedAt > 0
	if m.Key != "" {
		it.MediaKey, it.Media = m.Key, &m
	}
	return it, json.Unmarshal([]byte(recipients), &it.Recipients)
}

// itemQuery reads items with their verdict, newest case and the last closing
// vote that stands; one that kept what held (review.Keep) decided nothing.
const itemQuery = "SELECT " + itemColumns + `, COALESCE(v.body, ''), COALESCE(v.severity, 0),
	COALESCE((SELECT MAX(c.id) FROM cases c WHERE c.item_id = i.id AND c.action <> 'merged'), (SELECT k.case_id FROM case_copies k WHERE k.item_id = i.id), ''),
	COALESCE(d.action, ''), COALESCE(d.at, 0)
	FROM items i LEFT JOIN verdicts v ON v.item_id = i.id
	LEFT JOIN votes d ON d.id = (SELECT MAX(o.id) FROM votes o WHERE o.closed_case = 1 AND o.undone_at = 0 AND o.action <> 'keep'
		AND (o.item_id = i.id OR o.id = (SELECT k.vote_id FROM case_copies k WHERE k.item_id = i.id)))`

func scanItemVerdict(row scanner) (Item, error) {
	var verdict, caseID string
	var decided Decision
	var severity int
	var at int64
	it, err := scanItem(row, &verdict, &severity, &caseID, &decided.Action, &at)
	if err != nil {
		return Item{}, err
	}
	it.CaseID = caseID
	if at > 0 {
		decided.At = timeOf(at)
		it.Decision = &decided
	}
	if verdict != "" {
		it.Verdict = &pipeline.Verdict{Unjudged: severity} // the body names only its labels'
		err = json.Unmarshal([]byte(verdict), it.Verdict)
	}
	return it, err
}

// Item returns one item of the tenant with its verdict. An empty tenant is
// for our own workers and command line: it sees every item.
func (s *Store) Item(ctx context.Context, tenant, id string) (it Item, err error) {
	err = firstOf(s.reader(ctx), itemQuery+" WHERE i.id = $2 AND ($1 = '' OR i.tenant = $1)", args(tenant, id), scanItemVerdict, &it)
	if err != nil {
		return Item{}, fmt.Errorf("read item %s: %w", id, err)
	}
	return it, nil
}

// Text opens the text of an item; ErrErased when its key is gone.
func (s *Store) Text(ctx context.Context, tenant, id string) (string, error) {
	var key, body []byte
	if err := s.secrets(ctx, tenant, id, &key, &body); err != nil {
		return "", fmt.Errorf("open text of %s: %w", id, err)
	}
	plain, err := s.keyring.Open(key, textAAD(id), body)
	if err != nil {
		return "", fmt.Errorf("open text of %s: %w", id, err)
	}
	return string(plain), nil
}

// ItemKey returns the wrapped data key of an item, for opening its media;
// ErrErased when it was destroyed.
func (s *Store) ItemKey(ctx context.Context, tenant, itemID string) ([]byte, error) {
	var key, body []byte
	if err := s.secrets(ctx, tenant, itemID, &key, &body); err != nil {
		return nil, fmt.Errorf("read key of %s: %w", itemID, err)
	}
	return key, nil
}

// secrets tells an item that is erased from one that never was.
func (s *Store) secrets(ctx context.Context, tenant, id string, key, body *[]byte) error {
	r := s.reader(ctx)
	err := r.one(`SELECT s.wrapped, s.body FROM items i JOIN item_secrets s ON s.item_id = i.id
		WHERE i.id = $2 AND ($1 = '' OR i.tenant = $1)`, args(tenant, id), key, body)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	var there int
	if err := r.one("SELECT COUNT(*) FROM items WHERE id = $2 AND ($1 = '' OR tenant = $1)", args(tenant, id), &there); err != nil {
		return err
	}
	if there == 1 {
		return ErrErased
	}
	return ErrNotFound
}
