package store

import (
	"context"
	"errors"
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
	// BodyHash tells whether a second request means the same item.
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
	return Accepted{}, errors.ErrUnsupported
}

// AcceptBatch accepts many items with as few commits as possible. Each line
// stands alone: one that fails does not stop the others. All must be of one
// tenant.
func (s *Store) AcceptBatch(ctx context.Context, items []NewItem) []AcceptedLine { return nil }
