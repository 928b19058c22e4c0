package media

import (
	"fmt"
	"time"
)

// Limits bounds what is opened. The zero value of each field means its default.
type Limits struct {
	Bytes           int64 // largest photo file, bytes; default 32 MiB
	VideoBytes      int64 // largest film, bytes; default 100 MiB
	VoiceBytes      int64 // largest voice file, bytes; default 25 MiB
	Pixels          int   // largest picture, pixels; default 40,000,000
	Side            int   // longest side, pixels; default 16,384
	Frames          int   // most frames in an animation, counted before decoding; default 300
	AnimationPixels int   // frames times canvas, pixels, so that many large frames are refused; default 200,000,000
	Scans           int   // most scans in a JPEG; default 100 (a plain progressive file has about 10)
	DecodeBytes     int64 // most memory that the pixels may need while decoding, bytes, by estimate; default 192 MiB
	Tiles           int   // most tiles cut from one extreme picture; default 24

	Sound time.Duration // how much sound is listened to; more of it is Long; default 5 min
}

// WithDefaults gives l with every zero field set to its default.
func (l Limits) WithDefaults() Limits {
	def(&l.Bytes, 32<<20)
	def(&l.VideoBytes, 100<<20)
	def(&l.VoiceBytes, 25<<20)
	def(&l.Pixels, 40_000_000)
	def(&l.Side, 16384)
	def(&l.Frames, 300)
	def(&l.AnimationPixels, 200_000_000)
	def(&l.Scans, 100)
	def(&l.DecodeBytes, 192<<20)
	def(&l.Tiles, 24)
	if l.Sound == 0 {
		l.Sound = 5 * time.Minute
	}
	return l
}

func def[T int | int64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// BytesFor is the largest file of the kind, in bytes. It is 0 for an unknown kind.
func (l Limits) BytesFor(k Kind) int64 {
	l = l.WithDefaults()
	switch k {
	case Photo:
		return l.Bytes
	case Film:
		return l.VideoBytes
	case Voice:
		return l.VoiceBytes
	}
	return 0
}

// Check tells whether a picture with this header may be decoded: nil, ErrBroken
// for a picture without pixels, or ErrTooLarge with the limit that it breaks.
func (l Limits) Check(h Header) error {
	l = l.WithDefaults()
	over := func(what string, got, limit int64) error {
		return fmt.Errorf("%s: %d over %d: %w", what, got, limit, ErrTooLarge)
	}
	switch pixels := int64(h.Width) * int64(h.Height); {
	case h.Width <= 0 || h.Height <= 0:
		return fmt.Errorf("picture of %d by %d pixels: %w", h.Width, h.Height, ErrBroken)
	case max(h.Width, h.Height) > l.Side:
		return over("longest side", int64(max(h.Width, h.Height)), int64(l.Side))
	case pixels > int64(l.Pixels):
		return over("pixels", pixels, int64(l.Pixels))
	case h.Frames > l.Frames:
		return over("frames", int64(h.Frames), int64(l.Frames))
	case h.Frames > 1 && pixels*int64(h.Frames) > int64(l.AnimationPixels):
		return over("pixels of all frames", pixels*int64(h.Frames), int64(l.AnimationPixels))
	case h.Scans > l.Scans:
		return over("scans", int64(h.Scans), int64(l.Scans))
	case h.cost() > l.DecodeBytes:
		return over("bytes to decode", h.cost(), l.DecodeBytes)
	}
	return nil
}

// cost estimates the memory in bytes that the decoder holds for the pixels.
func (h Header) cost() int64 {
	pixels := int64(h.Width) * int64(h.Height)
	switch {
	case h.Type == JPEG && h.Progressive:
		return pixels * int64(h.samples) // 16-bit coefficients in libjpeg-turbo; the fall-back needs twice that
	case h.Type == JPEG:
		return pixels * int64(h.samples) / 2
	case h.Type == PNG && h.interlaced:
		return pixels * int64(h.pixelBytes) * 3 / 2
	case h.Frames > 1:
		return pixels * int64(max(4, h.pixelBytes)) * 2 // canvas, what to restore, and the frame
	case h.Type == WebP && h.HasAlpha:
		return pixels * 5
	}
	return pixels * int64(max(1, h.pixelBytes))
}
