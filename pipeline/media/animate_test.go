package media

import (
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	red    = color.NRGBA{255, 0, 0, 255}
	green  = color.NRGBA{0, 255, 0, 255}
	blue   = color.NRGBA{0, 0, 255, 255}
	clear0 = color.NRGBA{}
)

// shownAt decodes an animation here and gives the colour of one pixel in each frame.
func shownAt(t *testing.T, b []byte, x, y int) (got []color.NRGBA) {
	t.Helper()
	h, err := Inspect(b)
	if err != nil {
		t.Fatal(err)
	}
	all, err := steps(b, h.Type)
	if err != nil {
		t.Fatal(err)
	}
	err = play(all, image.Pt(h.Width, h.Height), func(_ time.Duration, canvas *image.NRGBA) error {
		c := canvas.NRGBAAt(x, y)
		if c.A == 0 {
			c = clear0
		}
		got = append(got, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEveryFrameIsShownAsAViewerShowsIt(t *testing.T) {
	part := func(c color.Color) image.Image {
		img := image.NewNRGBA(image.Rect(2, 2, 6, 6))
		for y := 2; y < 6; y++ {
			for x := 2; x < 6; x++ {
				img.Set(x, y, c)
			}
		}
		return img
	}
	for name, c := range map[string]struct {
		b    []byte
		at   image.Point
		want []color.NRGBA
	}{
		"GIF that keeps":           {gifBytes(t, []image.Image{flat(8, 8, red), part(green), part(blue)}, 1), image.Pt(3, 3), []color.NRGBA{red, green, blue}},
		"GIF outside the part":     {gifBytes(t, []image.Image{flat(8, 8, red), part(green), part(blue)}, 1), image.Pt(0, 0), []color.NRGBA{red, red, red}},
		"GIF that clears":          {gifBytes(t, []image.Image{flat(8, 8, red), part(green), part(blue)}, 2), image.Pt(0, 0), []color.NRGBA{red, clear0, clear0}},
		"GIF that restores":        {gifBytes(t, []image.Image{flat(8, 8, red), part(green), part(blue)}, 3), image.Pt(0, 0), []color.NRGBA{red, clear0, clear0}},
		"APNG that replaces":       {apngBytes(t, 8, 8, nil, pngFrameMade{img: flat(8, 8, red)}, pngFrameMade{img: flat(4, 4, clear0), x: 2, y: 2}), image.Pt(3, 3), []color.NRGBA{red, clear0}},
		"APNG that blends":         {apngBytes(t, 8, 8, nil, pngFrameMade{img: flat(8, 8, red)}, pngFrameMade{img: flat(4, 4, clear0), x: 2, y: 2, blend: 1}), image.Pt(3, 3), []color.NRGBA{red, red}},
		"APNG that restores":       {apngBytes(t, 8, 8, nil, pngFrameMade{img: flat(8, 8, red)}, pngFrameMade{img: flat(8, 8, green), dispose: 2}, pngFrameMade{img: flat(4, 4, blue), x: 4, y: 4}), image.Pt(0, 0), []color.NRGBA{red, green, red}},
		"APNG that clears":         {apngBytes(t, 8, 8, nil, pngFrameMade{img: flat(8, 8, red), dispose: 1}, pngFrameMade{img: flat(4, 4, blue), x: 4, y: 4}), image.Pt(0, 0), []color.NRGBA{red, clear0}},
		"APNG cover is seen first": {apngBytes(t, 8, 8, flat(8, 8, blue), pngFrameMade{img: flat(4, 4, red)}), image.Pt(7, 7), []color.NRGBA{blue, clear0}},
		"WebP that blends":         {webpBytes(8, 8, webpFrameMade{w: 8, h: 8, c: red}, webpFrameMade{w: 4, h: 4, x: 2, y: 2, c: clear0}), image.Pt(3, 3), []color.NRGBA{red, red}},
		"WebP that replaces":       {webpBytes(8, 8, webpFrameMade{w: 8, h: 8, c: red}, webpFrameMade{w: 4, h: 4, x: 2, y: 2, c: clear0, flags: 2}), image.Pt(3, 3), []color.NRGBA{red, clear0}},
		"WebP that clears":         {webpBytes(8, 8, webpFrameMade{w: 8, h: 8, c: red, flags: 1}, webpFrameMade{w: 4, h: 4, x: 2, y: 2, c: blue}), image.Pt(0, 0), []color.NRGBA{red, clear0}},
	} {
		t.Run(name, func(t *testing.T) {
			got := shownAt(t, c.b, c.at.X, c.at.Y)
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("frame %d is %v, want %v", i, got[i], c.want[i])
				}
			}
		})
	}
}

func TestFramesAreSampledEvenlyWithFirstAndLast(t *testing.T) {
	for _, c := range []struct{ n, limit, want int }{{1, 1, 1}, {5, 16, 5}, {300, 16, 16}, {17, 16, 16}, {300, 2, 2}, {9, 1, 1}} {
		pick, got := sample(c.n, c.limit), 0
		widest, before := 0, 0
		for i := range c.n {
			if pick(i) {
				got++
				widest, before = max(widest, i-before), i
			}
		}
		if got != c.want || !pick(0) || c.limit > 1 && !pick(c.n-1) {
			t.Errorf("%d of %d: got %d, first %v, last %v", c.limit, c.n, got, pick(0), pick(c.n-1))
		}
		if c.limit > 1 && widest > (c.n-2)/(c.limit-1)+1 {
			t.Errorf("%d of %d: a gap of %d", c.limit, c.n, widest)
		}
	}
}

func TestACardInTheMiddleOfAnAnimationIsFound(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	blank := flat(256, 276, color.White)
	mark := resized(card(t, "selfharm.expressed"), 0.5)
	frames := []pngFrameMade{{img: blank}, {img: blank}, {img: mark}, {img: blank}}
	for name, b := range map[string][]byte{
		"APNG":       apngBytes(t, 256, 276, nil, frames...),
		"APNG cover": apngBytes(t, 256, 276, mark, pngFrameMade{img: blank}),
	} {
		got, err := d.Decode(t.Context(), b, Want{})
		if err != nil || got.TestCard != "selfharm.expressed" {
			t.Errorf("%s: got %q, %v", name, got.TestCard, err)
		}
	}
}

func TestOneOtherFrameAmongHundredsIsNotLeftToChance(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	for name, other := range map[string]image.Image{"of another colour": flat(60, 60, red), "of another shape": scenery(60, 60)} {
		frames := make([]image.Image, 200)
		for i := range frames {
			frames[i] = flat(60, 60, color.White)
		}
		frames[137] = other
		got, err := d.Decode(t.Context(), gifBytes(t, frames, 1), Want{MaxFrames: 4})
		if err != nil {
			t.Fatal(err)
		}
		var seen []int
		for _, f := range got.Frames {
			seen = append(seen, f.Index)
		}
		if got.FrameCount != 200 || len(seen) != 3 || seen[0] != 0 || seen[1] != 137 || seen[2] != 138 {
			t.Errorf("%s: looked at %v of %d", name, seen, got.FrameCount)
		}
	}
}

func TestOtherWordsOnAStillPageAreAnotherFrame(t *testing.T) {
	r := &reel{limit: 64, same: 4}
	words := rand.New(rand.NewPCG(1, 2))
	for i := range 16 {
		page := flat(640, 360, color.White)
		for k := range 20 { // letters of 20 pixels, each of three strokes
			for range 3 {
				x, y := 40+12*k, 260+words.IntN(16)
				stroke := image.Rect(x, y, x+10, y+2)
				if words.IntN(2) == 0 {
					stroke = image.Rect(x+words.IntN(8), 260, x+10, 278)
					stroke.Max.X = stroke.Min.X + 2
				}
				draw.Draw(page, stroke, image.Black, image.Point{}, draw.Src)
			}
		}
		for range 3 { // and shown for a while
			if err := r.add(page, time.Duration(i)*time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(r.kept) != 16 {
		t.Errorf("kept %d of 16 pages", len(r.kept))
	}
}

func TestEveryFrameGetsItsPictureAndManyLargeOnesAreSmaller(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	var frames []image.Image
	for i := range 30 {
		frames = append(frames, flat(60, 60, []color.Color{red, green, blue}[i%3]))
	}
	got, err := d.Decode(t.Context(), gifBytes(t, frames, 1), Want{Fit: 60})
	if err != nil || len(got.Frames) != 30 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for _, f := range got.Frames {
		if f.Picture == nil {
			t.Errorf("frame %d has no picture", f.Index)
		}
	}
	for _, c := range []struct{ w, h, n, least, most int }{{640, 360, 40, 1280, 1280}, {640, 360, 64, 540, 570}, {1280, 720, 6, 1280, 1280}, {1280, 720, 64, 540, 570}, {720, 1280, 64, 540, 570}, {4000, 500, 64, 370, 410}} {
		fit := fitAmong(1280, c.w, c.h, c.n)
		long := min(fitSide(fit, c.w, c.h), max(c.w, c.h))
		if bytes := 3 * long * (long * min(c.w, c.h) / max(c.w, c.h)) * c.n; fit < c.least || fit > c.most || bytes > pictureBytes {
			t.Errorf("%d of %d by %d: fit %d, %d bytes", c.n, c.w, c.h, fit, bytes)
		}
	}
}

func TestAFullReelStaysBoundedAndKeepsItsEnds(t *testing.T) {
	r := &reel{limit: 5, same: -1}
	for i := range 1000 {
		if err := r.add(flat(80, 80, color.Gray{uint8(i)}), time.Duration(i)); err != nil {
			t.Fatal(err)
		}
		if len(r.kept) > 21 {
			t.Fatalf("%d frames are held", len(r.kept))
		}
	}
	got := r.pick()
	if len(got) != 5 || got[0].index != 0 || got[4].index != 999 || r.gap(1100) != 101 {
		t.Errorf("%d frames from %d to %d, gap %d", len(got), got[0].index, got[len(got)-1].index, r.gap(1100))
	}
}

func TestOfTooManyFramesWhatWasCutInStays(t *testing.T) {
	r := &reel{limit: 8, same: -1}
	for i := range 200 {
		img := scenery(96, 96)
		for k := range img.Pix { // slow movement
			if k%4 == 0 {
				img.Pix[k] = uint8(i / 2)
			}
		}
		if i == 101 {
			img = flat(96, 96, green)
		}
		if err := r.add(img, time.Duration(i)*time.Second/10); err != nil {
			t.Fatal(err)
		}
	}
	shots, found := r.pick(), false
	for _, s := range shots {
		found = found || s.index == 101
	}
	if len(shots) != 8 || shots[0].index != 0 || shots[7].index != 199 || !found || r.lost {
		t.Errorf("kept %d, the one cut in %v, lost %v", len(shots), found, r.lost)
	}
}

func TestWhenFramesThatShowOtherThingsHaveToGoItIsSaid(t *testing.T) {
	r := &reel{limit: 4, same: 4}
	for i := range 40 {
		if err := r.add(flat(48, 48, []color.Color{red, green, blue}[i%3]), time.Duration(i)*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if shots := r.pick(); len(shots) != 4 || !r.lost {
		t.Errorf("kept %d, lost %v", len(shots), r.lost)
	}
}
