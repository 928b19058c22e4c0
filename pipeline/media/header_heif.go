package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// inspectHEIF reads the sizes that a HEIF file (ISO/IEC 23008-12) states: the
// largest spatial extent of any picture in it, since the primary one may be put
// together from others. A file with a moving part is unsupported: only its first
// picture would be looked at.
func inspectHEIF(b []byte) (Header, error) {
	h := Header{pixelBytes: 6, HasAlpha: true} // the decoder's planes beside four bytes of colour
	meta := false
	whole := eachBox(b, func(kind string, body []byte) error {
		switch kind {
		case "moov":
			return fmt.Errorf("sequence of pictures: %w", ErrUnsupported)
		case "meta":
			meta = true
			if len(body) < 4 {
				return broken("meta box cut")
			}
			return eachBox(body[4:], h.heifItem)
		}
		return nil
	})
	if whole != nil {
		return h, whole
	}
	if !meta || h.Width == 0 {
		return h, broken("no picture is described")
	}
	if i := bytes.Index(b, []byte("Exif\x00\x00")); i >= 0 {
		h.readEXIF(b[i:])
	}
	h.readXMP(b)
	h.Orientation = 1 // the file's own turns count, and the decoder applies them
	return h, nil
}

func (h *Header) heifItem(kind string, body []byte) error {
	switch kind {
	case "iprp", "ipco":
		return eachBox(body, h.heifItem)
	case "ispe":
		if len(body) < 12 {
			return broken("extent cut")
		}
		w, ht := int(binary.BigEndian.Uint32(body[4:])), int(binary.BigEndian.Uint32(body[8:]))
		if w < 1 || ht < 1 || w > 1<<20 || ht > 1<<20 {
			return fmt.Errorf("extent out of range: %w", ErrTooLarge)
		}
		if w*ht > h.Width*h.Height {
			h.Width, h.Height = w, ht
		}
	}
	return nil
}

// eachBox walks the boxes of an ISO base media file.
func eachBox(b []byte, f func(kind string, body []byte) error) error {
	for len(b) >= 8 {
		size, head := uint64(binary.BigEndian.Uint32(b)), uint64(8)
		switch {
		case size == 0:
			size = uint64(len(b))
		case size == 1 && len(b) >= 16:
			size, head = binary.BigEndian.Uint64(b[8:]), 16
		}
		if size < head || size > uint64(len(b)) {
			return broken("file ends inside a box")
		}
		if err := f(string(b[4:8]), b[head:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}
