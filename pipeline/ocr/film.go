package ocr

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Film reads the pictures of one film, one after the other. A line that stands still is read once, however long it
// stands. It is for one goroutine.
type Film struct {
	reader       *Reader
	lines, tries int
	texts        map[string]bool
	known        []known
}

// Film gives a Film in which at most so many different lines are read, in at most so many tries: words before
// something that moves are read anew in each picture, and cost a try and no line.
func (r *Reader) Film(lines, tries int) *Film {
	return &Film{reader: r, lines: lines, tries: tries, texts: map[string]bool{}}
}

// known is a place that was read: how it looked then, and what it says, if anything.
type known struct {
	width, height int // of the picture
	box           box
	print         []float32
	line          Line
	ok            bool
}

// Page reads one picture, and in it not more places than Settings.MaxLines. When nothing may be read any more it
// only looks whether there seems to be any text.
func (f *Film) Page(ctx context.Context, p Picture) (page Page, err error) {
	if p.Width < 1 || p.Height < 1 || p.Width > maxSide || p.Height > maxSide || len(p.Pix) != 3*p.Width*p.Height {
		return page, errors.New("read text: not a picture")
	}
	if p.flat() {
		return page, nil
	}
	earlier := f.known // of this picture's own places none stands for another
	found, err := f.reader.detect(ctx, p, f.open() || len(earlier) > 0)
	if err != nil {
		return page, fmt.Errorf("find text: %w", err)
	}
	for _, b := range found {
		k, before := stands(earlier, p, b)
		if !before {
			if !f.open() || page.Tried == f.reader.set.MaxLines {
				page.Left++
				continue
			}
			page.Tried++
			if k, err = f.read(ctx, p, b); err != nil {
				return Page{}, fmt.Errorf("read text: %w", err)
			}
		}
		if k.ok {
			page.Lines = append(page.Lines, k.line)
		}
	}
	page.Lines = order(page.Lines)
	return page, nil
}

// open tells whether anything more may be read.
func (f *Film) open() bool { return f.lines > 0 && f.tries > 0 }

func (f *Film) read(ctx context.Context, p Picture, b box) (known, error) {
	line, ok, err := f.reader.line(ctx, p, b)
	if err != nil {
		return known{}, err
	}
	f.tries--
	if ok && !f.texts[line.Text] {
		f.texts[line.Text] = true
		f.lines--
	}
	k := known{width: p.Width, height: p.Height, box: b, print: p.print(b), line: line, ok: ok}
	f.known = append(f.known, k)
	return k, nil
}

// stands gives the place that was read where b is now, if it looks as it did when it was read: other words that fade
// in, however slowly, look different in the end.
func stands(earlier []known, p Picture, b box) (known, bool) {
	for i := len(earlier) - 1; i >= 0; i-- {
		if k := earlier[i]; k.width == p.Width && k.height == p.Height && k.box.near(b) && same(k.print, p.print(k.box)) {
			return k, true
		}
	}
	return known{}, false
}

// near tells whether two boxes are one but for what a network is unsure of: less than a letter.
func (b box) near(o box) bool {
	slack := .6 * min(b.hv, o.hv, b.hu, o.hu) // in a picture that lies on its side hu is the short one
	apart := func(p, q point) bool { return math.Hypot(p.x-q.x, p.y-q.y) > slack }
	return !apart(b.centre.plus(b.u.times(b.hu)), o.centre.plus(o.u.times(o.hu))) &&
		!apart(b.centre.plus(b.u.times(-b.hu)), o.centre.plus(o.u.times(-o.hu))) && math.Abs(b.hv-o.hv) <= slack
}

// How a place looks: so many pixels high, compared in squares of printCell pixels. One of them in which the mean
// difference of a value is printChange of 255 and more shows something else; what films lose by packing is less.
const (
	printHeight = 16
	printWidth  = 640
	printCell   = 4
	printChange = 10
)

func (p Picture) print(b box) []float32 {
	w := min(max(1, int(printHeight*b.hu/b.hv)), printWidth)
	out := make([]float32, 3*printHeight*w)
	p.pack(out, w, printHeight, b, w, scale{by: [3]float32{1, 1, 1}})
	return out
}

func same(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	w := len(a) / (3 * printHeight)
	for c := range 3 {
		for y := 0; y < printHeight; y += printCell {
			for x := 0; x < w; x += printCell {
				sum, n := 0.0, 0.0
				for dy := range printCell {
					for dx := range min(printCell, w-x) {
						i := (c*printHeight+y+dy)*w + x + dx
						sum += math.Abs(float64(a[i] - b[i]))
						n++
					}
				}
				if !(sum < printChange*n) {
					return false
				}
			}
		}
	}
	return true
}
