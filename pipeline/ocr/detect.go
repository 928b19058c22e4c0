package ocr

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
)

// The numbers of PaddleOCR's DBPostProcess ("Real-time Scene Text Detection with Differentiable Binarization",
// arXiv 1911.08947, and PP-OCRv4's published configuration).
const (
	textPixel = 0.3 // a pixel over it is text
	textBox   = 0.6 // a box whose pixels are less likely on average is none
	unclip    = 1.5 // the network marks the core of a line; area × unclip / circumference is how far its edge is out
	minSide   = 3   // pixels of the map
)

// detect gives the boxes of a picture's lines, the tallest letters first. Most pictures hold no text, so it first glances at the picture very
// small, which shows large letters, and at a middle size where fine strokes hint at small ones; only what these find
// is looked at closely.
func (r *Reader) detect(ctx context.Context, p Picture, closely bool) ([]box, error) {
	long := max(p.Width, p.Height)
	side := func(n int) int { // a shape longer than 2 to 1 is searched in as fine a grain as others
		return min(long, max(n, n*long/(2*min(p.Width, p.Height))), 3*n)
	}
	searched := side(r.set.GlanceSide)
	found, err := r.search(ctx, p, searched)
	if err == nil && len(found) == 0 && searched < long && p.strokes() {
		searched = side(r.set.StrokeSide)
		found, err = r.search(ctx, p, searched)
	}
	if err == nil && len(found) > 0 && closely && searched < side(r.set.DetectSide) {
		found, err = r.search(ctx, p, side(r.set.DetectSide))
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b box) int { return cmp.Compare(min(b.hu, b.hv), min(a.hu, a.hv)) })
	return found, nil
}

// search runs the network on the picture with its long side at most side.
func (r *Reader) search(ctx context.Context, p Picture, side int) ([]box, error) {
	w, h := mapSize(p.Width, p.Height, side)
	in := make([]float32, 3*w*h)
	small := p.reduced(min(p.Width/w, p.Height/h))
	small.pack(in, w, h, small.whole(), w, imageNet)
	shape, out, err := r.nets.Detect(ctx, []int64{1, 3, int64(h), int64(w)}, in)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape, []int64{1, 1, int64(h), int64(w)}) || len(out) != w*h {
		return nil, errors.New("the map of text is of another size than the picture")
	}
	found := boxes(out, w, h)
	for i, b := range found {
		found[i] = b.scale(float64(p.Width)/float64(w), float64(p.Height)/float64(h))
	}
	return found, nil
}

// mapSize fits a picture into side × side and rounds to what the network takes.
func mapSize(width, height, side int) (w, h int) {
	f := min(1, float64(side)/float64(max(width, height)))
	if long := max(width, height); long < 192 { // a snippet: letters that fill it are better seen larger
		f = min(3, 192/float64(long))
	}
	round := func(n int) int { return max(32, int(math.Round(float64(n)*f/32))*32) }
	return round(width), round(height)
}

// maxBoxes bounds the marks that are looked at in one map, the largest first.
const maxBoxes = 400

// boxes turns the network's map into rectangles. Any map gives an answer, one of numbers that are none too.
func boxes(probabilities []float32, w, h int) []box {
	marks := components(probabilities, w, h)
	slices.SortStableFunc(marks, func(a, b mark) int { return cmp.Compare(b.pixels, a.pixels) })
	var found []box
	for _, m := range marks[:min(len(marks), maxBoxes)] {
		b, ok := smallest(m.edge)
		if !ok || 2*min(b.hu, b.hv) < minSide || likely(probabilities, w, h, b) < textBox {
			continue
		}
		b = b.grown(2 * b.hu * b.hv / (2 * (b.hu + b.hv)) * unclip)
		if 2*min(b.hu, b.hv) < minSide+2 {
			continue
		}
		found = append(found, b)
	}
	return found
}

// mark is a patch of text pixels that touch each other.
type mark struct {
	pixels int
	edge   []point // first and last pixel of each run: enough for the hull
}

// components finds the patches of pixels over textPixel, run by run, neighbours at corners counted.
func components(probabilities []float32, w, h int) []mark {
	type run struct{ from, to, mark int } // pixels from ≤ x < to
	var marks []mark
	var parent []int
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	var above, here []run
	for y := range h {
		row := probabilities[y*w : (y+1)*w]
		here = here[:0]
		for x, j := 0, 0; x < w; x++ {
			if !(row[x] > textPixel) { // also true for what is not a number
				continue
			}
			from := x
			for x < w && row[x] > textPixel {
				x++
			}
			mine := -1
			for j < len(above) && above[j].to < from {
				j++
			}
			for k := j; k < len(above) && above[k].from <= x; k++ {
				root := find(above[k].mark)
				if mine < 0 {
					mine = root
				} else {
					parent[max(mine, root)] = min(mine, root)
					mine = min(mine, root)
				}
			}
			if mine < 0 {
				mine = len(marks)
				marks, parent = append(marks, mark{}), append(parent, mine)
			}
			m := &marks[mine]
			m.pixels += x - from
			m.edge = append(m.edge, point{float64(from) + .5, float64(y) + .5}, point{float64(x) - .5, float64(y) + .5})
			here = append(here, run{from, x, mine})
		}
		above, here = here, above
	}
	for i := len(marks) - 1; i >= 0; i-- {
		if root := find(i); root != i {
			marks[root].pixels += marks[i].pixels
			marks[root].edge = append(marks[root].edge, marks[i].edge...)
			marks[i] = mark{}
		}
	}
	return slices.DeleteFunc(marks, func(m mark) bool { return m.pixels < minSide*minSide })
}

// likely gives the mean probability of the pixels inside a box.
func likely(probabilities []float32, w, h int, b box) float64 {
	var sum float64
	var n int
	v := b.u.quarter()
	reach := math.Abs(b.u.y)*b.hu + math.Abs(v.y)*b.hv
	for y := max(0, int(b.centre.y-reach)); y < min(h, int(b.centre.y+reach)+1); y++ {
		dy := float64(y) + .5 - b.centre.y
		low, high := between(b.u, dy, b.hu)
		l, g := between(v, dy, b.hv)
		low, high = max(low, l), min(high, g)
		for x := max(0, int(math.Ceil(b.centre.x+low-.5))); x < w && float64(x)+.5-b.centre.x <= high; x++ {
			if p := float64(probabilities[y*w+x]); p > 0 {
				sum += min(p, 1)
			}
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// between gives the x for which a point at that dy lies within half of an axis.
func between(axis point, dy, half float64) (low, high float64) {
	half += 1e-9
	if math.Abs(axis.x) < 1e-9 {
		if math.Abs(dy*axis.y) <= half {
			return math.Inf(-1), math.Inf(1)
		}
		return math.Inf(1), math.Inf(-1)
	}
	a, b := (-half-dy*axis.y)/axis.x, (half-dy*axis.y)/axis.x
	return min(a, b), max(a, b)
}
