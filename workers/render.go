package workers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlight/queue/store"
	"nightlight/workers/examine"
)

// renderAgain is the pause after renditions could not be made: somebody waits.
const renderAgain = time.Minute

// Render makes what a reviewer looks at of a photo or film that judging sent to
// nobody and about which a case was opened since, such as by a report. It opens
// the sealed original, which stays as long as the case is open. When that does
// not work it is tried again until the case is closed; a file that cannot be
// shown is given up.
func (w *Worker) Render(ctx context.Context, itemID string) error {
	made, err := w.render(ctx, itemID)
	after, cancel := record(ctx)
	defer cancel()
	switch {
	case err == nil, taken(err), errors.Is(err, store.ErrErased), errors.Is(err, examine.ErrUnshowable):
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
	preview, thumbnail, err := w.Examiner.Renditions(ctx, it.Kind, data)
	return renditions(preview, thumbnail), err
}

// renditions are the pictures as evidence; what was not made is left out.
func renditions(preview, thumbnail []byte) (list []store.Evidence) {
	if len(preview) > 0 {
		list = append(list, store.Evidence{Kind: "preview", Body: preview})
	}
	if len(thumbnail) > 0 {
		list = append(list, store.Evidence{Kind: "thumbnail", Body: thumbnail})
	}
	return list
}
