package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"time"

	"golang.org/x/image/webp"
)

// step is one frame of an animation before it is laid on the canvas.
type step struct {
	decode  func() (image.Image, error)
	at      image.Point
	size    image.Point // what the frame's own header says, zero when it has none
	delay   time.Duration
	over    bool // blend with what is there; otherwise replace it
	dispose int  // what happens after it is shown
	alone   bool // a default picture that stands outside the animation
}

const (
	keep = iota
	clearFrame
	restore
)

// steps takes an animation apart without decoding it. Only one frame is ever
// decoded at a time: package gif would hold all of them.
func steps(data []byte, t Type) ([]step, error) {
	switch t {
	case GIF:
		return gifSteps(data)
	case PNG:
		return pngSteps(data)
	case WebP:
		return webpSteps(data)
	}
	return nil, fmt.Errorf("frames of %s: %w", t, ErrUnsupported)
}

func gifSteps(data []byte) ([]step, error) {
	head, ok := gifHead(data)
	if !ok {
		return nil, broken("header cut")
	}
	var all []step
	whole := eachGIF(data, func(g gifBlock) bool {
		u := func(i int) int { return int(binary.LittleEndian.Uint16(g.image[i:])) }
		at, size := image.Pt(u(1), u(3)), image.Pt(u(5), u(7))
		dispose := map[int]int{2: clearFrame, 3: restore}[g.disposal]
		all = append(all, step{
			decode: func() (image.Image, error) { return gif.Decode(bytes.NewReader(oneGIF(head, g))) },
			at:     at, size: size, delay: time.Duration(g.delay) * 10 * time.Millisecond, over: true, dispose: dispose,
		})
		return true
	})
	if !whole {
		return nil, broken("file ends inside a frame")
	}
	return all, nil
}

// oneGIF writes a GIF of a single frame on a screen of just its size.
func oneGIF(head []byte, g gifBlock) []byte {
	out := append([]byte(nil), head...)
	img := append([]byte(nil), g.image...)
	copy(out[6:10], img[5:9])
	copy(img[1:5], []byte{0, 0, 0, 0})
	out = append(out, g.control...)
	return append(append(out, img...), 0x3b)
}

func pngSteps(data []byte) ([]step, error) {
	var ihdr []byte
	var shared [][]byte // palette and transparency, needed by every frame
	var all []step
	var cur *pngFrame
	flush := func() {
		if cur != nil && len(cur.data) > 0 {
			all = append(all, cur.step(ihdr, shared))
		}
		cur = nil
	}
	for rest := data[8:]; ; {
		c, next, ok := nextPNG(rest)
		if !ok {
			return nil, broken("file ends inside a chunk")
		}
		rest = next
		switch c.kind {
		case "IHDR":
			if len(c.body) != 13 {
				return nil, broken("header length")
			}
			ihdr = c.body
			cur = &pngFrame{w: binary.BigEndian.Uint32(ihdr), h: binary.BigEndian.Uint32(ihdr[4:]), alone: true}
		case "PLTE", "tRNS":
			shared = append(shared, c.raw)
		case "fcTL":
			if len(c.body) != 26 {
				return nil, broken("frame header length")
			}
			flush()
			cur = newPNGFrame(c.body)
		case "IDAT", "fdAT":
			body := c.body
			if c.kind == "fdAT" {
				if len(body) < 4 {
					return nil, broken("frame data")
				}
				body = body[4:]
			}
			if cur != nil {
				cur.data = append(cur.data, body)
			}
		case "IEND":
			flush()
			return all, nil
		}
	}
}

// pngFrame collects one frame of an APNG (W3C PNG third edition, 11.3.7).
type pngFrame struct {
	w, h, x, y     uint32
	num, den       uint16
	dispose, blend byte
	alone          bool
	data           [][]byte
}

func newPNGFrame(b []byte) *pngFrame {
	u := binary.BigEndian.Uint32
	return &pngFrame{w: u(b[4:]), h: u(b[8:]), x: u(b[12:]), y: u(b[16:]),
		num: binary.BigEndian.Uint16(b[20:]), den: binary.BigEndian.Uint16(b[22:]), dispose: b[24], blend: b[25]}
}

func (f *pngFrame) step(ihdr []byte, shared [][]byte) step {
	den := time.Duration(f.den)
	if den == 0 {
		den = 100
	}
	return step{
		decode: func() (image.Image, error) { return png.Decode(bytes.NewReader(f.onePNG(ihdr, shared))) },
		at:     image.Pt(int(min(f.x, 1<<20)), int(min(f.y, 1<<20))),
		size:   image.Pt(int(min(f.w, 1<<20)), int(min(f.h, 1<<20))),
		delay:  time.Duration(f.num) * time.Second / den,
		over:   f.blend == 1, dispose: int(min(f.dispose, restore)), alone: f.alone,
	}
}

