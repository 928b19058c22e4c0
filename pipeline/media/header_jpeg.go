package media

import (
	"bytes"
	"encoding/binary"
)

// inspectJPEG walks the markers of ITU-T T.81, annex B, up to the end of image.
// Scans are counted by the markers between entropy-coded bytes, because each
// scan of a progressive file costs a pass over all coefficients.
func inspectJPEG(b []byte) (Header, error) {
	var h Header
	for i := 2; ; {
		marker, body, next, err := jpegSegment(b, i)
		if err != nil {
			return h, err
		}
		i = next
		switch {
		case marker == 0xd9 || marker == 0: // end of image, or the file ends in its pixels
			if h.Width == 0 {
				return h, broken("no frame header")
			}
			return h, nil
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			if err := h.readFrame(marker, body); err != nil {
				return h, err
			}
		case marker == 0xda:
			h.Scans++
			i = skipEntropy(b, i)
		case marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00")):
			h.readEXIF(body)
		case marker == 0xe1:
			h.readXMP(body)
		}
	}
}

// jpegSegment reads the segment at i. Marker 0 says that the bytes ended after
// at least one scan could have begun.
func jpegSegment(b []byte, i int) (marker byte, body []byte, next int, err error) {
	for i < len(b) && b[i] != 0xff { // decoders skip stray bytes between segments
		i++
	}
	for i < len(b) && b[i] == 0xff {
		i++
	}
	if i >= len(b) {
		return 0, nil, i, nil
	}
	marker = b[i]
	i++
	if marker == 0x01 || marker >= 0xd0 && marker <= 0xd9 || marker == 0 {
		if marker == 0 {
			marker = 0x01 // a stuffed byte outside a scan means nothing
		}
		return marker, nil, i, nil
	}
	if i+2 > len(b) {
		return 0, nil, len(b), nil
	}
	n := int(binary.BigEndian.Uint16(b[i:]))
	if n < 2 || i+n > len(b) {
		return marker, nil, i, broken("segment runs past the end")
	}
	return marker, b[i+2 : i+n], i + n, nil
}

func (h *Header) readFrame(marker byte, b []byte) error {
	if marker != 0xc0 && marker != 0xc1 && marker != 0xc2 {
		return broken("lossless, hierarchical or arithmetic coding")
	}
	if h.Width != 0 {
		return broken("two frame headers")
	}
	if len(b) < 6 || len(b) < 6+3*int(b[5]) || b[0] != 8 {
		return broken("frame header")
	}
	h.Progressive = marker == 0xc2
	h.Height, h.Width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	h.components = int(b[5])
	var maxH, maxV, sum int
	for c := range h.components {
		hv := int(b[6+3*c+1])
		maxH, maxV = max(maxH, hv>>4), max(maxV, hv&15)
		sum += (hv >> 4) * (hv & 15)
	}
	if maxH == 0 || maxV == 0 {
		return broken("sampling factors")
	}
	h.samples = max(1, (2*sum+maxH*maxV-1)/(maxH*maxV))
	return nil
}

// skipEntropy gives the place of the next marker after entropy-coded bytes.
func skipEntropy(b []byte, i int) int {
	for {
		j := bytes.IndexByte(b[i:], 0xff)
		if j < 0 || i+j+1 >= len(b) {
			return len(b)
		}
		i += j
		if m := b[i+1]; m != 0 && m != 0xff && (m < 0xd0 || m > 0xd7) {
			return i
		}
		i++
		if b[i] != 0xff {
			i++
		}
	}
}
