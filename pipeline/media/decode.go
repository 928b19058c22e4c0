package media

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
	"time"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/disintegration/imaging"
)

// decoder is what one child does with one file. It runs only there, but for the
// parts that are safe on any pixels.
type decoder struct {
	want   Want
	limits Limits
	turbo  *turbo // nil: the standard decoder alone
	heif   *heif  // nil: HEIC and AVIF are unsupported
}

// decode is the whole way of a file in the child: sniff, headers, limits, pixels,
// shrink, orient, squares, hashes, renditions.
func (d *decoder) decode(data []byte) (*Decoded, error) {
	d.want = d.want.withDefaults()
	d.limits = d.limits.WithDefaults()
	if err := d.want.check(); err != nil {
		return nil, err
	}
	h, err := Inspect(data)
	if err != nil {
		return nil, err
	}
	if err := d.limits.Check(h); err != nil {
		return nil, err
	}
	out := &Decoded{Type: h.Type, Width: h.Width, Height: h.Height, FrameCount: h.Frames, Orientation: h.Orientation, HasGPS: h.HasGPS}
	if h.Orientation >= 5 {
		out.Width, out.Height = h.Height, h.Width
	}
	if h.Frames > 1 || h.Type == GIF {
		if err := d.animation(out, data, h); err != nil {
			return nil, err
		}
		return out, nil
	}
	if h.Type == HEIC || h.Type == AVIF {
		if err := d.fromHEIF(out, data, h); err != nil {
			return nil, fmt.Errorf("decode %s: %w", h.Type, err)
		}
		return out, nil
	}
	img, name, err := d.still(data, h)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", h.Type, err)
	}
	out.Decoder = name
	if err := d.add(out, 0, 0, img); err != nil {
		return nil, err
	}
	return out, nil
}

func (w Want) check() error {
	for _, s := range w.Squares {
		if err := s.check(); err != nil {
			return err
		}
	}
	if w.Fit < 0 || w.Fit > 2048 || w.Thumbnail < 0 || w.Thumbnail > 2048 || w.Preview < 0 || w.Preview > 2048 ||
		w.MaxFrames < 1 || w.MaxFrames > 300 || w.Pictures < 1 || w.Pictures > 300 || w.Oversample < 1 || w.Oversample > 8 || len(w.Squares) > 8 {
		return fmt.Errorf("more asked of a picture than is offered: %w", ErrUnsupported)
	}
	return nil
}

// animation decodes frame after frame and looks at those that differ, as many as
// are wanted.
func (d *decoder) animation(out *Decoded, data []byte, h Header) error {
	all, err := steps(data, h.Type)
	if err != nil {
		return fmt.Errorf("take %s apart: %w", h.Type, err)
	}
	if len(all) == 0 || len(all) > d.limits.Frames {
		return fmt.Errorf("%d frames in %s: %w", len(all), h.Type, ErrBroken)
	}
	out.FrameCount, out.Decoder = len(all), string(h.Type)
	for _, s := range all {
		out.Duration += s.delay
	}
	k := d.reduction(h.Width, h.Height)
	r := &reel{limit: d.want.MaxFrames, same: sameBits}
	err = play(all, image.Pt(h.Width, h.Height), func(at time.Duration, canvas *image.NRGBA) error {
		small, err := shrink(canvas, k)
		if err != nil {
			return err
		}
		if k == 1 { // the canvas is only lent
			small = imaging.Clone(small)
		}
		return r.add(small, at)
	})
	if err != nil {
		return err
	}
	shots := r.pick()
	out.Coarse, out.Thinned = r.lost, r.gone
	return d.addAll(out, shots)
}

// sameBits is the difference of two DHashes up to which a frame of an animation
// counts as the one before.
const sameBits = 4

// still decodes a picture of one frame, reduced as far as the wanted sizes allow.
func (d *decoder) still(data []byte, h Header) (*image.NRGBA, string, error) {
	if h.Type == JPEG {
		if d.turbo != nil {
			if img, err := d.turbo.decode(data, h, d.shortest(h.Width, h.Height)); err == nil {
				img, err = shrink(img, d.reduction(img.Rect.Dx(), img.Rect.Dy()))
				return img, "libjpeg-turbo", err
			}
		}
		if h.Progressive && 2*h.cost() > d.limits.DecodeBytes { // the standard decoder keeps 32-bit coefficients
			return nil, "", fmt.Errorf("progressive picture without libjpeg-turbo: %w", ErrTooLarge)
		}
	}
	src, err := standard(data, h.Type)
	if err != nil {
		return nil, "", err
	}
	if b := src.Bounds(); b.Dx() != h.Width || b.Dy() != h.Height {
		return nil, "", broken("decoded size differs from the header")
	}
	img, err := shrink(src, d.reduction(h.Width, h.Height))
	return img, string(h.Type), err
}

