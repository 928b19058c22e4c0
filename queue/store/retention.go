package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlight/pipeline"
)

// expiry is when the content of an item that ended now must go.
func (r Retention) expiry(at int64, kind pipeline.Kind, a pipeline.Action) int64 {
	keep := r.AllowedText
	switch {
	case a == pipeline.Block || a == pipeline.Hold:
		keep = r.Blocked
	case kind != pipeline.KindMessage:
		keep = r.AllowedMedia
	}
	return timeOf(at).Add(keep).UnixMicro()
}

// Purge destroys the keys of up to limit items whose time has passed and that
// are not under hold, and puts their objects into the trash; it does the same
// to as many notes that came when the content was gone already, and it forgets
// the receipts of old erasures. It returns how many items and notes. The item
// keeps its state, end and verdict; an item with an open case keeps its content
// and the notes on it until that is decided.
func (s *Store) Purge(ctx context.Context, limit int) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		due, err := allOf(t, `UPDATE items SET purged_at = $1 WHERE id IN
			(SELECT i.id FROM items i WHERE i.expires_at > 0 AND i.expires_at <= $1 AND i.purged_at = 0 AND i.hold = 0
				AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.item_id = i.id AND c.state = 'open')
				ORDER BY i.expires_at LIMIT $2`+t.lock.skip+`)
			RETURNING id`, args(t.at, limit), scanText)
		if err != nil {
			return err
		}
		if err := t.destroy(due); err != nil {
			return err
		}
		late, err := t.exec(`UPDATE reports SET note = $3, wrapped = NULL WHERE wrapped IS NOT NULL AND item_id IN
			(SELECT i.id FROM `+lateNotes+` LIMIT $2)`, t.at, limit, []byte{})
		if err != nil {
			return err
		}
		n = len(due) + late
		_, err = t.exec("DELETE FROM erasures WHERE at <= $1", t.at-receiptKept.Microseconds())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("purge: %w", err)
	}
	return n, nil
}

// lateNotes are notes under keys of their own whose time has passed: that of
// their item, which a decision about it begins anew.
const lateNotes = `reports r JOIN items i ON i.id = r.item_id
	WHERE r.wrapped IS NOT NULL AND i.purged_at > 0 AND i.hold = 0 AND i.expires_at > 0 AND i.expires_at <= $1
	AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.item_id = i.id AND c.state = 'open')
	ORDER BY i.expires_at`

