package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"testing"
)

// heifFile is a gradient of 32 by 20 pixels from blue to red with a yellow spot,
// written by the PyPI package pillow-heif.
func heifFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHEICAndAVIFAreDecodedWhereLibheifIs(t *testing.T) {
	d := newDecoder(t, DecoderOptions{})
	walls, err := d.Sandbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, typ := range map[string]Type{"made.heic": HEIC, "made.avif": AVIF} {
		b := heifFile(t, name)
		got, err := d.Decode(t.Context(), b, Want{Squares: []Square{{Size: 32}}, Thumbnail: 32})
		if !walls.HEIF {
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s without libheif: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Type != typ || got.Width != 32 || got.Height != 20 || got.Decoder != "libheif" || got.Coarse {
			t.Errorf("%s: %s of %d by %d by %s", name, got.Type, got.Width, got.Height, got.Decoder)
		}
		at := func(x, y int) [3]float64 {
			p := got.Frames[0].Crops[0].Tensor[3*(32*y+x):]
			return [3]float64{float64(p[0]), float64(p[1]), float64(p[2])}
		}
		for _, c := range []struct {
			x, y int
			want [3]float64
		}{{30, 2, [3]float64{.94, .5, .06}}, {1, 2, [3]float64{.05, .5, .95}}, {9, 16, [3]float64{.98, .94, .08}}} {
			for i, v := range at(c.x, c.y) {
				if math.Abs(v-c.want[i]) > .15 {
					t.Errorf("%s: pixel %d,%d is %v, want about %v", name, c.x, c.y, at(c.x, c.y), c.want)
					break
				}
			}
		}
	}
}

func TestWithoutLibheifAHEICIsUnsupportedAndNotSilence(t *testing.T) {
	_, err := (&decoder{}).decode(heifFile(t, "made.heic"))
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestAHEICWithMovingPicturesIsNotTakenForAStill(t *testing.T) {
	b := append(heifFile(t, "made.heic"), 0, 0, 0, 8, 'm', 'o', 'o', 'v')
	if _, err := Inspect(b); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestTheLargestExtentInAHEICCounts(t *testing.T) {
	b := heifFile(t, "made.heic")
	h, err := Inspect(b)
	if err != nil || h.Width < 32 || h.Height < 20 || h.Width > 64 || h.Frames != 1 {
		t.Fatalf("got %+v, %v", h, err)
	}
	at := bytes.Index(b, []byte("ispe"))
	binary.BigEndian.PutUint32(b[at+8:], 30000)
	binary.BigEndian.PutUint32(b[at+12:], 30000)
	h, err = Inspect(b)
	if err == nil {
		err = Limits{}.Check(h)
	}
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("an extent of 30000 by 30000: %+v, %v", h, err)
	}
}