// fromHEIF looks at the primary picture; with others beside it the file was not
// seen whole.
func (d *decoder) fromHEIF(out *Decoded, data []byte, h Header) error {
	if d.heif == nil {
		return fmt.Errorf("libheif is not there: %w", ErrUnsupported)
	}
	img, size, more, err := d.heif.decode(data, h, d.limits.Side, d.reduction)
	if err != nil {
		return err
	}
	out.Decoder, out.Coarse = "libheif", more
	out.Width, out.Height = size.X, size.Y // without what the coding added at the edges
	return d.add(out, 0, 0, img)
}

func standard(data []byte, t Type) (img image.Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, fmt.Errorf("decoder panicked: %w", ErrBroken)
		}
	}()
	r := bytes.NewReader(data)
	switch t {
	case JPEG:
		img, err = jpeg.Decode(r)
	case PNG:
		img, err = png.Decode(r)
	case WebP:
		img, err = webp.Decode(r)
	case BMP:
		img, err = bmp.Decode(r)
	default:
		return nil, ErrUnsupported
	}
	if err != nil && strings.Contains(err.Error(), "unsupported") {
		return nil, fmt.Errorf("variant of %s: %w", t, ErrUnsupported)
	}
	if err != nil {
		return nil, broken("decoder refuses it")
	}
	return img, nil
}

// shortest is how many pixels the short side must keep before exact resampling.
func (d *decoder) shortest(w, h int) int {
	need := 128 // hashes and test card
	for _, s := range d.want.Squares {
		size := s.Size
		if s.Mode == OpenNSFW {
			size = size * 8 / 7
		}
		need = max(need, size*d.want.Oversample)
	}
	for _, long := range []int{fitSide(d.want.Fit, w, h), d.want.Thumbnail, d.want.Preview, 256} {
		need = max(need, (long*min(w, h)+max(w, h)-1)/max(w, h))
	}
	return need
}

// reduction is the whole factor by which a picture may be averaged first.
func (d *decoder) reduction(w, h int) int {
	return max(1, min(min(w, h)/d.shortest(w, h), 128))
}

// addAll adds frames, of which only as many as are wanted get a picture. It takes
// the shots' images from them, so that no frame is held twice.
func (d *decoder) addAll(out *Decoded, shots []shot) error {
	if len(shots) == 0 {
		return nil
	}
	fit := d.want.Fit
	chosen := sample(len(shots), d.want.Pictures)
	size := shots[0].img.Rect.Size()
	smaller := fitAmong(fit, size.X, size.Y, min(len(shots), d.want.Pictures))
	for i, s := range shots {
		d.want.Fit = 0
		if chosen(i) {
			d.want.Fit = smaller
		}
		if err := d.add(out, s.index, s.at, s.img); err != nil {
			return err
		}
		shots[i].img = nil
	}
	d.want.Fit = fit
	return nil
}

// pictureBytes is how much memory the pictures of one file may take. Of 64 slides of
// 1280 by 720 pixels, so 557 wide, as many lines of 20 pixels are read as of three
// times as many bytes.
const pictureBytes = 32 << 20

// fitAmong is the Fit at which n frames of w by h pixels take no more than
// pictureBytes.
func fitAmong(fit, w, h, n int) int {
	long := min(fitSide(fit, w, h), max(w, h))
	bytes := 3 * float64(long) * float64(long) * float64(min(w, h)) / float64(max(w, h)) * float64(n)
	if fit == 0 || bytes <= pictureBytes {
		return fit
	}
	return max(1, int(float64(fit)*float64(long)/float64(fitSide(fit, w, h))*math.Sqrt(pictureBytes/bytes)))
}

