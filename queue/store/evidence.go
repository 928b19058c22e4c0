package store

import (
	"context"
	"errors"
	"fmt"
)

// Evidence is something found in an item that a reviewer or an auditor needs:
// a transcript, recognised text, a frame, a blurred rendition.
type Evidence struct {
	Kind string // transcript, ocr, frame, rendition, …
	// Body is stored sealed under the item's key.
	Body []byte
	// MediaKey names an object in the media store, if there is one.
	MediaKey string
}

func evidenceAAD(itemID string, n int) []byte {
	return fmt.Appendf(nil, "evidence\x00%s\x00%d", itemID, n)
}

// keep writes evidence sealed under the item's key, behind what there is.
func (s *Store) keep(t *tx, itemID string, key []byte, have int, list []Evidence) error {
	for i, e := range list {
		n := have + i
		sealed, err := s.keyring.Seal(key, evidenceAAD(itemID, n), e.Body)
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO evidence (item_id, n, kind, media_key, body) VALUES ($1, $2, $3, $4, $5)", itemID, n, e.Kind, e.MediaKey, sealed)
		if err != nil {
			return err
		}
	}
	return nil
}

// Evidence opens what Commit and Rendered stored for an item; ErrErased when its key is
// gone.
func (s *Store) Evidence(ctx context.Context, tenant, itemID string) ([]Evidence, error) {
	list, err := s.evidence(ctx, tenant, itemID)
	if err != nil {
		return nil, fmt.Errorf("open evidence of %s: %w", itemID, err)
	}
	return list, nil
}

func (s *Store) evidence(ctx context.Context, tenant, itemID string) ([]Evidence, error) {
	var key, body []byte
	if err := s.secrets(ctx, tenant, itemID, &key, &body); err != nil {
		return nil, err
	}
	return allOf(s.reader(ctx), "SELECT n, kind, media_key, body FROM evidence WHERE item_id = $1 ORDER BY n", args(itemID),
		func(row scanner) (e Evidence, err error) {
			var n int
			var sealed []byte
			if err := row.Scan(&n, &e.Kind, &e.MediaKey, &sealed); err != nil {
				return Evidence{}, err
			}
			e.Body, err = s.keyring.Open(key, evidenceAAD(itemID, n), sealed)
			return e, err
		})
}

// sealNote seals what a reviewer wrote about an item; nothing when the item's
// key is gone, for then there is nothing to seal it under.
func (s *Store) sealNote(t *tx, itemID, about, note string) ([]byte, error) {
	if note == "" {
		return []byte{}, nil
	}
	key, err := t.keyOf(itemID)
	if err != nil || key == nil {
		return []byte{}, err
	}
	return s.keyring.Seal(key, noteAAD(itemID, about), []byte(note))
}

// sealFlag seals what a reporter or an appellant wrote about an item, so that it
// goes with the item's content. Where that is gone already it is sealed under a
// key of its own, which is returned wrapped: who is promised a look is read.
func (s *Store) sealFlag(t *tx, itemID, about, note string) (own, sealed []byte, err error) {
	if note == "" {
		return nil, []byte{}, nil
	}
	key, err := t.keyOf(itemID)
	if err != nil {
		return nil, nil, err
	}
	if key == nil {
		if own, err = s.keyring.NewKey(); err != nil {
			return nil, nil, err
		}
		key = own
	}
	sealed, err = s.keyring.Seal(key, noteAAD(itemID, about), []byte(note))
	return own, sealed, err
}

// keyOf returns the item's wrapped key, nil when it is gone.
func (t *tx) keyOf(itemID string) (key []byte, err error) {
	err = t.one("SELECT wrapped FROM item_secrets WHERE item_id = $1", args(itemID), &key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return key, err
}

// openNote is the reverse of sealNote; a note that is gone is empty.
func (s *Store) openNote(t *tx, itemID, about string, sealed []byte) (string, error) {
	return s.openFlag(t, itemID, about, nil, sealed)
}

// openFlag is the reverse of sealFlag; a note that is gone is empty.
func (s *Store) openFlag(t *tx, itemID, about string, own, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	key := own
	if key == nil {
		var err error
		if key, err = t.keyOf(itemID); err != nil || key == nil {
			return "", err
		}
	}
	plain, err := s.keyring.Open(key, noteAAD(itemID, about), sealed)
	return string(plain), err
}

func noteAAD(itemID, about string) []byte { return []byte("note\x00" + itemID + "\x00" + about) }
