package media

import "encoding/binary"

// riffChunk is one chunk of a RIFF file.
type riffChunk struct {
	kind string
	body []byte
	raw  []byte // with kind, length and padding
}

// nextRIFF reads the chunk at the start of b and gives what follows.
func nextRIFF(b []byte) (c riffChunk, rest []byte, ok bool) {
	if len(b) < 8 {
		return c, nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if uint64(n)+8 > uint64(len(b)) {
		return c, nil, false
	}
	end := min(int(n)+8+int(n&1), len(b))
	return riffChunk{kind: string(b[:4]), body: b[8 : 8+n], raw: b[:end]}, b[end:], true
}

// inspectWebP reads the container (RFC 9649). Sizes come from the pixels' own
// headers as well as from the canvas, and the larger one counts.
func inspectWebP(b []byte) (Header, error) {
	h := Header{pixelBytes: 4}
	if len(b) < 20 {
		return h, broken("header cut")
	}
	for rest := b[12:]; ; {
		c, next, ok := nextRIFF(rest)
		if !ok {
			break
		}
		rest = next
		switch c.kind {
		case "VP8X":
			if len(c.body) < 10 {
				return h, broken("canvas header")
			}
			h.HasAlpha = h.HasAlpha || c.body[0]&0x10 != 0
			h.grow(uint24(c.body[4:])+1, uint24(c.body[7:])+1)
		case "VP8 ", "VP8L":
			h.readVP8(c)
		case "ANMF":
			if len(c.body) < 16 {
				return h, broken("frame header")
			}
			h.Frames++
			h.HasAlpha = true
			h.grow(2*uint24(c.body)+uint24(c.body[6:])+1, 2*uint24(c.body[3:])+uint24(c.body[9:])+1)
			for inner := c.body[16:]; ; {
				f, after, ok := nextRIFF(inner)
				if !ok {
					break
				}
				h.readVP8(f)
				inner = after
			}
		case "EXIF":
			h.readEXIF(c.body)
		case "XMP ":
			h.readXMP(c.body)
		}
	}
	if h.Width == 0 {
		return h, broken("no picture inside")
	}
	return h, nil
}

func (h *Header) grow(w, ht int) { h.Width, h.Height = max(h.Width, w), max(h.Height, ht) }

// readVP8 takes the size from a key frame's header (RFC 6386, 9.1) or from a
// lossless header (RFC 9649, 3.4).
func (h *Header) readVP8(c riffChunk) {
	switch {
	case c.kind == "VP8 " && len(c.body) >= 10:
		h.grow(int(binary.LittleEndian.Uint16(c.body[6:])&0x3fff), int(binary.LittleEndian.Uint16(c.body[8:])&0x3fff))
	case c.kind == "VP8L" && len(c.body) >= 5:
		bits := binary.LittleEndian.Uint32(c.body[1:])
		h.grow(int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1)
		h.HasAlpha = h.HasAlpha || bits>>28&1 == 1
	}
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
