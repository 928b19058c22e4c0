package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// seeds are small whole files of every type that is decoded.
func seeds(t testing.TB) map[string][]byte {
	all := map[string][]byte{}
	for name, b := range goImages(t) {
		all["go/"+name] = b
	}
	frames := []image.Image{flat(40, 40, red), flat(40, 40, green), flat(40, 40, blue)}
	all["made.gif"] = gifBytes(t, frames, 3)
	all["made.apng"] = apngBytes(t, 40, 40, flat(40, 40, red), pngFrameMade{img: frames[0]}, pngFrameMade{img: frames[1], dispose: 2, blend: 1})
	all["made.webp"] = webpBytes(40, 40, webpFrameMade{w: 40, h: 40, c: red}, webpFrameMade{w: 10, h: 10, x: 4, y: 4, c: blue, flags: 3})
	all["made.bmp"] = bmpBytes(30, 30)
	all["exif.jpeg"] = withEXIF(jpegBytes(t, scenery(60, 40), 80), 6, true)
	return all
}

func bmpBytes(w, h int) []byte {
	b := make([]byte, 54+w*h*4)
	copy(b, "BM")
	le := binary.LittleEndian
	le.PutUint32(b[2:], uint32(len(b)))
	le.PutUint32(b[10:], 54)
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], uint32(w))
	le.PutUint32(b[22:], uint32(h))
	le.PutUint16(b[26:], 1)
	le.PutUint16(b[28:], 32)
	for i := 54; i < len(b); i++ {
		b[i] = byte(i)
	}
	return b
}

// jpegOf claims another size in a JPEG's frame header.
func jpegOf(b []byte, w, h int) []byte {
	b = bytes.Clone(b)
	at := bytes.Index(b, []byte{0xff, 0xc0, 0, 17})
	binary.BigEndian.PutUint16(b[at+5:], uint16(h))
	binary.BigEndian.PutUint16(b[at+7:], uint16(w))
	return b
}

// bombs are files that cost far more than they weigh, with whether they may be judged.
func bombs(t testing.TB) map[string][]byte {
	small := jpegBytes(t, scenery(64, 64), 80)
	sos := bytes.LastIndex(small, []byte{0xff, 0xda})
	scans := bytes.Clone(small[:len(small)-2])
	for range 1000 {
		scans = append(scans, small[sos:len(small)-2]...)
	}
	var gifs []image.Image
	var pngs []pngFrameMade
	var webps []webpFrameMade
	for i := range 301 {
		gifs = append(gifs, flat(2, 2, []color.Color{red, blue}[i%2]))
		pngs = append(pngs, pngFrameMade{img: gifs[i]})
		webps = append(webps, webpFrameMade{w: 2, h: 2, c: red})
	}
	page := pngBytes(t, scenery(30, 30))
	text := appendPNG(nil, "iCCP", append([]byte("x\x00\x00"), pixels(t, flat(4000, 4000, red))...))
	return map[string][]byte{
		"PNG of 20000 by 20000":          bomb(t, 20000, 20000, 1, 0, 2500, 9),
		"RGBA of 12000 by 12000":         bomb(t, 12000, 12000, 8, 6, 1, 9), // its pixels end early: they are never looked at
		"RGBA16 of 8000 by 8000":         bomb(t, 8000, 8000, 16, 6, 1, 9),
		"JPEG of 16000 by 16000":         jpegOf(small, 16000, 16000),
		"PNG of 30000 by 30000":          bomb(t, 30000, 30000, 1, 3, 1, 9),
		"JPEG of 65535 by 65535":         jpegOf(small, 65535, 65535),
		"JPEG of 1000 scans":             append(scans, 0xff, 0xd9),
		"GIF of 301 frames":              gifBytes(t, gifs, 0),
		"APNG of 301 frames":             apngBytes(t, 2, 2, nil, pngs...),
		"WebP of 301 frames":             webpBytes(2, 2, webps...),
		"WebP frame off its canvas":      webpBytes(8, 8, webpFrameMade{w: 8, h: 8, x: 30000, y: 30000, c: red}),
		"PNG with a deflate bomb beside": slices.Concat(page[:33], text, page[33:]),
	}
}

// broken versions of a file: cut at points and with single bits flipped.
func wrecks(r *rand.Rand, b []byte, cuts, flips int) (all [][]byte) {
	for i := range cuts {
		all = append(all, b[:len(b)*i/cuts])
	}
	for range flips {
		c := bytes.Clone(b)
		at := r.IntN(len(c))
		if r.IntN(2) == 0 {
			at = r.IntN(min(len(c), 200)) // headers matter most
		}
		c[at] ^= 1 << r.IntN(8)
		all = append(all, c)
	}
	return all
}

func TestEachHostileFileEndsJudgedOrWithItsReason(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 2})
	r := rand.New(rand.NewPCG(7, 7))
	ends := map[string]int{}
	judge := func(name string, b []byte) {
		got, err := d.Decode(t.Context(), b, Want{Squares: []Square{{Size: 64}}, Thumbnail: 64, Preview: 64})
		switch {
		case err == nil && len(got.Frames) > 0:
			ends["judged"]++
		case errors.Is(err, ErrTooLarge):
			ends["too large"]++
		case errors.Is(err, ErrUnsupported):
			ends["unsupported"]++
		case errors.Is(err, ErrBroken):
			ends["broken"]++
		default:
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && got != nil {
			t.Errorf("%s: an answer with an error", name)
		}
	}
	all := seeds(t)
	cuts, flips := 3, 6
	for _, name := range slices.Sorted(maps.Keys(all)) {
		judge(name, all[name])
		for i, b := range wrecks(r, all[name], cuts, flips) {
			judge(fmt.Sprintf("%s, wreck %d", name, i), b)
		}
	}
	for name, b := range bombs(t) {
		judge(name, b)
	}
	t.Logf("%v", ends)
	if ends["judged"] < len(all)-2 || ends["broken"] < len(all) || ends["too large"] < 10 {
		t.Errorf("ends are not as such a corpus must end: %v", ends)
	}
}

func TestBombsAreRefusedBeforeTheirPixels(t *testing.T) {
	for name, b := range bombs(t) {
		h, err := Inspect(b)
		if err == nil {
			err = Limits{}.Check(h)
		}
		if want := !strings.Contains(name, "beside"); want != errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

// TestTheLargestFilesFitTheirChild decodes what the limits just allow and looks
// at the most memory that the child ever had.
func TestTheLargestFilesFitTheirChild(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("takes seconds; and the race detector's own memory is many times the pixels'")
	}
	files := map[string][]byte{
		"RGBA of 40 megapixels":   bomb(t, 8000, 5000, 8, 6, 4*8000, 1),
		"RGBA16 of 25 megapixels": bomb(t, 5000, 5000, 16, 6, 8*5000, 1),
		"JPEG of 40 megapixels":   jpegBytes(t, image.NewYCbCr(image.Rect(0, 0, 8000, 5000), image.YCbCrSubsampleRatio420), 80),
	}
	for name, b := range files {
		t.Run(name, func(t *testing.T) {
			d := newDecoder(t, DecoderOptions{Children: 1})
			got, err := d.Decode(t.Context(), b, Want{Squares: bothSquares})
			if err != nil {
				t.Fatal(err)
			}
			c := d.idle[0]
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			peak := peakBytes(c.cmd.ProcessState)
			t.Logf("%s by %s: peak %d MiB", name, got.Decoder, peak>>20)
			if peak > 256<<20 {
				t.Errorf("child had %d MiB", peak>>20)
			}
		})
	}
}
