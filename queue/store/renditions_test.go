package store_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// sentPhoto accepts a photo.
func (w *world) sentPhoto() string {
	w.Helper()
	u, err := w.CreateUpload(w.Context(), store.Upload{Tenant: w.tenant, ContentType: "image/png"}, time.Hour)
	w.must(err)
	w.must(w.UploadStored(w.Context(), w.tenant, u.ID))
	n := w.message("")
	n.Kind, n.UploadID, n.Queue = pipeline.KindPhoto, u.ID, "photo"
	return w.accept(n)
}

// toRender takes the outbox's tasks and says whether the item is to be rendered.
func (w *world) toRender(id string) (found bool) {
	w.Helper()
	tasks, err := w.PendingTasks(w.Context(), 100)
	w.must(err)
	for _, k := range tasks {
		w.must(w.MarkSent(w.Context(), []int64{k.ID}))
		found = found || k.Ref == id && k.Stage == store.StageRender && k.Queue == "photo"
	}
	return found
}

func (w *world) report(id string) {
	w.Helper()
	_, err := w.Report(w.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo"})
	w.must(err)
}

var pictures = []store.Evidence{{Kind: "preview", Body: []byte("grey")}, {Kind: "thumbnail", Body: []byte("plain")}}

func TestRenditionsAreMadeOnceForWhoMustLookAndForNobodyElse(t *testing.T) {
	both(t, func(w *world) {
		quarantined := allowed()
		quarantined.Quarantine = true
		waits := held(2)
		for name, c := range map[string]struct {
			item func() string
			want bool
		}{
			"an allowed photo": {func() string {
				id := w.sentPhoto()
				w.commit(w.claim(id), store.Outcome{Verdict: allowed(), Evidence: []store.Evidence{{Kind: "ocr", Body: []byte("[]")}}})
				return id
			}, true},
			"a photo that is not judged yet": {w.sentPhoto, false},
			"a photo that is quarantined": {func() string {
				id := w.sentPhoto()
				w.commit(w.claim(id), store.Outcome{Verdict: quarantined})
				return id
			}, false},
			"a photo that has them": {func() string {
				id := w.sentPhoto()
				w.commit(w.claim(id), store.Outcome{Verdict: waits, Evidence: pictures})
				return id
			}, false},
			"a message": {func() string { id, _ := w.judged(allowed()); return id }, false},
		} {
			id := c.item()
			if w.toRender(id) {
				t.Errorf("%s: to be rendered although nobody reported it", name)
			}
			w.report(id)
			if got := w.toRender(id); got != c.want {
				t.Errorf("%s: got %t, want %t", name, got, c.want)
			}
			if _, _, err := w.ToRender(t.Context(), id); c.want == errors.Is(err, store.ErrDone) || !c.want && err == nil {
				t.Errorf("%s: got %v for who asks", name, err)
			}
			if !c.want {
				continue
			}
			w.must(w.Rendered(t.Context(), id, pictures))
			w.must(w.Rendered(t.Context(), id, pictures)) // a task may run twice
			kept, err := w.Evidence(t.Context(), w.tenant, id)
			w.must(err)
			if len(kept) != 3 || kept[0].Kind != "ocr" || string(kept[1].Body) != "grey" || string(kept[2].Body) != "plain" {
				t.Errorf("got %+v, want both renditions once", kept)
			}
		}
	})
}

func TestATaskToRenderThatRedisLostComesAgainUntilItIsDone(t *testing.T) {
	both(t, func(w *world) {
		id := w.sentPhoto()
		w.commit(w.claim(id), store.Outcome{Verdict: allowed()})
		w.report(id)
		again := func(after time.Duration) bool {
			w.clock.pass(after)
			_, err := w.Sweep(t.Context(), 15*time.Second)
			w.must(err)
			return w.toRender(id)
		}
		if got := []bool{w.toRender(id), again(time.Minute), again(3 * time.Minute)}; got[0] != true || got[1] != false || got[2] != true {
			t.Errorf("got %v, want it sent, given time, and sent again", got)
		}
		w.must(w.Rendered(t.Context(), id, []store.Evidence{{Kind: store.Unshowable}}))
		if again(time.Hour) {
			t.Error("it comes again after it was given up")
		}
		w.well()
	})
}

func TestATaskToRenderThatNobodyHasAnyMoreIsPostedAnew(t *testing.T) {
	raw(t, func(w *world, db *sql.DB) {
		id := w.sentPhoto()
		w.commit(w.claim(id), store.Outcome{Verdict: allowed()})
		w.report(id)
		_, err := db.Exec("DELETE FROM outbox WHERE ref = $1", id)
		w.must(err)
		w.clock.pass(time.Minute)
		for _, want := range []bool{true, false} {
			_, err := w.Sweep(t.Context(), 15*time.Second)
			w.must(err)
			if got := w.toRender(id); got != want {
				t.Errorf("got %t, want %t", got, want)
			}
		}
		w.must(w.Rendered(t.Context(), id, pictures))
		w.clock.pass(time.Hour)
		if n, err := w.Sweep(t.Context(), 15*time.Second); n != 0 || err != nil {
			t.Errorf("got %d tasks, %v for a picture that is there, want none", n, err)
		}
	})
}

func TestAPictureIsMadeForWhoGetsTheCaseAgainAfterItsTaskHasEnded(t *testing.T) {
	both(t, func(w *world) {
		rita := w.user("rita", review.RoleReviewer)
		id := w.sentPhoto()
		w.commit(w.claim(id), store.Outcome{Verdict: allowed()})
		w.report(id)
		w.toRender(id)
		caseID := w.decide(rita, pipeline.Block, false) // without a picture
		w.must(w.Rendered(t.Context(), id, nil))        // by a worker that came too late
		_, err := w.Undo(t.Context(), rita, caseID)
		w.must(err)
		if !w.toRender(id) {
			t.Error("got no task for the picture of a case that is open again")
		}
		w.must(w.Rendered(t.Context(), id, nil)) // by a slower one
		w.clock.pass(time.Hour)
		_, err = w.Sweep(t.Context(), 15*time.Second)
		w.must(err)
		if !w.toRender(id) {
			t.Error("got the task ended by a worker who had come before the case was open again")
		}
	})
}

func TestACopyThatGetsACaseOfItsOwnGetsItsPicture(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rae", review.RoleReviewer)
		w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 2))
		near := w.sentPhoto()
		print := &store.Print{SHA256: fileHash("g"), Models: "m1", PDQ: pdqBent(3), Quality: 90, Alone: true, Scores: `{}`}
		w.commit(w.claim(near), store.Outcome{Verdict: heldFor(ground, 2), Print: print}) // whose picture nobody could make
		if w.toRender(near) {
			t.Error("got a task for a copy in another's case")
		}
		w.decide(r, pipeline.Allow, false)
		if c := w.open(r, near); c.ItemID != near || !w.toRender(near) {
			t.Error("got no task for the picture of the copy's own case")
		}
	})
}
