// Package ocr reads the text in a picture, in Chinese and English. It follows PaddleOCR's PP-OCRv4: one network marks
// where lines of text are, one tells which are upside down, one reads each line. The networks themselves are handed in
// as functions, so everything here is plain arithmetic on pixels and numbers, and any answer of a network, however
// broken, ends in lines or in an error and never in a panic. What it reads is a child's words: no error quotes it.
package ocr

import (
	"context"
	"errors"
	"slices"

	"nightlight/pipeline"
)

// Picture is a picture to read: rows from the top, three bytes a pixel, red first.
type Picture struct {
	Width, Height int
	Pix           []byte
}

// Line is one line of text.
type Line struct {
	Text string
	// Box is left, top, width and height in pixels of the picture that was read.
	Box [4]float64
	// Score is how sure the network is of the characters, 0 to 1.
	Score float64

	middle point
	across float64 // height of the letters
	turn   int     // quarter turns clockwise from upright
}

// Network runs a model: one tensor of the given shape in, one out with its shape. Implementations are safe for
// concurrent use and end early when ctx does.
type Network func(ctx context.Context, shape []int64, values []float32) (outShape []int64, out []float32, err error)

// Networks are the three models and what they are called in a verdict.
type Networks struct {
	Detect Network // 1 × 3 × height × width, multiples of 32 → 1 × 1 × height × width, how likely each pixel is text
	Turn   Network // 1 × 3 × 48 × 192 → 1 × 2: upright, upside down
	Read   Network // 1 × 3 × 48 × width → 1 × steps × (len(Keys) + 2)
	// Keys are the characters that Read knows. A blank goes before them and a space after them.
	Keys []string
	Refs []pipeline.ModelRef
}

// Settings bound the work on one picture. Zero fields take their defaults.
type Settings struct {
	GlanceSide int     // longest side in pixels at which a picture is first searched for text; default 320
	StrokeSide int     // longest side at which it is searched again if it has fine strokes; default 640
	DetectSide int     // longest side of the closer search, when one of these saw something; default 960
	MaxLines   int     // most lines read in one picture, the tallest letters first; default 160
	MinScore   float64 // a line that is read with less certainty is dropped; default 0.6
}

// Reader reads pictures. It is safe for concurrent use.
type Reader struct {
	nets Networks
	set  Settings
}

// New makes a Reader of three networks.
func New(nets Networks, s Settings) (*Reader, error) {
	if nets.Detect == nil || nets.Turn == nil || nets.Read == nil || len(nets.Keys) == 0 {
		return nil, errors.New("make OCR reader: a network or the list of characters is missing")
	}
	fill(&s.GlanceSide, 320)
	fill(&s.StrokeSide, 640)
	fill(&s.DetectSide, 960)
	fill(&s.MaxLines, 160)
	fill(&s.MinScore, 0.6)
	return &Reader{nets: nets, set: s}, nil
}

func fill[T int | float64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Models names the three networks.
func (r *Reader) Models() []pipeline.ModelRef { return slices.Clone(r.nets.Refs) }

// maxSide bounds the sides of a picture, in pixels.
const maxSide = 1 << 14

// Page is what reading a picture gave.
type Page struct {
	Lines []Line // in the order in which a person would read them
	Tried int    // places that were read now; in some of them is nothing to read
	Left  int    // places that seem to hold text and were not read
}

// Read gives the lines of text in the order in which a person would read them; none is no error.
func (r *Reader) Read(ctx context.Context, p Picture) ([]Line, error) {
	page, err := r.Page(ctx, p, r.set.MaxLines)
	return page.Lines, err
}

// Page reads most places at most, and not more than Settings.MaxLines. With none it only looks whether there seem to
// be any.
func (r *Reader) Page(ctx context.Context, p Picture, most int) (Page, error) {
	return r.Film(most, most).Page(ctx, p)
}

// flat tells of a picture of one colour, more or less, in which nobody can read anything.
func (p Picture) flat() bool {
	low, high := byte(255), byte(0)
	for _, v := range p.Pix {
		low, high = min(low, v), max(high, v)
	}
	return high-low < 8
}

// line reads the text in one box. ok is false if nothing can be read there.
func (r *Reader) line(ctx context.Context, p Picture, b box) (l Line, ok bool, err error) {
	b, turns := b.laid()
	over, err := r.upsideDown(ctx, p, b)
	if err != nil {
		return l, false, err
	}
	if over {
		b, turns = b.over(), turns+2
	}
	text, score, err := r.text(ctx, p, b)
	if err != nil {
		return l, false, err
	}
	if score < sureOfTurn { // unsure: perhaps because it is the wrong way up after all
		other, better, err := r.text(ctx, p, b.over())
		if err != nil {
			return l, false, err
		}
		if better > score {
			text, score, turns = other, better, turns+2
		}
	}
	if text == "" || score < r.set.MinScore || score < sureOfFew && len([]rune(text)) <= 2 {
		return l, false, nil
	}
	return Line{Text: text, Box: b.around(p), Score: score, middle: b.centre, across: 2 * b.hv, turn: turns % 4}, true, nil
}

const (
	sureOfTurn = 0.8  // a line of a lower score is tried the other way up too
	sureOfFew  = 0.85 // one or two characters of a lower score are a shape that looks like them
)
