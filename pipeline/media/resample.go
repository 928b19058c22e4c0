package media

import (
	"fmt"
	"image"
	"image/draw"
	"math"
)

// taps are the source places and weights of one output place.
type taps struct {
	from int
	w    []float32
}

// triangle gives the weights of a triangle filter at half-pixel centres. When
// shrinking, its support is scaled by the reduction, so that it averages areas.
func triangle(src, dst int) []taps {
	scale := float64(src) / float64(dst)
	reach := math.Max(scale, 1)
	all := make([]taps, dst)
	for i := range all {
		center := (float64(i) + 0.5) * scale
		lo := max(int(center-reach+0.5), 0)
		hi := min(int(center+reach+0.5), src)
		if hi <= lo {
			lo = min(lo, src-1)
			hi = lo + 1
		}
		w, sum := make([]float64, hi-lo), 0.0
		for k := range w {
			w[k] = math.Max(0, 1-math.Abs((float64(lo+k)+0.5-center)/reach))
			sum += w[k]
		}
		if sum == 0 {
			w[0], sum = 1, 1
		}
		t := taps{from: lo, w: make([]float32, len(w))}
		for k := range w {
			t.w[k] = float32(w[k] / sum)
		}
		all[i] = t
	}
	return all
}

// resample scales the rectangle r of an opaque picture to w by h and gives RGB
// in 0 to 255, not rounded. Rows are filtered first, then columns.
func resample(img *image.NRGBA, r image.Rectangle, w, h int) []float32 {
	cols, rows := triangle(r.Dx(), w), triangle(r.Dy(), h)
	out := make([]float32, w*h*3)
	cache := make(map[int][]float32, 8) // filtered source rows that a coming output row needs
	var free [][]float32
	for y, t := range rows {
		for have := range cache {
			if have < t.from {
				free = append(free, cache[have])
				delete(cache, have)
			}
		}
		dst := out[y*w*3 : (y+1)*w*3]
		for k, weight := range t.w {
			line := cache[t.from+k]
			if line == nil {
				if n := len(free); n > 0 {
					line, free = free[n-1], free[:n-1]
				} else {
					line = make([]float32, w*3)
				}
				filterRow(line, img.Pix[img.PixOffset(r.Min.X, r.Min.Y+t.from+k):], cols)
				cache[t.from+k] = line
			}
			for i, v := range line {
				dst[i] += weight * v
			}
		}
	}
	return out
}

func filterRow(dst []float32, src []uint8, cols []taps) {
	for x, t := range cols {
		var r, g, b float32
		p := src[4*t.from:]
		for k, w := range t.w {
			q := p[4*k : 4*k+3 : 4*k+3]
			r += w * float32(q[0])
			g += w * float32(q[1])
			b += w * float32(q[2])
		}
		dst[3*x], dst[3*x+1], dst[3*x+2] = r, g, b
	}
}

// toImage rounds resampled values to an opaque picture.
func toImage(rgb []float32, w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		for c := range 3 {
			img.Pix[4*i+c] = uint8(rgb[3*i+c] + 0.5)
		}
		img.Pix[4*i+3] = 255
	}
	return img
}

// toNRGBA copies any decoded picture. A picture that lies about itself, such as a
// paletted one with an index outside its palette, panics inside draw.Draw, in
// this goroutine, where it is caught. Nothing but such a copy may go to package
// imaging, whose own goroutines nobody can recover.
func toNRGBA(src image.Image) (dst *image.NRGBA, err error) {
	return shrink(src, 1)
}

