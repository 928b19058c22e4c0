package store

import (
	"context"
	"fmt"
	"time"
)

// Upload is room for one media object that an item will carry.
type Upload struct {
	ID          string
	Tenant      string
	ContentType string
	Bytes       int64
	SHA256      string // hex
	MediaKey    string // where the object goes
	// Key is the wrapped data key; the item that takes the upload takes the
	// key with it.
	Key       []byte
	CreatedAt time.Time
	ExpiresAt time.Time
	Stored    bool
	ItemID    string // the item that took it, empty until then
}

// CreateUpload makes room for an object of this type, size and hash, for as
// long as ttl. ID, MediaKey and Key are set here.
func (s *Store) CreateUpload(ctx context.Context, u Upload, ttl time.Duration) (Upload, error) {
	key, err := s.keyring.NewKey()
	if err != nil {
		return Upload{}, fmt.Errorf("create upload: %w", err)
	}
	u.Key, u.Stored, u.ItemID = key, false, ""
	err = s.write(ctx, func(t *tx) error {
		u.ID = s.newID("up", t.at)
		u.MediaKey = mediaKey(u.ID)
		u.CreatedAt, u.ExpiresAt = timeOf(t.at), timeOf(t.at).Add(ttl)
		_, err := t.exec(`INSERT INTO uploads (id, tenant, content_type, bytes, sha256, media_key, wrapped, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			u.ID, u.Tenant, u.ContentType, u.Bytes, u.SHA256, u.MediaKey, u.Key, t.at, micros(u.ExpiresAt))
		return err
	})
	if err != nil {
		return Upload{}, fmt.Errorf("create upload: %w", err)
	}
	return u, nil
}

// mediaKey spreads objects over folders by the random end of the id and says
// nothing about their tenant or content.
func mediaKey(uploadID string) string {
	return "media/" + uploadID[len(uploadID)-2:] + "/" + uploadID
}

const uploadColumns = `SELECT id, tenant, content_type, bytes, sha256, media_key, wrapped, stored, COALESCE(item_id, ''), created_at, expires_at FROM uploads`

func scanUpload(row scanner) (u Upload, err error) {
	var created, expires int64
	var stored int
	err = row.Scan(&u.ID, &u.Tenant, &u.ContentType, &u.Bytes, &u.SHA256, &u.MediaKey, &u.Key, &stored, &u.ItemID, &created, &expires)
	u.Stored, u.CreatedAt, u.ExpiresAt = stored == 1, timeOf(created), timeOf(expires)
	return u, err
}

// Upload returns one upload of the tenant.
func (s *Store) Upload(ctx context.Context, tenant, id string) (u Upload, err error) {
	err = firstOf(s.reader(ctx), uploadColumns+" WHERE tenant = $1 AND id = $2", args(tenant, id), scanUpload, &u)
	if err != nil {
		return Upload{}, fmt.Errorf("read upload %s: %w", id, err)
	}
	return u, nil
}

// UploadStored marks that the object is durable. The second time is a no-op;
// an expired or used upload gives ErrUpload.
func (s *Store) UploadStored(ctx context.Context, tenant, id string) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE uploads SET stored = 1 WHERE tenant = $1 AND id = $2 AND item_id IS NULL AND expires_at > $3", tenant, id, t.at)
		if err == nil && n == 0 {
			err = ErrUpload
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("mark upload %s as stored: %w", id, err)
	}
	return nil
}

// takeUpload gives an upload to an item, once.
func (t *tx) takeUpload(tenant, id, itemID string) (u Upload, err error) {
	n, err := t.exec("UPDATE uploads SET item_id = $3 WHERE tenant = $1 AND id = $2 AND stored = 1 AND item_id IS NULL AND expires_at > $4",
		tenant, id, itemID, t.at)
	if err == nil && n == 0 {
		err = ErrUpload
	}
	if err != nil {
		return Upload{}, err
	}
	err = firstOf(t, uploadColumns+" WHERE id = $1", args(id), scanUpload, &u)
	return u, err
}

// ExpireUploads forgets uploads that no item took in time and puts their
// objects into the trash. It returns how many.
func (s *Store) ExpireUploads(ctx context.Context, limit int) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		keys, err := allOf(t, `DELETE FROM uploads WHERE id IN
			(SELECT id FROM uploads WHERE item_id IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2`+t.lock.skip+`)
			RETURNING media_key`, args(t.at, limit), scanText)
		if err != nil {
			return err
		}
		n = len(keys)
		return t.discard(keys...)
	})
	if err != nil {
		return 0, fmt.Errorf("expire uploads: %w", err)
	}
	return n, nil
}
