package workers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/store"
	"nightlight/workers/examine"
)

// renderAgain is the pause after renditions could not be made: somebody waits.
const renderAgain = time.Minute

// Render makes what a reviewer looks at of a photo or film that judging sent to
// nobody and about which a case was opened since, such as by a report. It opens
// the sealed original, which stays as long as the case is open. When that does
// not work it is tried again until the case is closed; a file that cannot be
// shown, is gone or is not what was sent is given up.
func (w *Worker) Render(ctx context.Context, itemID string) error {
	made, err := w.render(ctx, itemID)
	after, cancel := record(ctx)
	defer cancel()
	switch {
	case hopeless(err):
		w.Log.Warn("there will be no renditions", "item", itemID, "cause", classOf(err))
		err = w.Store.Rendered(after, itemID, []store.Evidence{{Kind: store.Unshowable}})
	case err == nil, taken(err), errors.Is(err, store.ErrErased):
		err = w.Store.Rendered(after, itemID, made)
	default:
		w.Log.Warn("renditions will be tried again", "item", itemID, "cause", classOf(err))
		err = w.Store.RenderLater(after, itemID, renderAgain)
	}
	if err != nil {
		return fmt.Errorf("render item %s: %w", itemID, err)
	}
	return nil
}

// hopeless reports whether trying again gives no renditions either.
func hopeless(err error) bool {
	return errors.Is(err, examine.ErrUnshowable) || errors.Is(err, media.ErrNotFound) || errors.Is(err, media.ErrBadKey) ||
		errors.Is(err, media.ErrTampered) || errors.Is(err, media.ErrHashMismatch) || errors.Is(err, media.ErrTooLarge)
}

func (w *Worker) render(ctx context.Context, itemID string) ([]store.Evidence, error) {
	ctx, stop := context.WithTimeout(ctx, w.JudgeTimeout)
	defer stop()
	it, key, err := w.Store.ToRender(ctx, itemID)
	if err != nil {
		return nil, err
	}
	data, err := w.fetch(ctx, itemID, it.Media, key)
	if err != nil {
		return nil, err
	}
	var signals []pipeline.Signal
	if it.Verdict != nil {
		signals = it.Verdict.Signals
	}
	shown, err := w.Examiner.Renditions(ctx, it.Kind, data, signals)
	made := renditions(shown)
	if err == nil && len(made) == 0 {
		err = examine.ErrUnshowable
	}
	return made, err
}

// renditions are the pictures, and what the frames on a sheet are, as evidence;
// what was not made is left out.
func renditions(s examine.Shown) (list []store.Evidence) {
	for _, one := range []store.Evidence{{Kind: "preview", Body: s.Preview}, {Kind: "thumbnail", Body: s.Thumbnail}, {Kind: "sheet", Body: s.Sheet}} {
		if len(one.Body) > 0 {
			list = append(list, one)
		}
	}
	return list
}
