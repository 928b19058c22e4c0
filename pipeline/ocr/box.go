package ocr

import (
	"cmp"
	"math"
	"slices"
)

// point is a place in a picture, in pixels; the middle of the first pixel is at 0.5, 0.5.
type point struct{ x, y float64 }

func (p point) plus(q point) point         { return point{p.x + q.x, p.y + q.y} }
func (p point) times(f float64) point      { return point{p.x * f, p.y * f} }
func (p point) dot(q point) float64        { return p.x*q.x + p.y*q.y }
func cross(o, a, b point) float64          { return (a.x-o.x)*(b.y-o.y) - (a.y-o.y)*(b.x-o.x) }
func (p point) quarter() point             { return point{-p.y, p.x} } // turned clockwise, as y points down
func (p point) finite() bool               { return !math.IsNaN(p.x+p.y) && !math.IsInf(p.x+p.y, 0) }
func compare(a, b point) int               { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) }
func scaled(p point, sx, sy float64) point { return point{p.x * sx, p.y * sy} }

// box is a rectangle that may stand at an angle: letters run along u and stand across it. Its top is against v, the
// quarter turn of u.
type box struct {
	centre point
	u      point   // of length 1
	hu, hv float64 // half of length and of height
}

// whole is the box of a whole picture.
func (p Picture) whole() box {
	w, h := float64(p.Width)/2, float64(p.Height)/2
	return box{point{w, h}, point{1, 0}, w, h}
}

// hull gives the convex hull of points, by Andrew's monotone chain.
func hull(points []point) []point {
	slices.SortFunc(points, compare)
	points = slices.Compact(points)
	if len(points) < 3 {
		return points
	}
	half := func(out []point, seq []point) []point {
		from := len(out)
		for _, p := range seq {
			for len(out) >= from+2 && cross(out[len(out)-2], out[len(out)-1], p) <= 0 {
				out = out[:len(out)-1]
			}
			out = append(out, p)
		}
		return out[:len(out)-1]
	}
	out := half(nil, points)
	back := slices.Clone(points)
	slices.Reverse(back)
	return half(out, back)
}

// smallest gives the rectangle of least area around points: one of its sides lies along a side of their hull.
func smallest(points []point) (best box, ok bool) {
	corners := hull(points)
	area := math.Inf(1)
	for i, p := range corners {
		q := corners[(i+1)%len(corners)]
		d := point{q.x - p.x, q.y - p.y}
		length := math.Hypot(d.x, d.y)
		if length == 0 {
			d, length = point{1, 0}, 1
		}
		u := d.times(1 / length)
		v := u.quarter()
		lowU, highU, lowV, highV := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
		for _, c := range corners {
			a, b := c.dot(u), c.dot(v)
			lowU, highU, lowV, highV = min(lowU, a), max(highU, a), min(lowV, b), max(highV, b)
		}
		if a := (highU - lowU) * (highV - lowV); a < area {
			area = a
			best = box{u.times((lowU + highU) / 2).plus(v.times((lowV + highV) / 2)), u, (highU - lowU) / 2, (highV - lowV) / 2}
		}
	}
	return best.level(), !math.IsInf(area, 1) && best.centre.finite() && best.u.finite()
}

// level names the sides anew so that u is the one that is nearer to level and points right.
func (b box) level() box {
	if math.Abs(b.u.x) < math.Abs(b.u.y) {
		b.u, b.hu, b.hv = b.u.quarter(), b.hv, b.hu
	}
	if b.u.x < 0 {
		b.u = b.u.times(-1)
	}
	return b
}

// laid turns a box that is taller than a line of text can be by a quarter, so that its letters run along u, and tells
// by how many quarters.
func (b box) laid() (box, int) {
	if b.hv < 1.5*b.hu {
		return b, 0
	}
	return box{b.centre, b.u.quarter(), b.hv, b.hu}, 1
}

// over turns a box upside down.
func (b box) over() box {
	b.u = b.u.times(-1)
	return b
}

// grown moves every side out by d.
func (b box) grown(d float64) box {
	b.hu, b.hv = b.hu+d, b.hv+d
	return b
}

// scale carries a box over to a picture of another size.
func (b box) scale(sx, sy float64) box {
	end, top := scaled(b.u.times(b.hu), sx, sy), scaled(b.u.quarter().times(b.hv), sx, sy)
	out := box{centre: scaled(b.centre, sx, sy), hu: math.Hypot(end.x, end.y), hv: math.Hypot(top.x, top.y)}
	out.u = end.times(1 / out.hu)
	return out
}

// around gives left, top, width and height of the upright rectangle around a box, inside the picture.
func (b box) around(p Picture) [4]float64 {
	w := math.Abs(b.u.x)*b.hu + math.Abs(b.u.y)*b.hv
	h := math.Abs(b.u.y)*b.hu + math.Abs(b.u.x)*b.hv
	clip := func(v float64, most int) float64 { return min(max(v, 0), float64(most)) }
	left, top := clip(b.centre.x-w, p.Width), clip(b.centre.y-h, p.Height)
	return [4]float64{left, top, clip(b.centre.x+w, p.Width) - left, clip(b.centre.y+h, p.Height) - top}
}
