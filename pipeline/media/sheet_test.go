package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
	"time"
)

// plainRGB is a picture of one colour.
func plainRGB(w, h int, r, g, b byte) *RGB {
	p := &RGB{Width: w, Height: h}
	for range w * h {
		p.Pix = append(p.Pix, r, g, b)
	}
	return p
}

func opened(t *testing.T, b []byte) image.Image {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestASheetShowsEveryFrameAndStaysWithinItsSize(t *testing.T) {
	for name, c := range map[string]struct{ n, w, h int }{
		"nine of a film":               {9, 640, 360},
		"nine of a film held upright":  {9, 360, 640},
		"one":                          {1, 640, 360},
		"seven":                        {7, 640, 360},
		"nine of a panorama":           {9, 1280, 40},
		"nine as narrow as can be":     {9, 1, 1280},
		"two that are smaller than it": {2, 32, 18},
	} {
		var frames []SheetFrame
		for i := range c.n {
			frames = append(frames, SheetFrame{Picture: plainRGB(c.w, c.h, 220, 30, 30), At: time.Duration(i) * 1500 * time.Millisecond, Marked: i == 1})
		}
		plain, grey, err := Sheet(frames, 1920, 960)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sheet, soft := opened(t, plain).Bounds(), opened(t, grey)
		if max(sheet.Dx(), sheet.Dy()) > 1920 || max(soft.Bounds().Dx(), soft.Bounds().Dy()) > 960 {
			t.Errorf("%s: got sheets of %v and %v, want sides of at most 1920 and 960", name, sheet, soft.Bounds())
		}
		if c.w > 100 && c.h > 100 && c.n == 9 && sheet.Dx() < sheet.Dy() {
			t.Errorf("%s: got %v, want it to fit a screen", name, sheet)
		}
		if shown := redIn(opened(t, plain)); c.w > 100 && c.h > 100 && shown < .6 {
			t.Errorf("%s: got frames on %.2f of the sheet, want most of it", name, shown)
		}
		if shown := redIn(soft); shown > 0 {
			t.Errorf("%s: got a preview that is red on %.2f, want it grey", name, shown)
		}
	}
}

// redIn is how much of a picture is red.
func redIn(m image.Image) float64 {
	red := 0
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			if p := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA); p.R > 180 && p.G < 90 {
				red++
			}
		}
	}
	return float64(red) / float64(m.Bounds().Dx()*m.Bounds().Dy())
}

func TestTheSheetMarksOneFrameAndTheGreyOneIsTooBlurredToRead(t *testing.T) {
	stripes := plainRGB(640, 360, 255, 255, 255)
	for y := range 360 {
		for x := range 640 {
			if (x/8)%2 == 0 {
				copy(stripes.Pix[3*(y*640+x):], []byte{0, 0, 0})
			}
		}
	}
	sheet := func(marked bool) (plain, grey []byte) {
		t.Helper()
		plain, grey, err := Sheet([]SheetFrame{{Picture: stripes, At: 3 * time.Second, Marked: marked}}, 1920, 960)
		if err != nil {
			t.Fatal(err)
		}
		return plain, grey
	}
	plain, grey := sheet(false)
	if marked, _ := sheet(true); bytes.Equal(marked, plain) {
		t.Error("got the same sheet with a marked frame and without")
	}
	contrast := func(m image.Image) (lo, hi uint8) {
		lo = 255
		b := m.Bounds().Inset(80)
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				v := color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y
				lo, hi = min(lo, v), max(hi, v)
			}
		}
		return lo, hi
	}
	if lo, hi := contrast(opened(t, plain)); hi-lo < 200 {
		t.Errorf("got stripes from %d to %d on the plain sheet, want black and white", lo, hi)
	}
	if lo, hi := contrast(opened(t, grey)); hi-lo > 64 {
		t.Errorf("got stripes from %d to %d on the grey sheet, want them gone", lo, hi)
	}
}

func TestAFrameThatDoesNotAddUpIsRefused(t *testing.T) {
	for name, frames := range map[string][]SheetFrame{
		"no frame":       nil,
		"no picture":     {{}},
		"pixels missing": {{Picture: &RGB{Width: 4, Height: 4, Pix: make([]byte, 47)}}},
		"no size":        {{Picture: &RGB{}}},
	} {
		if _, _, err := Sheet(frames, 100, 100); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: got %v, want ErrBroken", name, err)
		}
	}
}

func TestASoundIsWrittenAsAFileThatBrowsersPlay(t *testing.T) {
	got := (&Sound{Samples: []float32{0, .5, -1, 2}}).WAV()
	if string(got[:4]) != "RIFF" || string(got[8:16]) != "WAVEfmt " || len(got) != 44+8 || binary.LittleEndian.Uint32(got[4:]) != uint32(len(got)-8) || binary.LittleEndian.Uint32(got[24:]) != SoundRate {
		t.Fatalf("got a header % x", got[:44])
	}
	for i, want := range []int16{0, 16383, -32767, 32767} {
		if v := int16(binary.LittleEndian.Uint16(got[44+2*i:])); v != want {
			t.Errorf("sample %d: got %d, want %d", i, v, want)
		}
	}
	if typ, err := Sniff(got); err != nil || typ.Kind() != Voice {
		t.Errorf("got a file that is %s, %v, want a voice file", typ, err)
	}
}
