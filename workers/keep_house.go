package workers

import (
	"context"
	"errors"
	"time"

	"nightlight/pipeline/media"
)

// purgeBatch is how many rows one round of house-keeping takes.
const purgeBatch = 200

// KeepHouse sends again what was lost on its way, expires uploads and content
// whose time has passed, and deletes their objects, until ctx ends. Several
// processes may do so at once.
func (w *Worker) KeepHouse(ctx context.Context) error {
	sweep, purge := time.NewTicker(w.Sweep), time.NewTicker(w.PurgeEvery)
	defer sweep.Stop()
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			n, err := w.Store.Sweep(ctx, w.SentFor)
			w.said("sweep", err)
			w.metrics.swept.Add(float64(n))
		case <-purge.C:
			w.purge(ctx)
		}
	}
}

func (w *Worker) purge(ctx context.Context) {
	_, err := w.Store.ExpireUploads(ctx, purgeBatch)
	w.said("expire uploads", err)
	_, err = w.Store.Purge(ctx, purgeBatch)
	w.said("purge", err)
	keys, err := w.Store.Trash(ctx, purgeBatch)
	w.said("list trash", err)
	var gone []string
	for _, key := range keys {
		if err := w.Media.Delete(ctx, key); err != nil && !errors.Is(err, media.ErrNotFound) {
			w.said("delete object", err)
			continue
		}
		gone = append(gone, key)
	}
	if len(gone) > 0 {
		w.said("empty trash", w.Store.Trashed(ctx, gone))
	}
}

// Bury keeps a task that the queue gave up on, for people to see.
func (w *Worker) Bury(ctx context.Context, taskID, stage string) {
	after, cancel := record(ctx)
	defer cancel()
	w.said("bury a task", w.Store.Bury(after, taskID, stage, "gave_up"))
}

func (w *Worker) said(deed string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		w.Log.Warn("house-keeping waits", "deed", deed, "error", err)
	}
}