// destroy erases the content of items: the keys first of all, then what they
// sealed, and what was written about the items. The media objects go into the
// trash.
func (t *tx) destroy(items []string) error {
	for _, trash := range [...]string{
		"SELECT media_key, CAST($101 AS BIGINT) FROM evidence WHERE media_key <> '' AND item_id IN " + these,
		"SELECT media_key, CAST($101 AS BIGINT) FROM items WHERE media_key <> '' AND id IN " + these,
	} {
		if _, err := t.execFor(items, "INSERT INTO media_trash (media_key, at) "+trash+" ON CONFLICT (media_key) DO NOTHING", t.at); err != nil {
			return err
		}
	}
	for _, gone := range [...]string{
		"DELETE FROM item_secrets WHERE item_id IN ",
		"DELETE FROM evidence WHERE item_id IN ",
		"DELETE FROM uploads WHERE item_id IN ",
		"DELETE FROM prints WHERE item_id IN ",
		"DELETE FROM print_words WHERE item_id IN ",
	} {
		if _, err := t.execFor(items, gone+these); err != nil {
			return err
		}
	}
	for _, gone := range [...]string{
		"UPDATE votes SET note = $101 WHERE item_id IN ",
		"UPDATE reports SET note = $101, wrapped = NULL WHERE item_id IN ",
	} {
		if _, err := t.execFor(items, gone+these, []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// Scrub takes what was destroyed out of the database's own files too. In SQLite's
// main file it is overwritten as it is deleted; the journal beside it, which
// holds pages of before, is written back and cut to nothing. It fails when somebody
// still reads from there, and may be tried again. On PostgreSQL it does nothing.
func (s *Store) Scrub(ctx context.Context) error {
	if err := s.scrub(ctx); err != nil {
		return fmt.Errorf("scrub: %w", err)
	}
	return nil
}

// discard puts media objects into the trash.
func (t *tx) discard(keys ...string) error {
	for _, k := range keys {
		if _, err := t.exec("INSERT INTO media_trash (media_key, at) VALUES ($1, $2) ON CONFLICT (media_key) DO NOTHING", k, t.at); err != nil {
			return err
		}
	}
	return nil
}

// Trash lists up to limit media objects that must be deleted.
func (s *Store) Trash(ctx context.Context, limit int) ([]string, error) {
	list, err := allOf(s.reader(ctx), "SELECT media_key FROM media_trash ORDER BY at, media_key LIMIT $1", args(limit), scanText)
	if err != nil {
		return nil, fmt.Errorf("list trash: %w", err)
	}
	return list, nil
}

// Trashed forgets objects that were deleted.
func (s *Store) Trashed(ctx context.Context, keys []string) error {
	err := s.write(ctx, func(t *tx) error {
		for _, k := range keys {
			if _, err := t.exec("DELETE FROM media_trash WHERE media_key = $1", k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("empty trash: %w", err)
	}
	return nil
}

// Overdue is how long the oldest of each has outlived its time; 0 when there is
// none.
type Overdue struct {
	Content time.Duration // of items and notes, without those that a hold or an open case keeps
	Uploads time.Duration // that no item took
	Objects time.Duration // in the trash
}

// Overdue measures what Purge, ExpireUploads and the emptying of the trash have
// not come to yet.
func (s *Store) Overdue(ctx context.Context) (late Overdue, err error) {
	now, err := s.now(ctx)
	if err != nil {
		return Overdue{}, fmt.Errorf("measure what is overdue: %w", err)
	}
	r := s.reader(ctx)
	for _, oldest := range [...]struct {
		query string
		into  *time.Duration
	}{
		{`SELECT i.expires_at FROM items i WHERE i.expires_at > 0 AND i.expires_at <= $1 AND i.purged_at = 0 AND i.hold = 0
			AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.item_id = i.id AND c.state = 'open') ORDER BY i.expires_at LIMIT 1`, &late.Content},
		{"SELECT i.expires_at FROM " + lateNotes + " LIMIT 1", &late.Content},
		{"SELECT expires_at FROM uploads WHERE item_id IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT 1", &late.Uploads},
		{"SELECT at FROM media_trash WHERE at <= $1 ORDER BY at LIMIT 1", &late.Objects},
	} {
		var since int64
		err := r.one(oldest.query, args(now), &since)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return Overdue{}, fmt.Errorf("measure what is overdue: %w", err)
		}
		*oldest.into = max(*oldest.into, time.Duration(now-since)*time.Microsecond)
	}
	return late, nil
}

// SetHold puts an item under legal hold, or lifts it. why is a short fixed
// word for the audit log. ErrErased when there is no content left to keep.
func (s *Store) SetHold(ctx context.Context, tenant, itemID string, hold bool, why, by string) error {
	err := s.write(ctx, func(t *tx) error {
		var owner string
		err := t.one("UPDATE items SET hold = $3 WHERE id = $2 AND ($1 = '' OR tenant = $1) AND ($3 = 0 OR purged_at = 0) RETURNING tenant",
			args(tenant, itemID, flag(hold)), &owner)
		if errors.Is(err, ErrNotFound) {
			return t.whyNoHold(tenant, itemID)
		}
		if err != nil {
			return err
		}
		return t.audit(owner, by, map[bool]string{true: "item.hold", false: "item.release"}[hold], itemID, why)
	})
	if err != nil {
		return fmt.Errorf("hold item %s: %w", itemID, err)
	}
	return nil
}

func (t *tx) whyNoHold(tenant, itemID string) error {
	var id string
	if err := t.one("SELECT id FROM items WHERE id = $2 AND ($1 = '' OR tenant = $1)", args(tenant, itemID), &id); err != nil {
		return err
	}
	return ErrErased
}
