package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"testing"
)

// Makers of test files. Nothing here is anybody's picture.

func flat(w, h int, c color.Color) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

// scenery is a picture with edges, colours and gradients, the same each time.
func scenery(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{uint8(255 * x / w), uint8(255 * y / h), uint8(40 * ((x*8/w + y*8/h) % 6)), 255}
			if dx, dy := x-w/3, y-h/2; dx*dx+dy*dy < h*h/16 {
				c.R, c.G = c.G, 255-c.R
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func jpegBytes(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	if n, ok := img.(*image.NRGBA); ok && n.Opaque() {
		img = opaqueRGBA(n) // many times quicker
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withEXIF puts an EXIF block after the start of a JPEG: orientation, and a
// latitude when gps is set.
func withEXIF(jpg []byte, orientation int, gps bool) []byte {
	tiff := exif(orientation, gps)
	seg := append([]byte("Exif\x00\x00"), tiff...)
	head := []byte{0xff, 0xd8, 0xff, 0xe1, byte((len(seg) + 2) >> 8), byte(len(seg) + 2)}
	return append(append(head, seg...), jpg[2:]...)
}

func exif(orientation int, gps bool) []byte {
	le := binary.LittleEndian
	entry := func(b []byte, tag, kind uint16, count, value uint32) []byte {
		b = le.AppendUint16(le.AppendUint16(b, tag), kind)
		return le.AppendUint32(le.AppendUint32(b, count), value)
	}
	b := []byte("II*\x00\x08\x00\x00\x00")
	b = le.AppendUint16(b, 2)
	b = entry(b, 0x0112, 3, 1, uint32(orientation))
	b = entry(b, 0x8825, 4, 1, 38)
	b = le.AppendUint32(b, 0)
	if !gps {
		return le.AppendUint16(b, 0)
	}
	b = le.AppendUint16(b, 1)
	return entry(b, 2, 5, 3, 0)
}

func gifBytes(t testing.TB, frames []image.Image, disposal byte) []byte {
	t.Helper()
	g := &gif.GIF{}
	for _, f := range frames {
		p := image.NewPaletted(f.Bounds(), color.Palette{color.Transparent, color.White, color.Black, color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255}, color.NRGBA{0, 0, 255, 255}})
		draw.Draw(p, p.Rect, f, f.Bounds().Min, draw.Src)
		g.Image, g.Delay, g.Disposal = append(g.Image, p), append(g.Delay, 10), append(g.Disposal, disposal)
	}
	g.Config = image.Config{Width: frames[0].Bounds().Dx(), Height: frames[0].Bounds().Dy(), ColorModel: g.Image[0].Palette}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pngFrameMade is a frame of an animated PNG to be made.
type pngFrameMade struct {
	img            image.Image
	x, y           int
	dispose, blend byte
}

// apngBytes writes an animated PNG. A cover is a default picture outside it.
func apngBytes(t testing.TB, w, h int, cover image.Image, frames ...pngFrameMade) []byte {
	t.Helper()
	be := binary.BigEndian
	out := []byte("\x89PNG\r\n\x1a\n")
	out = appendPNG(out, "IHDR", append(be.AppendUint32(be.AppendUint32(nil, uint32(w)), uint32(h)), 8, 6, 0, 0, 0))
	out = appendPNG(out, "acTL", be.AppendUint32(be.AppendUint32(nil, uint32(len(frames))), 0))
	if cover != nil {
		out = appendPNG(out, "IDAT", pixels(t, cover))
	}
	seq := uint32(0)
	for i, f := range frames {
		b := f.img.Bounds()
		ctl := be.AppendUint32(nil, seq)
		for _, v := range []int{b.Dx(), b.Dy(), f.x, f.y} {
			ctl = be.AppendUint32(ctl, uint32(v))
		}
		out = appendPNG(out, "fcTL", append(ctl, 0, 1, 0, 10, f.dispose, f.blend))
		seq++
		if i == 0 && cover == nil {
			out = appendPNG(out, "IDAT", pixels(t, f.img))
			continue
		}
		out = appendPNG(out, "fdAT", append(be.AppendUint32(nil, seq), pixels(t, f.img)...))
		seq++
	}
	return appendPNG(out, "IEND", nil)
}

func pixels(t testing.TB, img image.Image) []byte {
	t.Helper()
	n, err := toNRGBA(img)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	for y := range n.Rect.Dy() {
		_, _ = z.Write(append([]byte{0}, n.Pix[y*n.Stride:y*n.Stride+4*n.Rect.Dx()]...))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webpFrameMade is a flat frame of an animated WebP to be made.
type webpFrameMade struct {
	w, h, x, y int
	c          color.NRGBA
	flags      byte // 1 dispose to background, 2 do not blend
}

func webpBytes(w, h int, frames ...webpFrameMade) []byte {
	chunk := func(out []byte, kind string, body []byte) []byte {
		out = binary.LittleEndian.AppendUint32(append(out, kind...), uint32(len(body)))
		out = append(out, body...)
		if len(body)%2 == 1 {
			out = append(out, 0)
		}
		return out
	}
	x := make([]byte, 10)
	x[0] = 0x12
	putUint24(x[4:], w-1)
	putUint24(x[7:], h-1)
	body := chunk([]byte("WEBP"), "VP8X", x)
	body = chunk(body, "ANIM", make([]byte, 6))
	for _, f := range frames {
		head := make([]byte, 16)
		for i, v := range []int{f.x / 2, f.y / 2, f.w - 1, f.h - 1, 100} {
			putUint24(head[3*i:], v)
		}
		head[15] = f.flags
		body = chunk(body, "ANMF", chunk(head, "VP8L", flatVP8L(f.w, f.h, f.c)))
	}
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// flatVP8L writes a lossless picture of one colour: five codes of one symbol each
// (RFC 9649, 3.7.2), so that no pixel takes a bit.
func flatVP8L(w, h int, c color.NRGBA) []byte {
	var bits uint64
	var n uint
	var out []byte
	put := func(v uint64, width uint) {
		bits |= v << n
		n += width
		for n >= 8 {
			out = append(out, byte(bits))
			bits >>= 8
			n -= 8
		}
	}
	put(0x2f, 8)
	put(uint64(w-1), 14)
	put(uint64(h-1), 14)
	put(1, 1) // alpha is used
	put(0, 3)
	put(0, 3) // no transform, no colour cache, no meta codes
	for _, v := range []uint8{c.G, c.R, c.B, c.A, 0} {
		put(1, 1)
		put(0, 1)
		put(1, 1)
		put(uint64(v), 8)
	}
	put(0, 7)
	return out
}

// bomb writes a PNG of zeros that is small and claims, truly, a large size.
func bomb(t testing.TB, w, h int, depth, colour byte, rowBytes int, level int) []byte {
	t.Helper()
	be := binary.BigEndian
	out := []byte("\x89PNG\r\n\x1a\n")
	out = appendPNG(out, "IHDR", append(be.AppendUint32(be.AppendUint32(nil, uint32(w)), uint32(h)), depth, colour, 0, 0, 0))
	if colour == 3 {
		out = appendPNG(out, "PLTE", []byte{0, 0, 0, 255, 255, 255})
	}
	var b bytes.Buffer
	z, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	row := make([]byte, rowBytes+1)
	for range h {
		if _, err := z.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return appendPNG(appendPNG(out, "IDAT", b.Bytes()), "IEND", nil)
}
