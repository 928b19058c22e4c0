package workers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"nightlight/pipeline/media"
)

// purgeBatch is how many rows one step of house-keeping takes at a time.
const purgeBatch = 200

// KeepHouse sends again what was lost on its way, expires uploads and content
// whose time has passed, and deletes their objects, until ctx ends. Several
// processes may do so at once. None of the three keeps another waiting: a purge
// can be long, and the media store can be away.
func (w *Worker) KeepHouse(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() { every(ctx, w.Sweep, w.sweep) })
	loops.Go(func() { every(ctx, w.PurgeEvery, w.purge) })
	loops.Go(func() { every(ctx, w.PurgeEvery, w.clear) })
	loops.Wait()
	return nil
}

// every calls f again and again until ctx ends.
func every(ctx context.Context, pause time.Duration, f func(context.Context)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f(ctx)
		}
	}
}

func (w *Worker) sweep(ctx context.Context) {
	n, err := w.Store.Sweep(ctx, w.SentFor)
	w.said("sweep", err)
	w.metrics.swept.Add(float64(n))
}

func (w *Worker) purge(ctx context.Context) {
	w.whileFull(ctx, "expire uploads", w.Store.ExpireUploads)
	w.whileFull(ctx, "purge", w.Store.Purge)
	w.said("scrub", w.Store.Scrub(ctx)) // each time: an account may have been erased by another process
	late, err := w.Store.Overdue(ctx)
	if err != nil {
		w.said("measure what is overdue", err)
		return
	}
	w.metrics.overdue.WithLabelValues("content").Set(late.Content.Seconds())
	w.metrics.overdue.WithLabelValues("uploads").Set(late.Uploads.Seconds())
	w.metrics.overdue.WithLabelValues("objects").Set(late.Objects.Seconds())
}

// clear empties the trash.
func (w *Worker) clear(ctx context.Context) { w.whileFull(ctx, "empty trash", w.emptyTrash) }

// whileFull repeats a step as long as it finds a full batch, so that what a
// busy day leaves behind goes within a day too. It ends after a third of the
// time between two rounds: a loop has two such steps at most.
func (w *Worker) whileFull(ctx context.Context, deed string, step func(ctx context.Context, limit int) (int, error)) {
	for end := time.Now().Add(w.PurgeEvery / 3); ; {
		n, err := step(ctx, purgeBatch)
		w.said(deed, err)
		if err != nil || n < purgeBatch || time.Now().After(end) {
			return
		}
	}
}

// emptyTrash deletes a batch of objects, as many as it comes to in a third of the
// time between two rounds: a media store that is away may let each wait. One
// object that cannot be deleted does not keep the others. It returns how many it
// took up, and 0 when none of them could be deleted: trying those again waits for
// the next round.
func (w *Worker) emptyTrash(ctx context.Context, limit int) (int, error) {
	keys, err := w.Store.Trash(ctx, limit)
	if err != nil {
		return 0, err
	}
	deleting, cancel := context.WithTimeout(ctx, w.PurgeEvery/3)
	defer cancel()
	var gone []string
	var failed error
	for _, key := range keys {
		if deleting.Err() != nil {
			break
		}
		if err := w.Media.Delete(deleting, key); err != nil && !errors.Is(err, media.ErrNotFound) {
			failed = err
			continue
		}
		gone = append(gone, key)
	}
	if failed != nil {
		w.said(fmt.Sprintf("delete %d of %d objects", len(keys)-len(gone), len(keys)), failed)
	}
	if len(gone) == 0 {
		return 0, nil
	}
	return len(keys), w.Store.Trashed(ctx, gone)
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
