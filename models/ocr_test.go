package models_test

import (
	"fmt"
	"image"
	"testing"

	"nightlight/models/modelstest"
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
	const perPage = 4
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
