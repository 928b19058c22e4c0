package media

import (
	"errors"
	"image"
	"image/color"
	"testing"
)

func TestHeadersTellWhatIsInsideWithoutDecoding(t *testing.T) {
	red, blue := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 0, 255, 255}
	files := goImages(t)
	for name, c := range map[string]struct {
		b    []byte
		want Header
	}{
		"JPEG":                    {files["video-001.jpeg"], Header{Type: JPEG, Width: 150, Height: 103, Frames: 1, Scans: 1, Orientation: 1}},
		"grey JPEG":               {files["video-005.gray.jpeg"], Header{Type: JPEG, Width: 150, Height: 103, Frames: 1, Scans: 1, Orientation: 1}},
		"progressive JPEG":        {files["video-001.progressive.jpeg"], Header{Type: JPEG, Width: 150, Height: 103, Frames: 1, Scans: 10, Progressive: true, Orientation: 1}},
		"JPEG with restarts":      {files["video-001.restart2.jpeg"], Header{Type: JPEG, Width: 150, Height: 103, Frames: 1, Scans: 1, Orientation: 1}},
		"JPEG that lies sideways": {withEXIF(jpegBytes(t, flat(20, 10, red), 80), 6, true), Header{Type: JPEG, Width: 20, Height: 10, Frames: 1, Scans: 1, Orientation: 6, HasGPS: true}},
		"JPEG with no place":      {withEXIF(jpegBytes(t, flat(20, 10, red), 80), 3, false), Header{Type: JPEG, Width: 20, Height: 10, Frames: 1, Scans: 1, Orientation: 3}},
		"JPEG with a wrong turn":  {withEXIF(jpegBytes(t, flat(20, 10, red), 80), 99, false), Header{Type: JPEG, Width: 20, Height: 10, Frames: 1, Scans: 1, Orientation: 1}},
		"PNG":                     {pngBytes(t, flat(7, 9, red)), Header{Type: PNG, Width: 7, Height: 9, Frames: 1, Orientation: 1}},
		"PNG with alpha":          {pngBytes(t, flat(7, 9, color.NRGBA{1, 2, 3, 4})), Header{Type: PNG, Width: 7, Height: 9, Frames: 1, Orientation: 1, HasAlpha: true}},
		"APNG": {apngBytes(t, 8, 8, nil, pngFrameMade{img: flat(8, 8, red)}, pngFrameMade{img: flat(4, 4, blue), x: 2, y: 2}),
			Header{Type: PNG, Width: 8, Height: 8, Frames: 2, Orientation: 1, HasAlpha: true}},
		"APNG with a cover": {apngBytes(t, 8, 8, flat(8, 8, blue), pngFrameMade{img: flat(8, 8, red)}, pngFrameMade{img: flat(8, 8, blue)}),
			Header{Type: PNG, Width: 8, Height: 8, Frames: 3, Orientation: 1, HasAlpha: true}},
		"GIF": {gifBytes(t, []image.Image{flat(6, 5, red), flat(6, 5, blue), flat(6, 5, red)}, 0), Header{Type: GIF, Width: 6, Height: 5, Frames: 3, Orientation: 1, HasAlpha: true}},
		"animated WebP": {webpBytes(16, 12, webpFrameMade{w: 16, h: 12, c: red}, webpFrameMade{w: 4, h: 4, x: 2, y: 2, c: blue}),
			Header{Type: WebP, Width: 16, Height: 12, Frames: 2, Orientation: 1, HasAlpha: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Inspect(c.b)
			if err != nil {
				t.Fatal(err)
			}
			got.samples, got.components, got.pixelBytes, got.interlaced = 0, 0, 0, false
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestLimitsRefuseBeforePixels(t *testing.T) {
	tight := Limits{Bytes: 1 << 20, Frames: 3, Scans: 5}
	for name, c := range map[string]struct {
		h    Header
		l    Limits
		want error
	}{
		"a photo of 12 megapixels":        {Header{Type: JPEG, Width: 4000, Height: 3000, Frames: 1, samples: 3}, Limits{}, nil},
		"a photo of 40 megapixels":        {Header{Type: JPEG, Width: 8000, Height: 5000, Frames: 1, samples: 3}, Limits{}, nil},
		"one pixel over":                  {Header{Type: JPEG, Width: 40_000_001, Height: 1, Frames: 1}, Limits{Side: 1 << 30}, ErrTooLarge},
		"a side over":                     {Header{Type: PNG, Width: 16385, Height: 1, Frames: 1}, Limits{}, ErrTooLarge},
		"no width":                        {Header{Type: PNG, Height: 1, Frames: 1}, Limits{}, ErrBroken},
		"a product that would overflow":   {Header{Type: PNG, Width: 1<<31 - 1, Height: 1<<31 - 1, Frames: 1}, Limits{Side: 1 << 40}, ErrTooLarge},
		"too many frames":                 {Header{Type: GIF, Width: 1, Height: 1, Frames: 4}, tight, ErrTooLarge},
		"many large frames":               {Header{Type: GIF, Width: 2000, Height: 2000, Frames: 100}, Limits{}, ErrTooLarge},
		"too many scans":                  {Header{Type: JPEG, Width: 10, Height: 10, Frames: 1, Scans: 6}, tight, ErrTooLarge},
		"16-bit colours of 36 megapixels": {Header{Type: PNG, Width: 6000, Height: 6000, Frames: 1, pixelBytes: 8}, Limits{}, ErrTooLarge},
		"8-bit colours of 40 megapixels":  {Header{Type: PNG, Width: 8000, Height: 5000, Frames: 1, pixelBytes: 4}, Limits{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.l.Check(c.h); !errors.Is(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestHeadersFollowNoLoopAndTrustNoNumber(t *testing.T) {
	loop := exif(1, true)
	copy(loop[8+2+12+8:], []byte{8, 0, 0, 0}) // the GPS directory is the first one again
	h := Header{}
	h.readEXIF(loop)
	if !h.HasGPS {
		t.Error("a directory that is its own child has entries")
	}
	huge := []byte("II*\x00\xff\xff\xff\xff\xff\xff")
	h = Header{}
	h.readEXIF(huge)
	if h.HasGPS || h.Orientation != 0 {
		t.Errorf("got %+v", h)
	}
	claims := apngBytes(t, 4, 4, nil, pngFrameMade{img: flat(4, 4, color.Black)})
	if got, err := Inspect(claims); err != nil || got.Frames != 1 {
		t.Errorf("got %d frames, %v", got.Frames, err)
	}
}
