package media

import "encoding/binary"

// gifBlock is one image of a GIF with the bytes that it needs to be decoded alone.
type gifBlock struct {
	control  []byte // graphic control extension, whole, or nil
	image    []byte // image descriptor up to the block terminator
	delay    int    // hundredths of a second
	disposal int    // GIF89a, 23.c.iv: 2 background, 3 previous
}

// gifHead is the header, screen descriptor and global colour table of a GIF.
func gifHead(b []byte) (head []byte, ok bool) {
	if len(b) < 13 {
		return nil, false
	}
	n := 13
	if b[10]&0x80 != 0 {
		n += 3 << (b[10]&7 + 1)
	}
	if n > len(b) {
		return nil, false
	}
	return b[:n], true
}

// eachGIF calls f for every image of the file without decoding it, until f says
// stop. It tells whether the file ended as it should.
func eachGIF(b []byte, f func(gifBlock) bool) (whole bool) {
	head, ok := gifHead(b)
	if !ok {
		return false
	}
	var control []byte
	for i := len(head); i < len(b); {
		switch b[i] {
		case 0x3b:
			return true
		case 0x21:
			end, ok := skipGIFBlocks(b, i+2)
			if !ok {
				return false
			}
			if i+1 < len(b) && b[i+1] == 0xf9 {
				control = b[i:end]
			}
			i = end
		case 0x2c:
			end, ok := gifImageEnd(b, i)
			if !ok {
				return false
			}
			g := gifBlock{control: control, image: b[i:end]}
			if len(control) >= 8 {
				g.disposal = int(control[3] >> 2 & 7)
				g.delay = int(binary.LittleEndian.Uint16(control[4:]))
			}
			if !f(g) {
				return true
			}
			control, i = nil, end
		case 0:
			i++ // some writers leave a stray terminator
		default:
			return false
		}
	}
	return false
}

func gifImageEnd(b []byte, i int) (end int, ok bool) {
	if i+10 > len(b) {
		return 0, false
	}
	p := i + 10
	if b[i+9]&0x80 != 0 {
		p += 3 << (b[i+9]&7 + 1)
	}
	return skipGIFBlocks(b, p+1)
}

// skipGIFBlocks gives the place behind the sub-blocks that start at i.
func skipGIFBlocks(b []byte, i int) (end int, ok bool) {
	for i < len(b) {
		n := int(b[i])
		i += 1 + n
		if n == 0 {
			return i, true
		}
	}
	return 0, false
}

// inspectGIF counts every image in the file. The canvas is the logical screen
// or, when an image reaches beyond it, as far as that image, as browsers show it.
func inspectGIF(b []byte) (Header, error) {
	if len(b) < 13 {
		return Header{}, broken("header cut")
	}
	h := Header{
		Width: int(binary.LittleEndian.Uint16(b[6:])), Height: int(binary.LittleEndian.Uint16(b[8:])),
		HasAlpha: true, pixelBytes: 4,
	}
	eachGIF(b, func(g gifBlock) bool {
		h.Frames++
		at := func(i int) int { return int(binary.LittleEndian.Uint16(g.image[i:])) }
		h.Width, h.Height = max(h.Width, at(1)+at(5)), max(h.Height, at(3)+at(7))
		return true
	})
	if h.Frames == 0 {
		return h, broken("no picture inside")
	}
	return h, nil
}