// add turns a reduced picture into a Frame, and the first one into renditions.
func (d *decoder) add(out *Decoded, index int, at time.Duration, img *image.NRGBA) error {
	img = orient(img, out.Orientation)
	f, flat, coarse, err := frame(img, d.want, d.limits.Tiles)
	if err != nil {
		return err
	}
	f.Index, f.At = index, at
	out.Coarse = out.Coarse || coarse
	if len(out.Frames) == 0 {
		out.DHash, out.PHash = f.DHash, f.PHash
		if out.Thumbnail, out.Preview, err = renditions(flat, d.want); err != nil {
			return err
		}
	}
	if out.TestCard == "" {
		out.TestCard = f.TestCard
	}
	out.Frames = append(out.Frames, f)
	return nil
}

// frame makes what is wanted of one reduced, oriented picture.
func frame(img *image.NRGBA, want Want, tiles int) (f Frame, flat *image.NRGBA, coarse bool, err error) {
	flat = img
	if !img.Opaque() {
		flat = flatten(img, 255)
	}
	small, err := shrink(flat, min(max(1, min(flat.Rect.Dx(), flat.Rect.Dy())/160), 128))
	if err != nil {
		return f, nil, false, err
	}
	f.DHash, f.PHash = DHash(small), PHash(small)
	f.TestCard, _ = ReadTestCard(small)
	if f.PDQ, err = printOf(flat); err != nil {
		return f, nil, false, err
	}
	if f.Crops, coarse, err = Squares(img, want.Squares, tiles); err != nil {
		return f, nil, false, err
	}
	if want.Fit > 0 {
		f.Picture = fit(flat, want.Fit)
	}
	return f, flat, coarse, nil
}

// orient applies an EXIF orientation (EXIF 2.32, tag 0x0112).
func orient(img *image.NRGBA, o int) *image.NRGBA {
	switch o {
	case 2:
		return imaging.FlipH(img)
	case 3:
		return imaging.Rotate180(img)
	case 4:
		return imaging.FlipV(img)
	case 5:
		return imaging.Transpose(img)
	case 6:
		return imaging.Rotate270(img)
	case 7:
		return imaging.Transverse(img)
	case 8:
		return imaging.Rotate90(img)
	}
	return img
}

// fitSide is the longest side of Frame.Picture. A shape longer than 2 to 1 gets
// more, up to three times, so that letters in a long screenshot stay letters.
func fitSide(fit, w, h int) int {
	long, short := max(w, h), max(1, min(w, h))
	return max(fit, min(fit*long/(2*short), 3*fit))
}

func fit(img *image.NRGBA, side int) *RGB {
	long := fitSide(side, img.Rect.Dx(), img.Rect.Dy())
	small := imaging.Fit(img, long, long, imaging.Box)
	w, h := small.Rect.Dx(), small.Rect.Dy()
	out := &RGB{Width: w, Height: h, Pix: make([]byte, 3*w*h)}
	for i := range w * h {
		copy(out.Pix[3*i:3*i+3], small.Pix[4*i:])
	}
	return out
}

// renditions are what people may see: a plain copy, and one that is grey and so
// blurred that only its large masses remain.
func renditions(flat *image.NRGBA, want Want) (thumbnail, preview []byte, err error) {
	if n := want.Thumbnail; n > 0 {
		if thumbnail, err = encodeJPEG(imaging.Fit(flat, n, n, imaging.Linear)); err != nil {
			return nil, nil, err
		}
	}
	if n := want.Preview; n > 0 {
		if preview, err = encodeJPEG(soften(flat, n)); err != nil {
			return nil, nil, err
		}
	}
	return thumbnail, preview, nil
}

// soften gives a grey copy with sides of at most so many pixels, blurred beyond
// recognition.
func soften(img *image.NRGBA, side int) *image.NRGBA {
	tiny := imaging.Grayscale(imaging.Fit(img, 32, 32, imaging.Box))
	shown := imaging.Fit(img, side, side, imaging.Box).Rect
	return imaging.Blur(imaging.Resize(tiny, shown.Dx(), shown.Dy(), imaging.Linear), float64(side)/64)
}

func encodeJPEG(img *image.NRGBA) ([]byte, error) {
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, opaqueRGBA(img), &jpeg.Options{Quality: 82}); err != nil {
		return nil, fmt.Errorf("encode rendition: %w", err)
	}
	return buf.Bytes(), nil
}

// opaqueRGBA is the same pixels under the type for which package jpeg has a fast
// path; for opaque pictures the two mean the same.
func opaqueRGBA(img *image.NRGBA) *image.RGBA {
	return &image.RGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}
}
