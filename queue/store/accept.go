package store

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"time"

	"nightlight/pipeline"
)

// NewItem is what a backend sends.
type NewItem struct {
	// Item's ID, ReceivedAt, MediaKey, Context and ToGuardian are set by the
	// store and may be left empty.
	pipeline.Item
	// UploadID names the stored upload of a photo, video or voice note.
	UploadID string
	// IdempotencyKey is the caller's, kept as a hash; empty for none.
	IdempotencyKey string
	// BodyHash tells whether a second request means the same item. It is kept
	// sealed under the item's key: a bare hash of a short message would give
	// its words to whoever tries likely ones.
	BodyHash [32]byte
	// Queue is where the relay sends the first task; Stage defaults to
	// StageJudge.
	Queue string
	Stage string
}

// StageJudge is the stage of an item's first task.
const StageJudge = "judge"

// Accepted is the answer to an accepted item.
type Accepted struct {
	ID         string
	State      State
	ReceivedAt time.Time
	// Existing is true when the same item had been accepted before.
	Existing bool
}

// AcceptedLine is one line's answer of a batch.
type AcceptedLine struct {
	Accepted
	Err error
}

// Accept writes item, sealed text, conversation and outbox row in one
// transaction and returns when that is durable. The same external id or
// idempotency key with the same body returns the item of the first time, with
// another body ErrConflict; an upload that cannot be used gives ErrUpload.
func (s *Store) Accept(ctx context.Context, n NewItem) (Accepted, error) {
	a, err := s.accept(ctx, n)
	if err != nil {
		return Accepted{}, fmt.Errorf("accept item: %w", err)
	}
	return a, nil
}

// AcceptBatch accepts many items with as few commits as possible. Each line
// stands alone: one that fails does not stop the others. Lines with the same
// external id or key are accepted in no particular order.
func (s *Store) AcceptBatch(ctx context.Context, items []NewItem) []AcceptedLine {
	lines := make([]AcceptedLine, len(items))
	// Many at once share SQLite's commits; on PostgreSQL the pool bounds them.
	turns := make(chan struct{}, groupSize)
	var all sync.WaitGroup
	for i, n := range items {
		turns <- struct{}{}
		all.Go(func() {
			lines[i].Accepted, lines[i].Err = s.Accept(ctx, n)
			<-turns
		})
	}
	all.Wait()
	return lines
}

// errRace says that the row we ran into went away; the caller's client tries
// again.
var errRace = errors.New("accepted by another at the same moment")

func (s *Store) accept(ctx context.Context, n NewItem) (a Accepted, err error) {
	own, err := s.keyring.NewKey()
	if err != nil {
		return Accepted{}, err
	}
	err = s.write(ctx, func(t *tx) error {
		key := own // write may run this again
		a = Accepted{ID: s.newID("item", t.at), State: Pending, ReceivedAt: timeOf(t.at)}
		hash, err := s.keyring.Seal(key, hashAAD(a.ID), n.BodyHash[:])
		if err != nil {
			return err
		}
		fresh, err := t.insertItem(a.ID, n, hash)
		if err != nil {
			return err
		}
		if !fresh {
			a, err = s.acceptedBefore(t, n)
			return err
		}
		if n.UploadID != "" {
			if key, err = s.attach(t, a.ID, n); err != nil {
				return err
			}
		}
		sealed, err := s.keyring.Seal(key, textAAD(a.ID), []byte(n.Text))
		if err != nil {
			return err
		}
		if _, err = t.exec("INSERT INTO item_secrets (item_id, wrapped, body) VALUES ($1, $2, $3)", a.ID, key, sealed); err != nil {
			return err
		}
		return t.post(SubjectItem, a.ID, cmp.Or(n.Stage, StageJudge), n.Queue, t.at)
	})
	return a, err
}

func textAAD(itemID string) []byte { return []byte("text\x00" + itemID) }
func hashAAD(itemID string) []byte { return []byte("hash\x00" + itemID) }

// insertItem writes the item's row, or reports that one with the same
// external id or idempotency key is there.
func (t *tx) insertItem(id string, n NewItem, hash []byte) (fresh bool, err error) {
	var idempotency string
	if n.IdempotencyKey != "" {
		idempotency = hexHash(n.IdempotencyKey)
	}
	done, err := t.exec(`INSERT INTO items (id, tenant, external_id, idempotency, body_hash, kind, sender, sender_age, recipients,
			conversation_id, audience, locale, sent_at, received_at, media_key, media_type, media_bytes, media_sha256, stage, queue)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '', '', 0, '', $15, $16)
		ON CONFLICT DO NOTHING`,
		id, n.Tenant, orNull(n.ExternalID), orNull(idempotency), hash, string(n.Kind), n.Sender.ID, n.Sender.Age,
		jsonOf(people(n.Recipients)), n.ConversationID, string(n.Audience), n.Locale, micros(n.SentAt), t.at, cmp.Or(n.Stage, StageJudge), n.Queue)
	return done == 1, err
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// people keeps an empty list from being written as null.
func people(list []pipeline.Person) []pipeline.Person {
	if list == nil {
		return []pipeline.Person{}
	}
	return list
}

// acceptedBefore finds the item that an equal request made. An item whose key
// is destroyed or unknown cannot be compared: its name stays spent, since an old
// verdict must never answer for new words.
func (s *Store) acceptedBefore(t *tx, n NewItem) (Accepted, error) {
	type before struct {
		Accepted
		hash, key []byte
	}
	const columns = "SELECT i.id, i.state, i.received_at, i.body_hash, k.wrapped FROM items i LEFT JOIN item_secrets k ON k.item_id = i.id"
	rows, err := allOf(t, columns+" WHERE i.tenant = $1 AND i.external_id = $2 UNION "+columns+" WHERE i.tenant = $1 AND i.idempotency = $3",
		args(n.Tenant, n.ExternalID, hexHash(n.IdempotencyKey)), func(row scanner) (b before, err error) {
			var received int64
			err = row.Scan(&b.ID, &b.State, &received, &b.hash, &b.key)
			b.ReceivedAt, b.Existing = timeOf(received), true
			return b, err
		})
	switch {
	case err != nil:
		return Accepted{}, err
	case len(rows) == 0:
		return Accepted{}, errRace
	case len(rows) > 1, len(rows[0].key) == 0:
		return Accepted{}, ErrConflict
	}
	hash, err := s.keyring.Open(rows[0].key, hashAAD(rows[0].ID), rows[0].hash)
	if err != nil || subtle.ConstantTimeCompare(hash, n.BodyHash[:]) != 1 {
		return Accepted{}, ErrConflict
	}
	return rows[0].Accepted, nil
}

// attach gives the item its upload and the key under which that was stored.
func (s *Store) attach(t *tx, itemID string, n NewItem) (key []byte, err error) {
	u, err := t.takeUpload(n.Tenant, n.UploadID, itemID)
	if err != nil {
		return nil, err
	}
	hash, err := s.keyring.Seal(u.Key, hashAAD(itemID), n.BodyHash[:])
	if err != nil {
		return nil, err
	}
	_, err = t.exec("UPDATE items SET media_key = $2, media_type = $3, media_bytes = $4, media_sha256 = $5, body_hash = $6 WHERE id = $1",
		itemID, u.MediaKey, u.ContentType, u.Bytes, u.SHA256, hash)
	if err != nil {
		return nil, err
	}
	// the key lives in one place only, so that destroying it is final
	_, err = t.exec("UPDATE uploads SET wrapped = $2 WHERE id = $1", u.ID, []byte{})
	return u.Key, err
}
