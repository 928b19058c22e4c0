package workers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/store"
)

// many runs f a number of times, several at once, so that they share commits.
func many(n int, f func(i int)) {
	var all sync.WaitGroup
	turns := make(chan struct{}, 50)
	for i := range n {
		turns <- struct{}{}
		all.Go(func() { defer func() { <-turns }(); f(i) })
	}
	all.Wait()
}

// overdue reads the gauge of what has outlived its time, in seconds.
func (b *bench) overdue(t *testing.T, what string) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(b.Metrics())
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "nightlight_retention_overdue_seconds" && m.GetLabel()[0].GetValue() == what {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("nobody measures overdue %s", what)
	return 0
}

func TestOneRoundDestroysAllWhoseTimeHasPassed(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	const n = 2*purgeBatch + 1
	ids := make([]string, n)
	many(n, func(i int) {
		ids[i] = b.accept(t, pipeline.Item{ExternalID: fmt.Sprint("m", i)})
		if err := b.Judge(t.Context(), ids[i]); err != nil {
			t.Error(err)
		}
		if _, err := b.Store.CreateUpload(t.Context(), store.Upload{Tenant: b.tenant}, time.Minute); err != nil {
			t.Error(err)
		}
	})
	b.pass(31 * 24 * time.Hour)
	late, err := b.Store.Overdue(t.Context())
	if err != nil || late.Content != 24*time.Hour || late.Uploads < 30*24*time.Hour || late.Objects != 0 {
		t.Errorf("got %+v, %v before, want a day for the content and a month for the uploads", late, err)
	}
	b.purge(t.Context())
	b.clear(t.Context())
	for _, id := range ids {
		if !b.item(t, id).Purged {
			t.Fatal("content has outlived its time and the round")
		}
	}
	trash, err := b.Store.Trash(t.Context(), 1)
	if err != nil || len(trash) != 0 {
		t.Errorf("got %d objects in the trash, %v, want none", len(trash), err)
	}
	if late, err := b.Store.Overdue(t.Context()); err != nil || late != (store.Overdue{}) {
		t.Errorf("got %+v, %v left, want nothing", late, err)
	}
}

// stuck is a media store that deletes nothing.
type stuck struct{ media.Store }

func (stuck) Delete(context.Context, string) error { return errors.New("made up") }

func TestObjectsThatCannotBeDeletedAreMeasuredAndNotTriedForEver(t *testing.T) {
	b := newBench(t, silent())
	b.Media = stuck{b.Media}
	many(purgeBatch, func(int) {
		if _, err := b.Store.CreateUpload(t.Context(), store.Upload{Tenant: b.tenant}, time.Minute); err != nil {
			t.Error(err)
		}
	})
	b.pass(time.Hour)
	b.purge(t.Context())
	b.clear(t.Context())
	if got := b.overdue(t, "objects"); got != 0 {
		t.Errorf("got %v s, want 0 of what has just been thrown away", got)
	}
	b.pass(2 * time.Hour)
	b.clear(t.Context())
	b.purge(t.Context())
	if got := b.overdue(t, "objects"); got != 7200 {
		t.Errorf("got %v s, want the two hours in the trash", got)
	}
}

// hung is a media store that answers no deletion until the caller gives up, or
// until back is closed where there is one.
type hung struct {
	media.Store
	asked atomic.Int32
	back  chan struct{}
}

func (h *hung) Delete(ctx context.Context, _ string) error {
	h.asked.Add(1)
	if h.back != nil {
		<-h.back
		return errors.New("made up")
	}
	<-ctx.Done()
	return ctx.Err()
}

// trash throws n objects away that are there.
func (b *bench) trash(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := b.Store.CreateUpload(t.Context(), store.Upload{Tenant: b.tenant}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	b.pass(time.Hour)
	if _, err := b.Store.ExpireUploads(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func TestContentGoesAndWhatIsOverdueIsMeasuredWhileTheMediaStoreIsAway(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	b.trash(t, 10)
	away := &hung{Store: b.Media, back: make(chan struct{})}
	b.Media, b.PurgeEvery = away, 300*time.Millisecond
	keeping, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.KeepHouse(keeping) }()
	let := sync.OnceFunc(func() { stop(); close(away.back) })
	defer let()
	eventually(t, "a deletion hangs", func() bool { return away.asked.Load() > 0 })
	id := b.accept(t, pipeline.Item{})
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	b.pass(31 * 24 * time.Hour)
	eventually(t, "the content is destroyed", func() bool { return b.item(t, id).Purged })
	eventually(t, "the objects are known to be late", func() bool { return b.overdue(t, "objects") >= 31*24*3600 })
	let()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestABatchOfDeletionsThatHangEndsInTime(t *testing.T) {
	b := newBench(t, silent())
	b.trash(t, 10)
	away := &hung{Store: b.Media}
	b.Media, b.PurgeEvery = away, 300*time.Millisecond
	began := time.Now()
	b.clear(t.Context())
	if n := away.asked.Load(); n != 1 {
		t.Errorf("got %d deletions tried, want one: there was no time for another", n)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// choosy is a media store that deletes all but one.
type choosy struct {
	media.Store
	not string
}

func (c choosy) Delete(ctx context.Context, key string) error {
	if key == c.not {
		return errors.New("made up")
	}
	return c.Store.Delete(ctx, key)
}

func TestOneObjectThatCannotBeDeletedDoesNotKeepTheOthers(t *testing.T) {
	b := newBench(t, silent())
	b.trash(t, 10)
	first, err := b.Store.Trash(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	b.Media = choosy{b.Media, first[0]}
	b.clear(t.Context())
	if left, err := b.Store.Trash(t.Context(), 100); err != nil || !slices.Equal(left, first) {
		t.Errorf("got %d objects left, %v, want that one", len(left), err)
	}
}

func TestARoundOfHouseKeepingLeavesNoJournalWithWhatWasDestroyed(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	if err := b.Judge(t.Context(), b.accept(t, pipeline.Item{})); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Store.EraseAccount(t.Context(), b.tenant, "child", "test"); err != nil {
		t.Fatal(err)
	}
	b.purge(t.Context())
	if s, err := os.Stat(b.file + "-wal"); err != nil || s.Size() != 0 {
		t.Errorf("got a journal of %d bytes, %v, want none", s.Size(), err)
	}
}
