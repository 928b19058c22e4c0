package store

import (
	"context"
	"errors"
)

// Purge destroys the keys of up to limit items whose time has passed and that
// are not under hold, and puts their objects into the trash. It returns how
// many. The item keeps its state, end and verdict.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) { return 0, errors.ErrUnsupported }

// Trash lists up to limit media objects that must be deleted.
func (s *Store) Trash(ctx context.Context, limit int) ([]string, error) {
	return nil, errors.ErrUnsupported
}

// Trashed forgets objects that were deleted.
func (s *Store) Trashed(ctx context.Context, keys []string) error { return errors.ErrUnsupported }

// SetHold puts an item under legal hold, or lifts it. why is a short fixed
// word for the audit log.
func (s *Store) SetHold(ctx context.Context, tenant, itemID string, hold bool, why, by string) error {
	return errors.ErrUnsupported
}
