package media

import "encoding/binary"

// pngChunk is one chunk of a PNG file (W3C PNG third edition, 5.3).
type pngChunk struct {
	kind string
	body []byte
	raw  []byte // with length, kind and checksum
}

// nextPNG reads the chunk at the start of b and gives what follows.
func nextPNG(b []byte) (c pngChunk, rest []byte, ok bool) {
	if len(b) < 12 {
		return c, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n)+12 > uint64(len(b)) {
		return c, nil, false
	}
	end := int(n) + 12
	return pngChunk{kind: string(b[4:8]), body: b[8 : 8+n], raw: b[:end]}, b[end:], true
}

// inspectPNG walks the chunks. Frames of an APNG are counted by their own
// headers (fcTL); a default image that stands outside the animation is a frame
// too, because some viewers show only that.
func inspectPNG(b []byte) (Header, error) {
	h := Header{}
	rest := b[8:]
	first, controls, standalone := true, 0, false
	for {
		c, next, ok := nextPNG(rest)
		if !ok {
			if first {
				return h, broken("header cut")
			}
			return h, nil // the decoder will say that it is cut
		}
		rest = next
		if first != (c.kind == "IHDR") {
			return h, broken("header is not first, or comes twice")
		}
		switch c.kind {
		case "IHDR":
			if err := h.readIHDR(c.body); err != nil {
				return h, err
			}
			first = false
		case "tRNS":
			h.HasAlpha = true
			if h.pixelBytes < 4 {
				h.pixelBytes = 4
			}
		case "IDAT":
			standalone = standalone || controls == 0
		case "fcTL":
			controls++
		case "eXIf":
			h.readEXIF(c.body)
		case "iTXt":
			h.readXMP(c.body)
		case "IEND":
			h.Frames = controls
			if standalone {
				h.Frames++
			}
			return h, nil
		}
		h.Frames = controls + 1
	}
}

func (h *Header) readIHDR(b []byte) error {
	if len(b) != 13 {
		return broken("header length")
	}
	w, ht := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if w > 1<<31-1 || ht > 1<<31-1 {
		return broken("dimensions")
	}
	h.Width, h.Height = int(w), int(ht)
	h.interlaced = b[12] != 0
	h.HasAlpha = b[9] == 4 || b[9] == 6
	h.pixelBytes = map[byte]int{0: 1, 2: 4, 3: 1, 4: 4, 6: 4}[b[9]]
	if b[8] == 16 {
		h.pixelBytes = map[byte]int{0: 2, 2: 8, 4: 8, 6: 8}[b[9]]
	}
	if h.pixelBytes == 0 {
		return broken("colour type")
	}
	return nil
}
