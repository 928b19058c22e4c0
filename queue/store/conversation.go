package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"nightlight/pipeline"
)

// Message is one item of a conversation as a reviewer may see it.
type Message struct {
	ItemID string
	Kind   pipeline.Kind
	Sender pipeline.Person
	// From is self when the sender is the one of the item in question.
	From   pipeline.From
	Text   string
	SentAt time.Time
	Gone   bool // the content was purged or erased, or cannot be opened
	Unread bool // the content is there and cannot be opened
}

const messageColumns = `SELECT i.id, i.kind, i.sender, i.sender_age, i.sent_at, s.wrapped, s.body
	FROM items i LEFT JOIN item_secrets s ON s.item_id = i.id`

// message returns a scanner of rows seen from sender.
func (s *Store) message(sender string) func(row scanner) (Message, error) {
	return func(row scanner) (m Message, err error) {
		var key, body []byte
		var sent int64
		if err := row.Scan(&m.ItemID, &m.Kind, &m.Sender.ID, &m.Sender.Age, &sent, &key, &body); err != nil {
			return Message{}, err
		}
		m.SentAt, m.From, m.Gone = timeOf(sent), pipeline.Other, key == nil
		if m.Sender.ID == sender {
			m.From = pipeline.Self
		}
		if m.Gone {
			return m, nil
		}
		plain, err := s.keyring.Open(key, textAAD(m.ItemID), body)
		if err != nil { // one message must not hide the others
			m.Gone, m.Unread = true, true
			return m, nil
		}
		m.Text = string(plain)
		return m, nil
	}
}

// Conversation returns up to before messages before the item, the item itself
// and up to after messages after it, oldest first, decrypted.
func (s *Store) Conversation(ctx context.Context, tenant, itemID string, before, after int) ([]Message, error) {
	list, err := s.conversation(ctx, tenant, itemID, before, after)
	if err != nil {
		return nil, fmt.Errorf("read conversation of %s: %w", itemID, err)
	}
	return list, nil
}

func (s *Store) conversation(ctx context.Context, tenant, itemID string, before, after int) ([]Message, error) {
	r := s.reader(ctx)
	var owner, conversation, sender string
	err := r.one("SELECT tenant, conversation_id, sender FROM items WHERE id = $2 AND ($1 = '' OR tenant = $1)", args(tenant, itemID),
		&owner, &conversation, &sender)
	if err != nil {
		return nil, err
	}
	scan := s.message(sender)
	self, err := allOf(r, messageColumns+" WHERE i.id = $1", args(itemID), scan)
	if err != nil || conversation == "" {
		return self, err
	}
	earlier, err := s.earlier(r, owner, conversation, itemID, sender, before)
	if err != nil {
		return nil, err
	}
	later, err := allOf(r, messageColumns+" WHERE i.tenant = $1 AND i.conversation_id = $2 AND i.id > $3 ORDER BY i.id LIMIT $4",
		args(owner, conversation, itemID, after), scan)
	return slices.Concat(earlier, self, later), err
}

// TakePart returns those of the persons who have sent or received anything in a
// conversation. Nobody takes part in one without an id.
func (s *Store) TakePart(ctx context.Context, tenant, conversation string, persons ...string) ([]string, error) {
	if conversation == "" || len(persons) == 0 {
		return nil, nil
	}
	there := map[string]bool{}
	err := s.reader(ctx).each(`SELECT DISTINCT sender, recipients FROM items
		WHERE tenant = $1 AND conversation_id = $2 AND conversation_id <> ''`, args(tenant, conversation), func(row scanner) error {
		var sender, recipients string
		if err := row.Scan(&sender, &recipients); err != nil {
			return err
		}
		there[sender] = true
		var list []pipeline.Person
		err := json.Unmarshal([]byte(recipients), &list)
		for _, p := range list {
			there[p.ID] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look who takes part in a conversation: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(persons), func(p string) bool { return !there[p] }), nil
}

// earlier returns the last n messages before an item, oldest first.
func (s *Store) earlier(t *tx, tenant, conversation, itemID, sender string, n int) ([]Message, error) {
	list, err := allOf(t, messageColumns+" WHERE i.tenant = $1 AND i.conversation_id = $2 AND i.conversation_id <> '' AND i.id < $3 ORDER BY i.id DESC LIMIT $4",
		args(tenant, conversation, itemID, n), s.message(sender))
	slices.Reverse(list)
	return list, err
}