func (f *pngFrame) onePNG(ihdr []byte, shared [][]byte) []byte {
	head := append([]byte(nil), ihdr...)
	binary.BigEndian.PutUint32(head, f.w)
	binary.BigEndian.PutUint32(head[4:], f.h)
	out := appendPNG([]byte("\x89PNG\r\n\x1a\n"), "IHDR", head)
	for _, raw := range shared {
		out = append(out, raw...)
	}
	out = appendPNG(out, "IDAT", bytes.Join(f.data, nil))
	return appendPNG(out, "IEND", nil)
}

func appendPNG(out []byte, kind string, body []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	from := len(out)
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[from:]))
}

func webpSteps(data []byte) ([]step, error) {
	var all []step
	rest := data[12:]
	for len(rest) > 0 {
		c, next, ok := nextRIFF(rest)
		if !ok {
			return nil, broken("file ends inside a chunk")
		}
		rest = next
		if c.kind != "ANMF" {
			continue
		}
		b := c.body
		if len(b) < 16 {
			return nil, broken("frame header")
		}
		w, h := uint24(b[6:])+1, uint24(b[9:])+1
		s := step{at: image.Pt(2*uint24(b), 2*uint24(b[3:])), size: image.Pt(w, h),
			delay: time.Duration(uint24(b[12:])) * time.Millisecond, over: b[15]&2 == 0, dispose: int(b[15] & 1)}
		s.decode = func() (image.Image, error) { return webp.Decode(bytes.NewReader(oneWebP(w, h, b[16:]))) }
		all = append(all, s)
	}
	return all, nil
}

// oneWebP writes a still WebP of one frame's chunks.
func oneWebP(w, h int, chunks []byte) []byte {
	var body []byte
	if has(chunks, 0, "ALPH") {
		x := make([]byte, 18)
		copy(x, "VP8X\x0a\x00\x00\x00\x10")
		putUint24(x[12:], w-1)
		putUint24(x[15:], h-1)
		body = x
	}
	for {
		c, next, ok := nextRIFF(chunks)
		if !ok {
			break
		}
		if c.kind == "ALPH" || c.kind == "VP8 " || c.kind == "VP8L" {
			body = append(body, c.raw...)
		}
		chunks = next
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)+4))
	return append(append(out, "WEBP"...), body...)
}

func putUint24(b []byte, v int) { b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16) }

// play lays every frame on the canvas and calls show with the canvas after each.
// The canvas is only lent for the call.
func play(all []step, canvas image.Point, show func(at time.Duration, canvas *image.NRGBA) error) error {
	page := image.NewNRGBA(image.Rectangle{Max: canvas})
	var before []uint8
	var at time.Duration
	for i, s := range all {
		if s.size.X > canvas.X || s.size.Y > canvas.Y {
			return broken("frame larger than its canvas")
		}
		frame, err := s.decode()
		if err != nil {
			return fmt.Errorf("decode frame %d: %w", i, ErrBroken)
		}
		r := frame.Bounds().Sub(frame.Bounds().Min).Add(s.at).Intersect(page.Rect)
		if s.dispose == restore {
			before = append(before[:0], page.Pix...)
		}
		if err := lay(page, r, frame, s.over); err != nil {
			return err
		}
		if err := show(at, page); err != nil {
			return err
		}
		at += s.delay
		switch {
		case s.alone:
			clear(page.Pix)
		case s.dispose == clearFrame:
			draw.Draw(page, r, image.NewUniform(color.Transparent), image.Point{}, draw.Src)
		case s.dispose == restore:
			copy(page.Pix, before)
		}
	}
	return nil
}

func lay(page *image.NRGBA, r image.Rectangle, frame image.Image, over bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("copy decoded frame: panic: %w", ErrBroken)
		}
	}()
	op := draw.Src
	if over {
		op = draw.Over
	}
	draw.Draw(page, r, frame, frame.Bounds().Min, op)
	return nil
}

// sample chooses at most limit of n frames: the first, the last, and the others
// evenly between.
func sample(n, limit int) func(i int) bool {
	if n <= limit {
		return func(int) bool { return true }
	}
	if limit == 1 {
		return func(i int) bool { return i == 0 }
	}
	chosen := make(map[int]bool, limit)
	for k := range limit {
		chosen[k*(n-1)/(limit-1)] = true
	}
	return func(i int) bool { return chosen[i] }
}