// shrink copies src and averages boxes of k by k pixels, a band of rows at a
// time, so that a large picture never exists twice. What is left over at the
// right and the bottom is averaged from fewer pixels. Alpha weighs the colours.
func shrink(src image.Image, k int) (dst *image.NRGBA, err error) {
	defer func() {
		if p := recover(); p != nil {
			dst, err = nil, fmt.Errorf("copy decoded picture: panic: %w", ErrBroken)
		}
	}()
	b := src.Bounds()
	if n, ok := src.(*image.NRGBA); ok && k == 1 && b.Min == (image.Point{}) && n.Stride == 4*b.Dx() {
		return n, nil
	}
	dst = image.NewNRGBA(image.Rect(0, 0, (b.Dx()+k-1)/k, (b.Dy()+k-1)/k))
	bandRows := max(k, 64/k*k)
	band := newBand(src, b.Dx(), bandRows)
	for y := b.Min.Y; y < b.Max.Y; y += bandRows {
		rows := min(bandRows, b.Max.Y-y)
		pix, stride := band.copy(src, image.Pt(b.Min.X, y), rows)
		for top := 0; top < rows; top += k {
			average(dst.Pix[((y-b.Min.Y+top)/k)*dst.Stride:], pix[top*stride:], stride, b.Dx(), min(k, rows-top), k)
		}
	}
	return dst, nil
}

// band holds a few rows as four bytes a pixel. Opaque pictures go through
// image.RGBA, for which package draw has fast paths and which is then the same.
type band struct {
	rgba  *image.RGBA
	nrgba *image.NRGBA
}

func newBand(src image.Image, w, h int) band {
	if _, ok := src.(*image.NRGBA); ok {
		return band{} // read in place
	}
	if o, ok := src.(interface{ Opaque() bool }); ok && o.Opaque() {
		return band{rgba: image.NewRGBA(image.Rect(0, 0, w, h))}
	}
	return band{nrgba: image.NewNRGBA(image.Rect(0, 0, w, h))}
}

func (b band) copy(src image.Image, at image.Point, rows int) (pix []uint8, stride int) {
	switch {
	case b.rgba != nil:
		draw.Draw(b.rgba, image.Rect(0, 0, b.rgba.Rect.Dx(), rows), src, at, draw.Src)
		return b.rgba.Pix, b.rgba.Stride
	case b.nrgba != nil:
		draw.Draw(b.nrgba, image.Rect(0, 0, b.nrgba.Rect.Dx(), rows), src, at, draw.Src)
		return b.nrgba.Pix, b.nrgba.Stride
	}
	n := src.(*image.NRGBA)
	return n.Pix[n.PixOffset(at.X, at.Y):], n.Stride
}

// average writes one output row from up to k source rows.
func average(dst, src []uint8, stride, w, rows, k int) {
	if k == 1 {
		copy(dst[:4*w], src[:4*w])
		return
	}
	for x := 0; x < w; x += k {
		if x+k <= w && opaqueBox(dst[4*(x/k):], src[4*x:], stride, rows, k) {
			continue
		}
		var r, g, b, a, n uint32
		for y := range rows {
			line := src[y*stride+4*x : y*stride+4*min(x+k, w)]
			for ; len(line) >= 4; line = line[4:] {
				al := uint32(line[3])
				r += uint32(line[0]) * al
				g += uint32(line[1]) * al
				b += uint32(line[2]) * al
				a += al
				n++
			}
		}
		d := dst[4*(x/k):]
		if a > 0 {
			d[0], d[1], d[2] = uint8((r+a/2)/a), uint8((g+a/2)/a), uint8((b+a/2)/a)
		}
		d[3] = uint8((a + n/2) / n)
	}
}

// opaqueBox averages one box whose pixels are all opaque, to the same bytes as
// with their weights. It is false, and writes nothing, when one is not.
func opaqueBox(dst, src []uint8, stride, rows, k int) bool {
	var r, g, b uint32
	solid := uint8(255)
	for y := range rows {
		line := src[y*stride:][:4*k]
		for ; len(line) >= 4; line = line[4:] {
			r += uint32(line[0])
			g += uint32(line[1])
			b += uint32(line[2])
			solid &= line[3]
		}
	}
	if solid != 255 {
		return false
	}
	n := uint32(rows * k)
	dst[0], dst[1], dst[2], dst[3] = uint8((r+n/2)/n), uint8((g+n/2)/n), uint8((b+n/2)/n), 255
	return true
}
