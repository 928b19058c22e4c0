package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Header is what a picture's own headers say, read without decoding a pixel.
type Header struct {
	Type        Type
	Width       int  // pixels, as stored: EXIF orientation not applied
	Height      int  // pixels, as stored
	Frames      int  // frames found by walking the file, not the number that it claims; at least 1
	Scans       int  // scans of a JPEG, otherwise 0
	Progressive bool // JPEG only
	HasAlpha    bool // some pixel may be transparent
	Orientation int  // EXIF orientation 1 to 8; 1 when there is none
	HasGPS      bool // EXIF or XMP tells a place

	samples    int  // JPEG: bytes for one pixel of 16-bit samples, at the stored subsampling
	components int  // JPEG: colour components
	pixelBytes int  // PNG, GIF, WebP, BMP: bytes of a decoded pixel
	interlaced bool // PNG: Adam7
}

// Inspect reads the headers of a whole picture file. It allocates little and
// decodes nothing, so its answer can be held against Limits first. Films and
// voice are ErrUnsupported here: ffprobe reads those under limits.
func Inspect(data []byte) (Header, error) {
	t, err := Sniff(data)
	if err != nil {
		return Header{}, err
	}
	read, ok := map[Type]func([]byte) (Header, error){
		JPEG: inspectJPEG, PNG: inspectPNG, GIF: inspectGIF, WebP: inspectWebP, BMP: inspectBMP, HEIC: inspectHEIF, AVIF: inspectHEIF,
	}[t]
	if !ok {
		return Header{Type: t}, fmt.Errorf("inspect %s: %w", t, ErrUnsupported)
	}
	h, err := read(data)
	h.Type = t
	if err != nil {
		return h, fmt.Errorf("inspect %s: %w", t, err)
	}
	h.Frames = max(h.Frames, 1)
	if h.Orientation < 1 || h.Orientation > 8 {
		h.Orientation = 1
	}
	return h, nil
}

func broken(why string) error { return fmt.Errorf("%s: %w", why, ErrBroken) }

// inspectBMP reads the BITMAPINFOHEADER. A negative height means top-down.
func inspectBMP(b []byte) (Header, error) {
	if len(b) < 54 {
		return Header{}, broken("bitmap header cut")
	}
	h := Header{
		Width:      int(int32(binary.LittleEndian.Uint32(b[18:]))),
		Height:     int(int32(binary.LittleEndian.Uint32(b[22:]))),
		pixelBytes: 4,
	}
	if h.Height < 0 {
		h.Height = -h.Height
	}
	h.HasAlpha = binary.LittleEndian.Uint16(b[28:]) == 32
	return h, nil
}

// readEXIF takes the orientation (tag 0x0112) and whether there is a GPS
// directory (tag 0x8825) with anything in it from a TIFF block (EXIF 2.32, 4.6).
func (h *Header) readEXIF(b []byte) {
	b = bytes.TrimPrefix(b, []byte("Exif\x00\x00"))
	var order binary.ByteOrder
	switch {
	case has(b, 0, "II*\x00"):
		order = binary.LittleEndian
	case has(b, 0, "MM\x00*"):
		order = binary.BigEndian
	default:
		return
	}
	if len(b) < 8 {
		return
	}
	eachEntry(b, order, order.Uint32(b[4:]), func(tag uint16, value []byte) {
		switch tag {
		case 0x0112:
			if o := int(order.Uint16(value)); o >= 1 && o <= 8 {
				h.Orientation = o
			}
		case 0x8825:
			eachEntry(b, order, order.Uint32(value), func(tag uint16, _ []byte) {
				if tag != 0 { // tag 0 is only the version
					h.HasGPS = true
				}
			})
		}
	})
}

// eachEntry calls f for at most 512 entries of one directory and follows no
// chain, so a loop of directories ends at once.
func eachEntry(b []byte, order binary.ByteOrder, at uint32, f func(tag uint16, value []byte)) {
	if uint64(at)+2 > uint64(len(b)) {
		return
	}
	n := min(int(order.Uint16(b[at:])), 512)
	for i := range n {
		p := int(at) + 2 + 12*i
		if p+12 > len(b) {
			return
		}
		f(order.Uint16(b[p:]), b[p+8:p+12])
	}
}

// readXMP looks for a place in an XMP packet.
func (h *Header) readXMP(b []byte) {
	if strings.Contains(string(b), "GPSLatitude") || strings.Contains(string(b), "GPSLongitude") {
		h.HasGPS = true
	}
}
