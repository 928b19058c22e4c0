package ocr

import (
	"context"
	"testing"
)

// page is a blank picture with a dark line at each height, and a square that moves.
func page(step int, heights ...float64) Picture {
	p := blank(320, 320)
	paint := func(b box, v byte) {
		for y := int(b.centre.y - b.hv); y < int(b.centre.y+b.hv); y++ {
			for x := int(b.centre.x - b.hu); x < int(b.centre.x+b.hu); x++ {
				p.Pix[3*(y*p.Width+x)], p.Pix[3*(y*p.Width+x)+1], p.Pix[3*(y*p.Width+x)+2] = v, v, v
			}
		}
	}
	paint(level(float64(20+4*step), 300, 20, 20), 90)
	for _, h := range heights {
		paint(level(150, h, 180, 10), 40)
	}
	return p
}

func TestLinesThatStandStillAreReadOnceInAFilm(t *testing.T) {
	six := []float64{20, 60, 100, 140, 180, 220}
	var lines []box
	for _, h := range six {
		lines = append(lines, level(150, h, 200, 20))
	}
	f := readerOf(t, Networks{Detect: marks(lines...)}, Settings{}).Film(10, 10)
	for i := range 60 {
		got, err := f.Page(t.Context(), page(i, six...))
		if err != nil || len(got.Lines) != 6 || got.Left != 0 || i > 0 && got.Tried != 0 {
			t.Fatalf("picture %d: %d lines in %d tries, left %d, %v", i, len(got.Lines), got.Tried, got.Left, err)
		}
	}
}

func TestOtherWordsInTheSamePlaceAreReadHoweverLittleChangesAtATime(t *testing.T) {
	letter := func(p Picture, by int) Picture {
		for y := 55; y < 66; y++ {
			for x := 100; x < 108; x++ {
				p.Pix[3*(y*p.Width+x)+1] = byte(40 + by)
			}
		}
		return p
	}
	for name, c := range map[string]struct{ steps, by, least int }{
		"one letter":                           {2, 60, 2},
		"one that fades in":                    {80, 2, 5},
		"nothing but what packing a film does": {20, 0, 1},
	} {
		f := readerOf(t, Networks{Detect: marks(level(150, 60, 200, 20))}, Settings{}).Film(99, 99)
		tried := 0
		for i := range c.steps {
			p := letter(page(0, 60), i*c.by)
			for k := range p.Pix {
				p.Pix[k] += byte((k*7 + i*13) % 5)
			}
			got, err := f.Page(t.Context(), p)
			if err != nil || len(got.Lines) != 1 {
				t.Fatalf("%s: %+v, %v", name, got, err)
			}
			tried += got.Tried
		}
		if tried < c.least || c.least == 1 && tried > 1 {
			t.Errorf("%s: read %d times, want %d and more", name, tried, c.least)
		}
	}
}

func TestTheSameWordsBeforeWhatMovesCostTriesAndNoLines(t *testing.T) {
	moving := func(i int) Picture {
		p := page(0, 60)
		for k := range p.Pix {
			if k%3 == i%3 {
				p.Pix[k] = byte(20 * i)
			}
		}
		return p
	}
	words := 0
	other := func(ctx context.Context, shape []int64, in []float32) ([]int64, []float32, error) {
		words++
		return says(5, 1, 1+words%2)(ctx, shape, in)
	}
	for name, c := range map[string]struct {
		reads       Network
		lines, left int
	}{"the same": {says(5, 1, 2), 1, 1}, "others": {other, 2, 7}} {
		f := readerOf(t, Networks{Detect: marks(level(150, 60, 200, 20)), Read: c.reads}, Settings{}).Film(2, 8)
		left := 0
		for i := range 9 {
			got, err := f.Page(t.Context(), moving(i))
			if err != nil {
				t.Fatal(err)
			}
			left += got.Left
		}
		if 2-f.lines != c.lines || left != c.left {
			t.Errorf("%s: %d lines, left %d, want %d and %d", name, 2-f.lines, left, c.lines, c.left)
		}
	}
}
