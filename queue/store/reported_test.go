package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

// blocked is a verdict that asks for nobody.
func blocked(severity int) pipeline.Verdict {
	return pipeline.Verdict{Action: pipeline.Block, PolicyVersion: "p1", Labels: []pipeline.LabelScore{{Label: pipeline.BullyingThreat, Score: .9, Severity: severity}}}
}

func TestAReportBeforeTheVerdictIsAsGraveAsOneAfterIt(t *testing.T) {
	for name, c := range map[string]struct {
		verdict  pipeline.Verdict
		severity int
		look     time.Duration
		due      time.Duration
	}{
		"a grave block":                          {blocked(4), 4, 5 * time.Minute, 5 * time.Minute},
		"a block that needs a look in its time":  {blocked(3), 3, 48 * time.Hour, time.Hour},
		"a block of which nothing is said":       {blocked(3), 3, 0, time.Hour},
		"a warning milder than the report":       {pipeline.Verdict{Action: pipeline.Warn, PolicyVersion: "p1", Labels: blocked(1).Labels}, 2, 0, time.Hour},
		"nothing that anybody had to be told of": {allowed(), 2, 0, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				rita := w.user("rita", review.RoleReviewer)
				flag := func(id string) string {
					made, err := w.Report(w.Context(), review.Report{Tenant: w.tenant, ItemID: id, Reporter: "leo", Severity: 2, Deadline: time.Hour})
					w.must(err)
					return made
				}
				id := w.accept(w.message("hello"))
				first := flag(id)
				reported := w.clock.now()
				if done := w.commit(w.claim(id), store.Outcome{Verdict: c.verdict, Look: c.look}); done.State != store.Closed {
					w.Fatalf("got %s, want it closed", done.State)
				}
				got := w.open(rita, id)
				later, _ := w.judged(c.verdict)
				flag(later)
				want := w.open(rita, later)
				if got.ID != first || got.Kind != want.Kind || got.Severity != want.Severity || got.Priority != want.Priority || got.VotesNeeded != want.VotesNeeded ||
					len(got.Labels) != len(want.Labels) || got.Reports != 1 || len(got.Reasons) != len(want.Reasons) {
					w.Errorf("got %+v, want as after the verdict, %+v", got, want)
				}
				if got.Severity != c.severity || got.Deadline.Sub(reported) != c.due {
					w.Errorf("got severity %d, due in %s, want %d, %s", got.Severity, got.Deadline.Sub(reported), c.severity, c.due)
				}
				if w.votes(rita, first, pipeline.Allow); c.severity == 4 && w.item(id).Action != pipeline.Block {
					w.Error("got it allowed by one, want two")
				}
				w.well()
			})
		})
	}
}

func TestAPictureThatWasReportedBeforeItsVerdictIsNoCopyInAnothersCase(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rae", review.RoleReviewer)
		w.sent(picture{"mia", "f", pdqBent(0), ""}, heldFor(ground, 4))
		id := w.sentPhoto()
		w.report(id)
		print := &store.Print{SHA256: fileHash("f"), Models: "m1", PDQ: pdqBent(0), Quality: 90, Alone: true, Scores: `{}`}
		done := w.commit(w.claim(id), store.Outcome{Verdict: heldFor(ground, 4), Print: print})
		c := w.open(r, id)
		if done.CaseID != c.ID || c.Kind != review.KindVerdict || c.Severity != 4 || c.VotesNeeded != 2 || c.Reports != 1 {
			w.Errorf("got %+v, want one case of the verdict and the report", c)
		}
		w.well()
	})
}

// stopped is a keyring that lets something happen when it first seals.
type stopped struct {
	store.Keyring
	then atomic.Pointer[func()]
}

func (k *stopped) Seal(key, aad, plain []byte) ([]byte, error) {
	if f := k.then.Swap(nil); f != nil {
		(*f)()
	}
	return k.Keyring.Seal(key, aad, plain)
}

func TestAReportAndAVerdictAtOneMomentSeeEachOther(t *testing.T) {
	for name, open := range map[string]func(testing.TB, store.Options) *store.Store{"sqlite": storetest.OpenSQLite, "postgres": storetest.OpenPostgres} {
		t.Run(name, func(t *testing.T) {
			c, ring := &clock{at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}, &stopped{Keyring: storetest.NewKeyring(t)}
			w := &world{T: t, Store: open(t, store.Options{Clock: c.now, Keyring: ring}), clock: c}
			made, err := w.CreateTenant(t.Context(), "school")
			w.must(err)
			w.tenant = made.ID
			id := w.sentPhoto()
			l := w.claim(id)
			var all sync.WaitGroup
			reported := func() { // while the verdict is half written
				all.Go(func() { w.report(id) })
				time.Sleep(300 * time.Millisecond)
			}
			ring.then.Store(&reported)
			w.commit(l, store.Outcome{Verdict: blocked(4), Evidence: []store.Evidence{{Kind: "ocr", Body: []byte("[]")}}})
			all.Wait()
			if c := w.open(w.user("rita", review.RoleReviewer), id); c.Severity != 4 || c.VotesNeeded != 2 {
				t.Errorf("got %+v, want it as grave as the verdict", c)
			}
			if !w.toRender(id) {
				t.Error("got no task for its picture")
			}
			w.well()
		})
	}
}
