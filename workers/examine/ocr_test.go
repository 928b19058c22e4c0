package examine

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/ocr"
)

// listener is a text classifier that remembers what it was given and finds a
// word in it.
type listener struct {
	name, word string
	score      float64
	heard      *[]string
	err        error
}

func (l listener) Ref() pipeline.ModelRef { return pipeline.ModelRef{Name: l.name, Version: "1"} }

func (l listener) ClassifyText(_ context.Context, t pipeline.Text) ([]pipeline.Signal, error) {
	*l.heard = append(*l.heard, t.Text)
	at := strings.Index(t.Text, l.word)
	if l.err != nil || at < 0 {
		return nil, l.err
	}
	start := len([]rune(t.Text[:at]))
	return []pipeline.Signal{{Label: pipeline.ScamFraud, Score: l.score, Source: l.name + "@1", Start: start, End: start + len([]rune(l.word))}}, nil
}

func read(text string, y float64) ocr.Line {
	return ocr.Line{Text: text, Box: [4]float64{10, y, 100, 20}}
}

func TestWritingIsJudgedByTheRulesWholeAndByTheModelLineByLine(t *testing.T) {
	var ruled, modelled []string
	e := &Examiner{
		Rules: listener{name: "rules", word: "free\nskins", score: .9, heard: &ruled},
		Text:  listener{name: "model", word: "skins for you", score: .9, heard: &modelled},
	}
	lines := []ocr.Line{read("today at the fair", 0), read("hi", 30), read("they are free", 60), read("skins for you and me", 90)}
	f, err := e.judgeLines(t.Context(), page{sx: 2, sy: 2}, "ocr", lines)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"today at the fair\nhi\nthey are free\nskins for you and me"}; !slices.Equal(ruled, want) {
		t.Errorf("rules got %q, want %q", ruled, want)
	}
	if want := []string{"today at the fair", "hi\nthey are free", "skins for you and me"}; !slices.Equal(modelled, want) {
		t.Errorf("the model got %q, want %q", modelled, want)
	}
	if len(f.Signals) != 2 {
		t.Fatalf("got %+v, want a signal of each", f.Signals)
	}
	rule, model := f.Signals[0], f.Signals[1]
	if rule.Score != .9 || rule.In != "ocr" || rule.Box == nil || *rule.Box != [4]int{20, 120, 200, 100} {
		t.Errorf("rule: got %+v in %v", rule, rule.Box)
	}
	odds := func(p float64) float64 { return p / (1 - p) }
	if got, want := odds(model.Score), odds(.9)*writtenOdds; math.Abs(got-want) > 1e-9 {
		t.Errorf("model: odds %v, want %v", got, want)
	}
	if model.Start != 35 || model.End != 48 || model.Box == nil || *model.Box != [4]int{20, 180, 200, 40} {
		t.Errorf("model: got %d–%d in %v", model.Start, model.End, model.Box)
	}
}

func TestTheLastPieceTakesAllTheRest(t *testing.T) {
	var ruled, modelled []string
	e := &Examiner{Rules: listener{heard: &ruled, word: "-"}, Text: listener{heard: &modelled, word: "-"}}
	var lines []ocr.Line
	for i := range 3 * maxPieces {
		lines = append(lines, read("a line of some length", float64(i)))
	}
	if _, err := e.readLines(t.Context(), lines); err != nil {
		t.Fatal(err)
	}
	if n := len(modelled); n != maxPieces || strings.Count(modelled[n-1], "\n") != 2*maxPieces {
		t.Errorf("%d pieces, the last of %d lines", n, strings.Count(modelled[n-1], "\n")+1)
	}
}

func TestWritingThatCannotBeJudgedIsNeverSilence(t *testing.T) {
	var heard []string
	lines := []ocr.Line{read("hello", 0)}
	rules := listener{name: "rules", heard: &heard, word: "-"}
	broken := listener{name: "broken", heard: &heard, err: errors.New("no")}
	if _, err := (&Examiner{Rules: rules, Text: broken}).judgeLines(t.Context(), page{}, "ocr", lines); !errors.Is(err, ErrAgain) {
		t.Errorf("a model that fails: got %v, want ErrAgain", err)
	}
	if _, err := (&Examiner{Rules: broken, Text: rules}).judgeLines(t.Context(), page{}, "ocr", lines); !errors.Is(err, ErrAgain) {
		t.Errorf("rules that fail: got %v, want ErrAgain", err)
	}
	f, err := (&Examiner{Rules: rules}).judgeLines(t.Context(), page{}, "ocr", append(lines, read("once more and longer", 30), read("and again and longer", 60)))
	if err != nil || len(f.Faults) != 1 || f.Faults[0].Reason != "missing_model" {
		t.Errorf("no model: got %+v, %v, want one fault", f.Faults, err)
	}
}

