package media

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
)

// Mode is how a Square's tensor is made.
type Mode string

const (
	// Stretch resizes the crop to the square without keeping its shape and gives
	// RGB in 0 to 1. nsfwjs 4.4.0 is fed so (its graph does x*2-1 itself).
	Stretch Mode = "stretch"
	// OpenNSFW follows the script of Yahoo's open_nsfw: resize to 8/7 of the square
	// (256 for 224), JPEG at quality 75, cut the middle, BGR minus the means
	// 104, 117, 123, in 0 to 255.
	OpenNSFW Mode = "open_nsfw"
)

// Square asks for tensors of Size by Size pixels, NHWC with three channels.
//
// Both modes resample with a triangle filter at half-pixel centres whose support
// grows with the reduction, so that every source pixel counts (what Pillow calls
// BILINEAR); values are not rounded to bytes in Stretch. Pictures more than twice
// (Want.Oversample) as large as the square are first reduced by the JPEG decoder's
// scaling or by an integer box average.
type Square struct {
	Size int  // pixels, 1 to 1,024
	Mode Mode // Stretch when empty
}

// TileAspect is the ratio of sides above which tiles are cut as well as the whole.
const TileAspect = 2.5

// Squares cuts every wanted square from a decoded picture of any origin that is
// safe to hold: the whole of it, and overlapping tiles when it is longer than
// TileAspect to 1, at most maxTiles of them. coarse says that the cap made tiles
// longer than they should be.
func Squares(img *image.NRGBA, squares []Square, maxTiles int) (crops []Crop, coarse bool, err error) {
	for _, view := range views(img) {
		boxes, c := parts(view.img.Bounds(), maxTiles)
		coarse = coarse || c
		for i, sq := range squares {
			for _, p := range boxes {
				t, err := tensor(view.img, p.rect, sq)
				if err != nil {
					return nil, false, err
				}
				crops = append(crops, Crop{Square: i, Part: p.name, Box: p.box, Background: view.name, Tensor: t})
			}
		}
	}
	return crops, coarse, nil
}

func (s Square) check() error {
	if s.Size < 1 || s.Size > 1024 {
		return fmt.Errorf("square of %d pixels: %w", s.Size, ErrUnsupported)
	}
	if s.Mode != "" && s.Mode != Stretch && s.Mode != OpenNSFW {
		return fmt.Errorf("square mode %.20q: %w", s.Mode, ErrUnsupported)
	}
	return nil
}

func tensor(img *image.NRGBA, r image.Rectangle, sq Square) ([]float32, error) {
	if err := sq.check(); err != nil {
		return nil, err
	}
	if sq.Mode == OpenNSFW {
		return openNSFW(img, r, sq.Size)
	}
	t := resample(img, r, sq.Size, sq.Size)
	for i, v := range t {
		t[i] = v / 255
	}
	return t, nil
}

func openNSFW(img *image.NRGBA, r image.Rectangle, size int) ([]float32, error) {
	full := size * 8 / 7
	small := toImage(resample(img, r, full, full), full, full)
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, opaqueRGBA(small), &jpeg.Options{Quality: 75}); err != nil {
		return nil, fmt.Errorf("encode for open_nsfw: %w", err)
	}
	again, err := jpeg.Decode(&buf)
	if err != nil {
		return nil, fmt.Errorf("decode for open_nsfw: %w", err)
	}
	ready, err := toNRGBA(again)
	if err != nil {
		return nil, err
	}
	off := (full - size) / 2
	t := make([]float32, 0, size*size*3)
	for y := off; y < off+size; y++ {
		for x := off; x < off+size; x++ {
			p := ready.Pix[ready.PixOffset(x, y):]
			t = append(t, float32(p[2])-104, float32(p[1])-117, float32(p[0])-123)
		}
	}
	return t, nil
}

type part struct {
	name string
	rect image.Rectangle
	box  [4]float64
}

// parts gives the whole and, for an extreme shape, tiles with a quarter of overlap
// that are about 1.5 times as long as wide.
func parts(b image.Rectangle, maxTiles int) (all []part, coarse bool) {
	w, h := b.Dx(), b.Dy()
	all = []part{{"whole", b, [4]float64{0, 0, 1, 1}}}
	long, short := max(w, h), min(w, h)
	if float64(long) <= TileAspect*float64(short) {
		return all, false
	}
	length := 1.5 * float64(short)
	n := 1 + int(math.Ceil((float64(long)-length)/(0.75*length)))
	if n > maxTiles {
		n, coarse = max(maxTiles, 1), true
		length = float64(long) / (0.75*float64(n) + 0.25)
	}
	for i := range n {
		from := 0.0
		if n > 1 {
			from = (float64(long) - length) * float64(i) / float64(n-1)
		}
		lo, hi := int(math.Round(from)), min(int(math.Ceil(from+length)), long)
		r := image.Rect(lo, 0, hi, h)
		if h > w {
			r = image.Rect(0, lo, w, hi)
		}
		box := [4]float64{float64(r.Min.X) / float64(w), float64(r.Min.Y) / float64(h), float64(r.Max.X) / float64(w), float64(r.Max.Y) / float64(h)}
		all = append(all, part{fmt.Sprintf("tile %d/%d", i+1, n), r.Add(b.Min), box})
	}
	return all, coarse
}

type view struct {
	name string
	img  *image.NRGBA
}

// views lays a transparent picture on white and, when that changes much of it,
// on black too: a drawing can be made to show on one of them only.
func views(img *image.NRGBA) []view {
	if img.Opaque() {
		return []view{{"white", img}}
	}
	white, black := flatten(img, 255), flatten(img, 0)
	var clear int
	for i := 3; i < len(img.Pix); i += 4 {
		if img.Pix[i] < 224 {
			clear++
		}
	}
	if clear*100 < len(img.Pix)/4 {
		return []view{{"white", white}}
	}
	return []view{{"white", white}, {"black", black}}
}

func flatten(img *image.NRGBA, ground uint32) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, img.Rect.Dx(), img.Rect.Dy()))
	for y := range img.Rect.Dy() {
		src := img.Pix[y*img.Stride:][:4*img.Rect.Dx()]
		dst := out.Pix[y*out.Stride:]
		for i := 0; i < len(src); i += 4 {
			a := uint32(src[i+3])
			for c := range 3 {
				dst[i+c] = uint8((uint32(src[i+c])*a + ground*(255-a) + 127) / 255)
			}
			dst[i+3] = 255
		}
	}
	return out
}
