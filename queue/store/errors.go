package store

import (
	"errors"
	"fmt"
)

// The sentinels that callers act on. Test them with errors.Is.
var (
	// ErrNotFound: no such row for this tenant, or nothing to do.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the same key with another body, or a name that is taken, or
	// a state in which this cannot be done.
	ErrConflict = errors.New("conflict")
	// ErrDisabled: the endpoint was deleted or is gone; nothing is sent there.
	// It is an ErrConflict.
	ErrDisabled = fmt.Errorf("endpoint is disabled: %w", ErrConflict)
	// ErrFull: the tenant has as many live endpoints as it may. It is an
	// ErrConflict.
	ErrFull = fmt.Errorf("too many endpoints: %w", ErrConflict)
	// ErrClaimed: somebody else's lease is live.
	ErrClaimed = errors.New("claimed by another")
	// ErrLost: the caller's lease is no longer the newest; nothing was written.
	ErrLost = errors.New("lease lost")
	// ErrDone: the item or delivery has already ended.
	ErrDone = errors.New("already done")
	// ErrForbidden: this person may not do this.
	ErrForbidden = errors.New("forbidden")
	// ErrCapped: the reviewer saw as much severe material as one person may in
	// an hour.
	ErrCapped = errors.New("cap on severe views reached")
	// ErrTooLate: the window in which this could be taken back has passed.
	ErrTooLate = errors.New("too late")
	// ErrUpload: the upload is unknown, not stored, expired or already used.
	ErrUpload = errors.New("upload not usable")
	// ErrErased: the key of this item was destroyed; its content is gone.
	ErrErased = errors.New("erased")
	// ErrIllegal: the change of state is not in the transition table.
	ErrIllegal = errors.New("illegal transition")
)
