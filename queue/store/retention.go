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
// are not under hold, and puts their objects into the trash. It returns how
// many. The item keeps its state, end and verdict; an item with an open case
// keeps its content until that is decided.
func (s *Store) Purge(ctx context.Context, limit int) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		due, err := allOf(t, `UPDATE items SET purged_at = $1 WHERE id IN
			(SELECT i.id FROM items i WHERE i.expires_at > 0 AND i.expires_at <= $1 AND i.purged_at = 0 AND i.hold = 0
				AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.item_id = i.id AND c.state = 'open')
				ORDER BY i.expires_at LIMIT $2`+t.lock.skip+`)
			RETURNING id, media_key`, args(t.at, limit), scanPurged)
		if err != nil {
			return err
		}
		n = len(due)
		for _, p := range due {
			if _, err := t.destroy(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("purge: %w", err)
	}
	return n, nil
}

// purged is an item whose content goes.
type purged struct{ item, mediaKey string }

func scanPurged(row scanner) (p purged, err error) {
	err = row.Scan(&p.item, &p.mediaKey)
	return p, err
}

// destroy erases an item's content: the key first of all, then what it
// sealed, and it returns the media objects that must be deleted.
func (t *tx) destroy(p purged) (keys []string, err error) {
	keys, err = allOf(t, "SELECT media_key FROM evidence WHERE item_id = $1 AND media_key <> ''", args(p.item), scanText)
	if err != nil {
		return nil, err
	}
	if p.mediaKey != "" {
		keys = append(keys, p.mediaKey)
	}
	for _, gone := range [...]string{
		"DELETE FROM item_secrets WHERE item_id = $1",
		"DELETE FROM evidence WHERE item_id = $1",
		"DELETE FROM uploads WHERE item_id = $1",
		"DELETE FROM prints WHERE item_id = $1",
		"DELETE FROM print_words WHERE item_id = $1",
	} {
		if _, err := t.exec(gone, p.item); err != nil {
			return nil, err
		}
	}
	for _, gone := range [...]string{
		"UPDATE votes SET note = $2 WHERE item_id = $1",
		"UPDATE reports SET note = $2 WHERE item_id = $1",
	} {
		if _, err := t.exec(gone, p.item, []byte{}); err != nil {
			return nil, err
		}
	}
	return keys, t.discard(keys...)
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
	Content time.Duration // of items, without those that a hold or an open case keeps
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
		*oldest.into = time.Duration(now-since) * time.Microsecond
	}
	return late, nil
}

// SetHold puts an item under legal hold, or lifts it. why is a short fixed
// word for the audit log.
func (s *Store) SetHold(ctx context.Context, tenant, itemID string, hold bool, why, by string) error {
	err := s.write(ctx, func(t *tx) error {
		var owner string
		err := t.one("UPDATE items SET hold = $3 WHERE id = $2 AND ($1 = '' OR tenant = $1) RETURNING tenant",
			args(tenant, itemID, flag(hold)), &owner)
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
