package workers

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	if got := b.overdue(t, "objects"); got != 0 {
		t.Errorf("got %v s, want 0 of what has just been thrown away", got)
	}
	b.pass(2 * time.Hour)
	b.purge(t.Context())
	if got := b.overdue(t, "objects"); got != 7200 {
		t.Errorf("got %v s, want the two hours in the trash", got)
	}
}
