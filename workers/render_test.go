package workers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/workers/examine"
)

// eye is a picture model that finds nothing.
type eye struct{}

func (eye) Ref() pipeline.ModelRef { return pipeline.ModelRef{Name: "eye", Version: "1"} }

func (eye) Classify(context.Context, []float32) ([]pipeline.Signal, error) {
	return []pipeline.Signal{{Label: pipeline.SexualExplicit, Score: .001, Source: "eye@1"}}, nil
}

// photo accepts a grey picture as a child would send it, with a caption or without.
func (b *bench) photo(t *testing.T, caption ...string) (id string) {
	t.Helper()
	b.Examiner.Eyes = []examine.Eye{{Model: eye{}, Square: media.Square{Size: 32}}}
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(picture.Bytes())
	size, hash := int64(picture.Len()), hex.EncodeToString(sum[:])
	up, err := b.Store.CreateUpload(t.Context(), store.Upload{Tenant: b.tenant, ContentType: "image/jpeg", Bytes: size, SHA256: hash}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := b.Vault.Objects(b.Media, up.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.Put(t.Context(), up.MediaKey, &picture, size, hash); err != nil {
		t.Fatal(err)
	}
	if err := b.Store.UploadStored(t.Context(), b.tenant, up.ID); err != nil {
		t.Fatal(err)
	}
	it := pipeline.Item{Tenant: b.tenant, Kind: pipeline.KindPhoto, Text: strings.Join(caption, " "), Sender: pipeline.Person{ID: "child", Age: years(10)},
		Recipients: []pipeline.Person{{ID: "friend", Age: years(10)}}, Audience: pipeline.AudienceDirect, SentAt: b.clock()}
	a, err := b.Store.Accept(t.Context(), store.NewItem{Item: it, UploadID: up.ID, Queue: "photo"})
	if err != nil {
		t.Fatal(err)
	}
	return a.ID
}

// work does what the outbox asks for now and says what that was.
func (b *bench) work(t *testing.T) (stages []string) {
	t.Helper()
	tasks, err := b.Store.PendingTasks(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range tasks {
		if err := b.Store.MarkSent(t.Context(), []int64{k.ID}); err != nil {
			t.Fatal(err)
		}
		handlers := map[string]func(context.Context, string) error{store.StageJudge: b.Judge, store.StageRender: b.Render}
		if err := handlers[k.Stage](t.Context(), k.Ref); err != nil {
			t.Fatal(err)
		}
		stages = append(stages, k.Stage)
	}
	return stages
}

// shown are the pictures that a reviewer can look at, by kind and size.
func (b *bench) shown(t *testing.T, id string) (kinds []string) {
	t.Helper()
	list, err := b.Store.Evidence(t.Context(), b.tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Kind == store.Unshowable {
			continue
		}
		if _, err := jpeg.Decode(bytes.NewReader(e.Body)); err != nil {
			t.Errorf("%s: %v", e.Kind, err)
		}
		kinds = append(kinds, e.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func (b *bench) report(t *testing.T, id string) {
	t.Helper()
	if _, err := b.Store.Report(t.Context(), review.Report{Tenant: b.tenant, ItemID: id, Reporter: "friend"}); err != nil {
		t.Fatal(err)
	}
}

func TestAPhotoThatWasAllowedCanBeSeenWhenItIsReported(t *testing.T) {
	b := newBench(t, silent())
	for name, steps := range map[string]func(id string){
		"reported after its verdict": func(id string) {
			b.work(t)
			if it := b.item(t, id); it.Ending != store.EndAllowed {
				t.Fatalf("got %s %s, want it allowed", it.State, it.Ending)
			}
			if got := b.shown(t, id); len(got) != 0 {
				t.Errorf("got %v of a picture that nobody is to look at", got)
			}
			b.report(t, id)
		},
		"reported before its verdict": func(id string) {
			b.report(t, id)
			b.work(t)
		},
		"appealed": func(id string) {
			b.work(t)
			if _, err := b.Store.Appeal(t.Context(), review.Appeal{Tenant: b.tenant, ItemID: id, By: "child"}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := b.photo(t)
			steps(id)
			if got := b.work(t); !slices.Equal(got, []string{store.StageRender}) {
				t.Errorf("got tasks %v, want one that renders", got)
			}
			if got := b.shown(t, id); !slices.Equal(got, []string{"preview", "thumbnail"}) {
				t.Errorf("got %v, want what a reviewer looks at", got)
			}
			if err := b.Render(t.Context(), id); err != nil || len(b.shown(t, id)) != 2 {
				t.Errorf("the second time: %v, %v", b.shown(t, id), err)
			}
			if got := b.work(t); len(got) != 0 {
				t.Errorf("got tasks %v left, want none", got)
			}
		})
	}
}

// away is a media store that cannot be reached.
type away struct{ media.Store }

func (away) Get(context.Context, string) (io.ReadCloser, error) { return nil, errors.New("made up") }

func TestAPictureThatCannotBeFetchedIsTriedAgainWhileItsCaseIsOpen(t *testing.T) {
	b := newBench(t, silent())
	id := b.photo(t)
	b.work(t)
	b.report(t, id)
	there := b.Media
	b.Media = away{there}
	for range 2 {
		if got := b.work(t); !slices.Equal(got, []string{store.StageRender}) {
			t.Errorf("got tasks %v, want another try", got)
		}
		if got := b.work(t); len(got) != 0 {
			t.Errorf("got tasks %v at once, want a pause", got)
		}
		b.pass(renderAgain)
	}
	decide(t, b, "r1")
	b.work(t)
	b.Media = there
	b.pass(time.Hour)
	if tasks, shown := b.work(t), b.shown(t, id); len(tasks) != 0 || len(shown) != 0 {
		t.Errorf("got %v and %v after the decision, want nothing more", tasks, shown)
	}
}

// broken is a media store that answers with an error.
type broken struct {
	media.Store
	err error
}

func (s broken) Get(context.Context, string) (io.ReadCloser, error) { return nil, s.err }

func TestAPictureThatIsGoneOrIsNotWhatWasSentIsGivenUp(t *testing.T) {
	for _, cause := range []error{media.ErrNotFound, media.ErrTampered, media.ErrHashMismatch} {
		t.Run(cause.Error(), func(t *testing.T) {
			b := newBench(t, silent())
			id := b.photo(t)
			b.work(t)
			b.report(t, id)
			b.Media = broken{b.Media, cause}
			b.work(t)
			b.pass(time.Hour)
			if n, err := b.Store.Sweep(t.Context(), time.Minute); n != 0 || err != nil {
				t.Errorf("got %d tasks swept, %v, want it given up", n, err)
			}
			if got := b.work(t); len(got) != 0 {
				t.Errorf("got tasks %v, want it given up", got)
			}
		})
	}
}

func TestAPictureThatCannotBeShownIsGivenUp(t *testing.T) {
	b := newBench(t, silent())
	id := b.photo(t)
	b.work(t)
	b.report(t, id)
	decoder, err := media.NewDecoder(media.DecoderOptions{Limits: media.Limits{Pixels: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = decoder.Close() })
	b.Examiner.Decoder = decoder
	b.work(t)
	b.pass(time.Hour)
	if tasks, shown := b.work(t), b.shown(t, id); len(tasks) != 0 || len(shown) != 0 {
		t.Errorf("got %v and %v, want it given up", tasks, shown)
	}
}

func TestAReportBeforeTheVerdictIsDueAsPolicySaysOfWhatWasFound(t *testing.T) {
	b := newBench(t, says(pipeline.BullyingInsult, .6)) // a warning, of which no reviewer is told
	id := b.accept(t, pipeline.Item{Text: "made up"})
	r := review.Report{Tenant: b.tenant, ItemID: id, Reporter: "friend", Deadline: 30 * 24 * time.Hour}
	if _, err := b.Store.Report(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	u, err := b.Store.CreateUser(t.Context(), store.User{Name: "r1", Role: review.RoleReviewer, PasswordHash: "x"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Store.Case(t.Context(), u.Reviewer(), b.item(t, id).CaseID)
	if err != nil {
		t.Fatal(err)
	}
	severity := b.Policy.Labels[pipeline.BullyingInsult].Severity
	if want := time.Duration(b.Policy.Deadlines[severity]); c.Severity != severity || c.Deadline.Sub(c.OpenedAt) != want || c.Kind != review.KindReport {
		t.Errorf("got %+v, want it as grave as the verdict and due in %s", c, want)
	}
}
