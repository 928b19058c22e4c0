package store

import (
	"context"
	"errors"
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
	return Upload{}, errors.ErrUnsupported
}

// Upload returns one upload of the tenant.
func (s *Store) Upload(ctx context.Context, tenant, id string) (Upload, error) {
	return Upload{}, errors.ErrUnsupported
}

// UploadStored marks that the object is durable. The second time is a no-op;
// an expired or used upload gives ErrUpload.
func (s *Store) UploadStored(ctx context.Context, tenant, id string) error {
	return errors.ErrUnsupported
}

// ExpireUploads forgets uploads that no item took in time and puts their
// objects into the trash. It returns how many.
func (s *Store) ExpireUploads(ctx context.Context, limit int) (int, error) {
	return 0, errors.ErrUnsupported
}
