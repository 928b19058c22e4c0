package store

import (
	"context"
	"errors"
	"time"

	"nightlight/pipeline"
)

// Lease is a worker's hold on an item. Attempt is the fence: whoever claims
// later gets a higher number, and writers with a lower one lose.
type Lease struct {
	ItemID  string
	Stage   string
	Worker  string
	Attempt int
	Until   time.Time
	// Item is complete for judging: text, context, ages, ToGuardian.
	Item  pipeline.Item
	Media *Media
	// Key is the wrapped data key for the media object.
	Key []byte
	// Exhausted is true when earlier attempts used up Options.MaxAttempts: do
	// not judge again, commit a verdict that holds or quarantines.
	Exhausted bool
}

// Claim takes the item for Options.ItemLease. ErrClaimed when another's lease
// is live, ErrDone when the item already has a verdict or an end, ErrNotFound
// when there is none.
func (s *Store) Claim(ctx context.Context, itemID, stage, worker string) (*Lease, error) {
	return nil, errors.ErrUnsupported
}

// Heartbeat extends the lease; ErrLost when it is no longer the newest.
func (s *Store) Heartbeat(ctx context.Context, l *Lease) error { return errors.ErrUnsupported }

// Release gives the item back and lets its task go out again after a while.
// When spent is false the attempt does not count towards poison, such as on a
// clean shutdown.
func (s *Store) Release(ctx context.Context, l *Lease, after time.Duration, spent bool) error {
	return errors.ErrUnsupported
}
