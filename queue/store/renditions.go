package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Judging leaves renditions of a photo or film only where the verdict sends it
// to a person. When a case opens for another reason, such as a report of a photo
// that was allowed, they are made then, from the sealed original: no child's
// picture is copied in case somebody might look one day. They are sealed under
// the item's key and go with its content.

// StageRender is the stage of the task that makes them.
const StageRender = "render"

// Unshowable is the kind of Evidence, without a body, that an item has of which
// there will never be a rendition.
const Unshowable = "unshowable"

// unseen is true of photos and films about which a case is open and of which
// there is no rendition and may yet be one. What is not judged yet is left to
// judging, and what is quarantined is not opened any more.
const unseen = `i.kind IN ('photo', 'video') AND i.media_key <> '' AND i.purged_at = 0 AND i.state IN ('in_review', 'closed')
	AND EXISTS (SELECT 1 FROM cases c WHERE c.item_id = i.id AND c.state = 'open')
	AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.item_id = i.id AND e.kind IN ('preview', 'thumbnail', '` + Unshowable + `'))`

// render posts the task of an item that is unseen, due at a time.
func (t *tx) render(itemID string, due int64) error {
	var queue string
	err := t.one("SELECT i.queue FROM items i WHERE i.id = $1 AND "+unseen, args(itemID), &queue)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.post(SubjectItem, itemID, StageRender, queue, due)
}

// unrenderedEvery is how often all open cases are looked at for tasks that are
// missing, and unrenderedMost how many are written at a time.
const (
	unrenderedEvery = time.Minute
	unrenderedMost  = 1000
)

// unrendered lists items that are unseen and have no task. It looks without a
// lock, as there are hardly ever any.
func (s *Store) unrendered(ctx context.Context) ([]string, error) {
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	if last := s.looked.Load(); now-last < unrenderedEvery.Microseconds() || !s.looked.CompareAndSwap(last, now) {
		return nil, nil
	}
	return allOf(s.reader(ctx), "SELECT i.id FROM items i WHERE i.id IN (SELECT c.item_id FROM cases c WHERE c.state = 'open') AND "+unseen+`
		AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.ref = i.id AND o.stage = 'render') LIMIT $1`, args(unrenderedMost), scanText)
}

// ToRender returns an item whose renditions are wanted and its wrapped data key;
// ErrDone when nobody waits for them, or not any more.
func (s *Store) ToRender(ctx context.Context, itemID string) (it Item, key []byte, err error) {
	err = s.reader(ctx).one("SELECT k.wrapped FROM items i JOIN item_secrets k ON k.item_id = i.id WHERE i.id = $1 AND "+unseen, args(itemID), &key)
	if errors.Is(err, ErrNotFound) {
		err = ErrDone
	}
	if err == nil {
		it, err = s.Item(ctx, "", itemID)
	}
	if err != nil {
		return Item{}, nil, fmt.Errorf("renditions of item %s: %w", itemID, err)
	}
	return it, key, nil
}

// Rendered keeps an item's renditions, or that it is Unshowable, unless they are
// there or the case was closed meanwhile, and ends the task. Without anything to
// keep the task ends only where nobody waits for it: a case may have been opened
// since the worker looked.
func (s *Store) Rendered(ctx context.Context, itemID string, list []Evidence) error {
	err := s.write(ctx, func(t *tx) error {
		if err := s.keepRenditions(t, itemID, list); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM outbox WHERE ref = $1 AND stage = $2 AND NOT EXISTS (SELECT 1 FROM items i WHERE i.id = $1 AND "+unseen+")",
			itemID, StageRender)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep renditions of item %s: %w", itemID, err)
	}
	return nil
}

func (s *Store) keepRenditions(t *tx, itemID string, list []Evidence) error {
	// the row is ours until the end: of two workers with one task the first keeps
	if _, err := t.exec("UPDATE items SET hold = hold WHERE id = $1", itemID); err != nil {
		return err
	}
	var key []byte
	var have int
	err := t.one("SELECT k.wrapped, COALESCE((SELECT MAX(e.n) + 1 FROM evidence e WHERE e.item_id = i.id), 0)"+
		" FROM items i JOIN item_secrets k ON k.item_id = i.id WHERE i.id = $1 AND "+unseen, args(itemID), &key, &have)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.keep(t, itemID, key, have, list)
}

// RenderLater lets the task go out again after a while, if anybody still waits.
func (s *Store) RenderLater(ctx context.Context, itemID string, after time.Duration) error {
	err := s.write(ctx, func(t *tx) error { return t.render(itemID, t.at+after.Microseconds()) })
	if err != nil {
		return fmt.Errorf("put off renditions of item %s: %w", itemID, err)
	}
	return nil
}
