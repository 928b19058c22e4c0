package models_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"nightlight/models"
	"nightlight/models/modelstest"
	"nightlight/pipeline"
	"nightlight/pipeline/ocr"
	"nightlight/pipeline/ocr/ocrtest"
)

func reader(t testing.TB) *ocr.Reader {
	t.Helper()
	r := modelstest.Load(t).OCR()
	if r == nil {
		t.Fatal("the networks that read text are not loaded: run make setup")
	}
	return r
}

func rgb(img *image.NRGBA) ocr.Picture {
	p := ocr.Picture{Width: img.Rect.Dx(), Height: img.Rect.Dy()}
	for i := 0; i < len(img.Pix); i += 4 {
		p.Pix = append(p.Pix, img.Pix[i:i+3]...)
	}
	return p
}

func TestLinesInPicturesAreRead(t *testing.T) {
	r, font := reader(t), ocrtest.Font(t)
	perPage := 7
	if testing.Short() || raceDetector { // 210 lines take a minute of processor time, 60 say nearly as much
		perPage = 2
	}
	langs := []string{"zh", "en", "mixed"}
	lines := map[string][]string{}
	for _, lang := range langs {
		lines[lang] = ocrtest.Lines(lang, len(ocrtest.Looks)*perPage)
	}
	var edits, length, n int
	for i, look := range ocrtest.Looks {
		var e, l int
		for _, lang := range langs {
			want := lines[lang][i*perPage : (i+1)*perPage]
			got, err := r.Read(t.Context(), rgb(ocrtest.Page(t, font, look, want...)))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := ocr.Join(got)
			truth := fmt.Sprintln(want)
			de, dl := ocrtest.Distance(text, truth[1:len(truth)-2])
			if de > 2 {
				t.Logf("%s %s: %d edits\n got %q\nwant %q", look.Name, lang, de, text, want)
			}
			e, l, n = e+de, l+dl, n+len(want)
		}
		t.Logf("%-14s %.3f", look.Name, 1-float64(e)/float64(l))
		edits, length = edits+e, length+l
	}
	accuracy := 1 - float64(edits)/float64(length)
	t.Logf("%d lines, %d characters: accuracy %.4f", n, length, accuracy)
	if accuracy < 0.95 {
		t.Errorf("character accuracy %.4f, want at least 0.95", accuracy)
	}
}

func TestBlankAndNoisyPicturesHoldNoText(t *testing.T) {
	r := reader(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	fill := func(f func(x, y, c int) byte) ocr.Picture {
		p := ocr.Picture{Width: 480, Height: 360, Pix: make([]byte, 3*480*360)}
		for i := range p.Pix {
			p.Pix[i] = f(i/3%480, i/3/480, i%3)
		}
		return p
	}
	pictures := map[string]ocr.Picture{
		"white":      fill(func(int, int, int) byte { return 255 }),
		"coloured":   fill(func(_, _, c int) byte { return byte(40 * (c + 1)) }),
		"gradient":   fill(func(x, y, _ int) byte { return byte(x/4 + y/4) }),
		"grey noise": fill(func(x, y, _ int) byte { return byte((x*7919+y*104729)*(x+y*31)>>3) & 0xff }),
		"noise":      fill(func(int, int, int) byte { return byte(rnd.UintN(256)) }),
		"soft shapes": fill(func(x, y, c int) byte {
			return byte(127 + 60*math.Sin(float64(x)/40+float64(c))*math.Cos(float64(y)/30))
		}),
		"a chess board": fill(func(x, y, _ int) byte { return byte((x/40 + y/40) % 2 * 255) }),
	}
	for name, p := range pictures {
		lines, err := r.Read(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) > 0 {
			t.Errorf("%s: read %d lines, first %q with %.2f", name, len(lines), lines[0].Text, lines[0].Score)
		}
	}
}

func TestReadingEndsWhenItsContextDoes(t *testing.T) {
	r, font := reader(t), ocrtest.Font(t)
	p := rgb(ocrtest.Page(t, font, ocrtest.Looks[0], ocrtest.Lines("zh", 6)...))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond) // less than any of it takes
	defer cancel()
	if _, err := r.Read(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestWithoutOneOfItsNetworksNoTextIsReadAndTheRestIsLoaded(t *testing.T) {
	manifest := modelstest.Manifest(t)
	dirs := copied(t)
	if err := os.Remove(filepath.Join(dirs.Cache, "ppocr-turn.onnx")); err != nil {
		t.Fatal(err)
	}
	set, err := models.Load(manifest, dirs, models.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if set.OCR() != nil || set.Image() == nil {
		t.Error("text is read without the network for upside-down lines, or pictures are not judged")
	}
	if missing := set.Missing(); !slices.Contains(missing, pipeline.Fault{Source: "ppocr-turn@1.4.2", Reason: "missing_model"}) {
		t.Errorf("missing: %v", missing)
	}
	if held := set.MissingFor("ocr"); len(held) != 0 {
		t.Errorf("pictures are held for %v", held)
	}
}

func BenchmarkReadingAPicture(b *testing.B) {
	r, font := reader(b), ocrtest.Font(b)
	photo := ocr.Picture{Width: 1280, Height: 960, Pix: make([]byte, 3*1280*960)}
	for i := range photo.Pix {
		x, y := i/3%1280, i/3/1280
		photo.Pix[i] = byte(127 + 70*math.Sin(float64(x)/90+float64(i%3))*math.Cos(float64(y)/70))
	}
	page := ocrtest.Page(b, font, ocrtest.Looks[0], ocrtest.Lines("mixed", 8)...)
	for name, p := range map[string]ocr.Picture{"photo without text": photo, "page of eight lines": rgb(page)} {
		b.Run(name, func(b *testing.B) {
			start := cpu(b)
			for b.Loop() {
				if _, err := r.Read(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b)-start).Milliseconds())/float64(b.N), "CPU-ms/op")
		})
	}
}

// cpu gives the processor time that this process has used.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
