package examine

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == media.ChildCommand {
		os.Exit(media.ChildMain(context.Background()))
	}
	os.Exit(m.Run())
}

type eye struct {
	name  string
	judge func(tensor []float32) ([]pipeline.Signal, error)
}

func (e eye) Ref() pipeline.ModelRef { return pipeline.ModelRef{Name: e.name, Version: "1"} }
func (e eye) Classify(_ context.Context, tensor []float32) ([]pipeline.Signal, error) {
	return e.judge(tensor)
}

func sees(name string, score float64) Eye {
	return Eye{eye{name, func([]float32) ([]pipeline.Signal, error) {
		return []pipeline.Signal{{Label: pipeline.SexualExplicit, Score: score, Source: name + "@1"}}, nil
	}}, media.Square{Size: 32}}
}

func examiner(t *testing.T, eyes ...Eye) *Examiner {
	t.Helper()
	d, err := media.NewDecoder(media.DecoderOptions{CPUSeconds: 30}) // the race detector slows the child too
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return &Examiner{Eyes: eyes, Decoder: d}
}

func plain(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func card(t *testing.T, label pipeline.Label) []byte {
	t.Helper()
	m, err := media.TestCard(string(label))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryModelSpeaksOfAPicture(t *testing.T) {
	e, data := examiner(t, sees("a", .2), sees("b", .7)), plain(t, 64, 48)
	s, err := e.Photo(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Signals) != 2 || len(s.Models) != 2 || len(s.Faults) != 0 {
		t.Errorf("got %d signals by %d models, faults %v", len(s.Signals), len(s.Models), s.Faults)
	}
	if s.SHA256 == "" || len(s.Preview) > 0 {
		t.Error("the hash is missing, or a preview was made that nobody asked for")
	}
	shown, err := e.Renditions(t.Context(), pipeline.KindPhoto, data, s.Signals)
	if err != nil || len(shown.Preview) == 0 || len(shown.Thumbnail) == 0 || shown.Sheet != nil {
		t.Errorf("renditions: %d and %d bytes, %v, want both and no sheet", len(shown.Preview), len(shown.Thumbnail), err)
	}
}

func TestWhatCannotBeOpenedGivesNoRendition(t *testing.T) {
	e := examiner(t)
	for kind, data := range map[pipeline.Kind][]byte{
		pipeline.KindPhoto: []byte("hello hello hello hello"),
		pipeline.KindVoice: plain(t, 8, 8),
	} {
		if shown, err := e.Renditions(t.Context(), kind, data, nil); !errors.Is(err, ErrUnshowable) || shown.Preview != nil || shown.Thumbnail != nil {
			t.Errorf("%s: got %d and %d bytes, %v, want none for good", kind, len(shown.Preview), len(shown.Thumbnail), err)
		}
	}
}

func TestAFilmGivesRenditionsLaterWhereFFmpegIsMissingOrWasKilled(t *testing.T) {
	data := []byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom\x00\x00\x00\x08mdat")
	for name, video := range map[string]*media.Video{
		"no films are decoded": nil,
		"ffmpeg is missing":    media.NewVideo(media.VideoOptions{FFmpeg: "no-such-ffmpeg", FFprobe: "no-such-ffprobe"}),
		"ffprobe is killed":    media.NewVideo(media.VideoOptions{Timeout: time.Nanosecond}),
	} {
		e := examiner(t)
		e.Video = video
		if _, err := e.Renditions(t.Context(), pipeline.KindVideo, data, nil); !errors.Is(err, ErrAgain) {
			t.Errorf("%s: got %v, want ErrAgain", name, err)
		}
	}
}

func TestAPanoramaIsLookedAtInTilesAndItsWorstTileCounts(t *testing.T) {
	calls := 0
	e := examiner(t, Eye{eye{"a", func([]float32) ([]pipeline.Signal, error) {
		calls++
		return []pipeline.Signal{{Label: pipeline.SexualExplicit, Score: float64(calls) / 100, Source: "a@1"}}, nil
	}}, media.Square{Size: 32}})
	s, err := e.Photo(t.Context(), plain(t, 1000, 100))
	if err != nil {
		t.Fatal(err)
	}
	if calls < 4 {
		t.Errorf("looked at %d crops of a panorama", calls)
	}
	if len(s.Signals) != 1 || s.Signals[0].Score != float64(calls)/100 || s.Signals[0].Box == nil {
		t.Errorf("got %+v, want the highest score with its place", s.Signals)
	}
}

func TestSecondEyesLookOnlyWhereTheFirstIsUnsure(t *testing.T) {
	for _, c := range []struct {
		what  string
		first float64
		clear float64
		want  int
	}{
		{"clear", .01, .02, 1},
		{"at the edge", .02, .02, 3},
		{"unsure", .4, .02, 3},
		{"settled", .97, .02, 1},
		{"no clear score for the label", .01, 0, 3},
	} {
		e := examiner(t, sees("first", c.first))
		e.Second = []Eye{sees("b", .6), sees("c", .1)}
		e.Clear, e.Settled = map[string]float64{}, map[string]float64{"sexual.explicit": .97}
		if c.clear > 0 {
			e.Clear["sexual.explicit"] = c.clear
		}
		s, err := e.Photo(t.Context(), plain(t, 64, 48))
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Signals) != c.want || len(s.Models) != c.want || len(s.Faults) != 0 {
			t.Errorf("%s: %d signals by %v, faults %v, want %d", c.what, len(s.Signals), s.Models, s.Faults, c.want)
		}
	}
}

func TestASecondEyeThatFailsMeansTryingAgain(t *testing.T) {
	e := examiner(t, sees("first", .4))
	e.Second = []Eye{{eye{"b", func([]float32) ([]pipeline.Signal, error) { return nil, errors.New("made up") }}, media.Square{Size: 32}}}
	if _, err := e.Photo(t.Context(), plain(t, 64, 48)); !errors.Is(err, ErrAgain) {
		t.Errorf("got %v", err)
	}
}

func TestATestCardTripsItsLabel(t *testing.T) {
	for _, l := range pipeline.ImageLabels {
		s, err := examiner(t, sees("a", .01)).Photo(t.Context(), card(t, l))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, sig := range s.Signals {
			found = found || sig.Label == l && sig.Source == "testcard@1" && sig.Score > .9
		}
		if !found {
			t.Errorf("%s: got %+v", l, s.Signals)
		}
	}
}

func TestEveryTestCardIsForALabelOfTheTaxonomy(t *testing.T) {
	for _, l := range media.CardLabels {
		if !pipeline.Label(l).Known() {
			t.Errorf("a card for %q, which is no label", l)
		}
	}
	if got, want := len(media.CardLabels), len(pipeline.Labels()); got != want {
		t.Errorf("cards: got %d, want one for each of %d labels", got, want)
	}
}

// located puts an EXIF block with a latitude into a JPEG.
func located(jpg []byte) []byte {
	tiff := "II*\x00\x08\x00\x00\x00\x01\x00\x25\x88\x04\x00\x01\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00\x01\x00\x02\x00\x05\x00\x03\x00\x00\x00\x00\x00\x00\x00"
	seg := "Exif\x00\x00" + tiff
	return append([]byte("\xff\xd8\xff\xe1\x00"+string(rune(len(seg)+2))+seg), jpg[2:]...)
}

func TestAPlaceInAPublicPhotoGivesAPrivateFactAway(t *testing.T) {
	for _, c := range []struct {
		what   string
		data   []byte
		public bool
		want   int
	}{
		{"a public photo that tells its place", located(plain(t, 64, 48)), true, 1},
		{"the same to a friend", located(plain(t, 64, 48)), false, 0},
		{"a public photo that tells none", plain(t, 64, 48), true, 0},
	} {
		s, err := examiner(t, sees("a", 0)).Photo(t.Context(), c.data)
		if err != nil {
			t.Fatal(err)
		}
		if c.public {
			s.Public()
		}
		got := 0
		for _, sig := range s.Signals {
			if sig.Label == pipeline.PrivacyGives && sig.Source == "metadata@1" && sig.Score > .5 {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: got %d signals of a place, want %d", c.what, got, c.want)
		}
	}
}

func TestScoresOverTimeAreKeptTheLowOnesToo(t *testing.T) {
	at := func(v float64) *float64 { return &v }
	got, err := times([]pipeline.Signal{
		{Label: pipeline.SexualExplicit, Score: .01, Source: "a@1", At: at(0)}, {Label: pipeline.SexualExplicit, Score: .91234, Source: "a@1", At: at(2.5)},
		{Label: pipeline.SexualText, Score: .9, Source: "rules@1"},
	}, &media.Decoded{FrameCount: 9})
	want := `[{"at":0,"label":"sexual.explicit","score":0.01,"source":"a@1"},{"at":2.5,"label":"sexual.explicit","score":0.912,"source":"a@1"}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := times(nil, &media.Decoded{FrameCount: 1}); got != nil || err != nil {
		t.Errorf("a still: got %s, %v", got, err)
	}
}

func TestWhatNobodySawOfAFilmIsSaid(t *testing.T) {
	got := unseen(&media.Decoded{Cut: true, Damaged: true, Coarse: true})
	if len(got) != 3 || len(unseen(&media.Decoded{})) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatCannotBeOpenedIsAFaultAndNeverSilence(t *testing.T) {
	whole := plain(t, 64, 64)
	tests := []struct {
		name       string
		data       []byte
		reason     string
		quarantine bool
	}{
		{"a file cut short", whole[:len(whole)/2], "broken", true},
		{"no picture at all", []byte("hello hello hello hello"), "unsupported_type", false},
		{"nothing", nil, "unsupported_type", false},
		{"a picture that claims to be huge", hugePNG(), "too_large", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := examiner(t, sees("a", .01)).Photo(t.Context(), tt.data)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Faults) != 1 || s.Faults[0].Reason != tt.reason || s.Faults[0].Quarantine != tt.quarantine {
				t.Errorf("got %+v, want %s", s.Faults, tt.reason)
			}
		})
	}
}

// hugePNG is a header that claims 30,000 × 30,000 pixels.
func hugePNG() []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x75\x30\x00\x00\x75\x30\x08\x02\x00\x00\x00")
	return append(b, 0x7f, 0x55, 0x93, 0x7b, 0, 0, 0, 0, 'I', 'D', 'A', 'T', 0x35, 0xaf, 0x06, 0x1e, 0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82)
}

func TestAPictureModelThatFailsMeansTryingAgain(t *testing.T) {
	broken := Eye{eye{"a", func([]float32) ([]pipeline.Signal, error) { return nil, errors.New("no") }}, media.Square{Size: 32}}
	if _, err := examiner(t, broken).Photo(t.Context(), plain(t, 64, 64)); !errors.Is(err, ErrAgain) {
		t.Errorf("got %v, want ErrAgain", err)
	}
}

func TestWithoutAPictureModelAPictureIsAFault(t *testing.T) {
	s, err := examiner(t).Photo(t.Context(), plain(t, 64, 64))
	if err != nil || len(s.Faults) == 0 || s.Faults[0].Reason != "missing_model" {
		t.Errorf("got %+v, %v", s.Faults, err)
	}
}

func TestWithoutFFmpegAVideoIsAFault(t *testing.T) {
	e := examiner(t, sees("a", .01))
	s, err := e.VideoFile(t.Context(), []byte("\x00\x00\x00\x18ftypmp42"), pipeline.Text{})
	if err != nil || len(s.Faults) != 1 || s.Faults[0].Reason != "no_ffmpeg" {
		t.Errorf("got %+v, %v", s.Faults, err)
	}
}