// lined is an Examiner that finds as many lines in every picture and reads them as
// other letters each time, and counts what it read.
func lined(t *testing.T, n int) (*Examiner, *int) {
	t.Helper()
	detect := func(_ context.Context, shape []int64, _ []float32) ([]int64, []float32, error) {
		h, w := int(shape[2]), int(shape[3])
		out := make([]float32, w*h)
		for i := range out {
			if y := i / w; y/8 < n && y%8 < 4 && i%w > 8 && i%w < w-8 {
				out[i] = .9
			}
		}
		return []int64{1, 1, shape[2], shape[3]}, out, nil
	}
	turn := func(context.Context, []int64, []float32) ([]int64, []float32, error) {
		return []int64{1, 2}, []float32{1, 0}, nil
	}
	keys := strings.Split("abcdefghijklmnopqrstuvwxyz", "")
	count := 0
	text := func(context.Context, []int64, []float32) ([]int64, []float32, error) {
		const steps = 8 // a letter, and a blank so that it may stand twice
		out := make([]float32, steps*(len(keys)+2))
		for i, k := 0, count; i < steps; i, k = i+2, k/len(keys) {
			out[i*(len(keys)+2)+1+(k+i)%len(keys)] = 1
		}
		count++
		return []int64{1, steps, int64(len(keys) + 2)}, out, nil
	}
	reader, err := ocr.New(ocr.Networks{Detect: detect, Turn: turn, Read: text, Keys: keys, Refs: []pipeline.ModelRef{{Name: "ocr", Version: "1"}}}, ocr.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	e := examiner(t, sees("a", .1))
	e.OCR, e.Rules, e.Text = reader, listener{name: "rules", heard: new([]string), word: "-"}, listener{name: "model", heard: new([]string), word: "-"}
	return e, &count
}

func TestWritingThatIsLeftOutIsAFaultAndAFilmWithoutWritingIsNone(t *testing.T) {
	film := func(frames int) *media.Decoded {
		d := &media.Decoded{Width: 320, Height: 320, FrameCount: frames}
		for i := range frames {
			p := &media.RGB{Width: 320, Height: 320, Pix: make([]byte, 3*320*320)}
			for k := 0; k < len(p.Pix); k += 3 { // another colour everywhere
				p.Pix[k], p.Pix[k+1] = byte(16*(i%16)), byte(16*(i/16))
			}
			p.Pix[2] = 200
			d.Frames = append(d.Frames, media.Frame{Index: i, Picture: p})
		}
		return d
	}
	unseen := film(3)
	unseen.Frames[1].Picture = nil
	thinned := film(10)
	thinned.Thinned = 1
	for name, c := range map[string]struct {
		film  *media.Decoded
		lines int // in each frame
		read  int
		fault string
	}{
		"thirty frames without writing":                {film(30), 0, 0, ""},
		"sixty frames with a line each":                {film(60), 1, 60, ""},
		"more lines than are read":                     {film(30), 20, mostRead, "ocr"},
		"a frame without a picture":                    {unseen, 0, 0, "picture"},
		"more frames than are looked at, each written": {thinned, 1, 10, "ocr"},
	} {
		e, count := lined(t, c.lines)
		var s Sight
		if err := e.read(t.Context(), c.film, &s); err != nil {
			t.Fatal(err)
		}
		want := []pipeline.Fault{{Source: c.fault, Reason: "not_all_read"}}
		if c.fault == "" {
			want = nil
		}
		if !slices.Equal(s.Faults, want) || *count != c.read {
			t.Errorf("%s: got %v after %d lines", name, s.Faults, *count)
		}
	}
}

func TestWordsThatStandStillInAFilmAreReadOnceAndLeaveNothingOut(t *testing.T) {
	d := &media.Decoded{Width: 320, Height: 320, FrameCount: 60}
	for i := range 60 {
		p := &media.RGB{Width: 320, Height: 320, Pix: make([]byte, 3*320*320)}
		for k := range 3 * 320 * 20 { // the scene below the words
			p.Pix[3*320*300+k] = byte(4 * i)
		}
		p.Pix[0] = 200
		d.Frames = append(d.Frames, media.Frame{Index: i, Picture: p})
	}
	e, count := lined(t, 6)
	var s Sight
	if err := e.read(t.Context(), d, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Faults) != 0 || *count != 6 || strings.Count(string(s.OCR), `"text"`) != 6 {
		t.Errorf("got %v after %d lines, kept %s", s.Faults, *count, s.OCR)
	}
}

func TestCodesInAFilmSayNothingOfWordsThatWereLeftOut(t *testing.T) {
	d := &media.Decoded{Width: 120, Height: 120, FrameCount: 4, Thinned: 1}
	for i := range 4 {
		code, err := qrcode.NewQRCodeWriter().Encode("https://example.org/"+string(rune('a'+i)), gozxing.BarcodeFormat_QR_CODE, 120, 120, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &media.RGB{Width: 120, Height: 120}
		for k := range 120 * 120 {
			v := byte(255)
			if code.Get(k%120, k/120) {
				v = 0
			}
			p.Pix = append(p.Pix, v, v, v)
		}
		d.Frames = append(d.Frames, media.Frame{Index: i, Picture: p})
	}
	e, _ := lined(t, 0)
	var s Sight
	if err := e.read(t.Context(), d, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Faults) != 0 || strings.Count(string(s.OCR), "example.org") != 4 {
		t.Errorf("got %v, kept %s", s.Faults, s.OCR)
	}
}

func TestAPictureThatCannotBeReadIsJudgedAgain(t *testing.T) {
	failing := func(context.Context, []int64, []float32) ([]int64, []float32, error) {
		return nil, nil, errors.New("no")
	}
	reader, err := ocr.New(ocr.Networks{Detect: failing, Turn: failing, Read: failing, Keys: []string{"a"}, Refs: []pipeline.ModelRef{{Name: "ocr", Version: "1"}}}, ocr.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	e := examiner(t, sees("a", .1))
	e.OCR = reader
	if _, err := e.Photo(t.Context(), card(t, pipeline.SexualExplicit)); !errors.Is(err, ErrAgain) {
		t.Errorf("got %v, want ErrAgain", err)
	}
}
