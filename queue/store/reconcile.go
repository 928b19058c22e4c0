package store

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Ledger is what Reconcile found.
type Ledger struct {
	Accepted int            `json:"accepted"`
	InFlight map[State]int  `json:"in_flight"`
	Ended    map[Ending]int `json:"ended"`
	// Differences is empty when all is well.
	Differences []Difference `json:"differences"`
	// Dead counts deliveries that were given up and dead letters; they need
	// a person, yet are no difference.
	DeadDeliveries int `json:"dead_deliveries"`
	DeadLetters    int `json:"dead_letters"`
}

// Well reports whether accepted = ended + in flight and nothing differs.
func (l Ledger) Well() bool {
	n := 0
	for _, c := range l.InFlight {
		n += c
	}
	for _, c := range l.Ended {
		n += c
	}
	return n == l.Accepted && len(l.Differences) == 0
}

// Difference is one thing that should not be.
type Difference struct {
	What   string `json:"what"` // such as orphan_item, duplicate_effect, verdict_without_end
	ItemID string `json:"item_id"`
}

// Reconcile counts items by state and end and looks for orphans (no verdict,
// no task, older than age), duplicate effects, verdicts without an end, ends
// without a verdict and reviews without a case.
func (s *Store) Reconcile(ctx context.Context, age time.Duration) (Ledger, error) {
	return Ledger{}, errors.ErrUnsupported
}

// MediaRef is an object that the record expects in the media store.
type MediaRef struct {
	Key    string
	ItemID string
	SHA256 string
}

// MediaRefs walks every object that should exist.
func (s *Store) MediaRefs(ctx context.Context) iter.Seq2[MediaRef, error] {
	return func(yield func(MediaRef, error) bool) { yield(MediaRef{}, errors.ErrUnsupported) }
}
