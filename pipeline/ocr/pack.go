package ocr

import "math"

// scale says how bytes become the numbers that a network reads, for blue, green and red in this order: PaddleOCR
// trains on pictures in OpenCV's order and yet writes the statistics for red first.
type scale struct{ mean, by [3]float32 }

var (
	imageNet = scale{[3]float32{0.485 * 255, 0.456 * 255, 0.406 * 255}, [3]float32{1 / (0.229 * 255), 1 / (0.224 * 255), 1 / (0.225 * 255)}}
	centred  = scale{[3]float32{127.5, 127.5, 127.5}, [3]float32{1 / 127.5, 1 / 127.5, 1 / 127.5}}
)

// pack cuts the box b out of the picture and writes it, stretched to used × h pixels, into the left of a tensor of
// 3 × h × w. What lies outside the picture takes the colour of its edge.
func (p Picture) pack(dst []float32, w, h int, b box, used int, s scale) {
	right := b.u.times(2 * b.hu / float64(used))
	down := b.u.quarter().times(2 * b.hv / float64(h))
	first := b.centre.plus(b.u.times(-b.hu)).plus(b.u.quarter().times(-b.hv))
	// Where the picture shrinks, each value is the mean of some places and not of one.
	nx, ny := samples(2*b.hu/float64(used)), samples(2*b.hv/float64(h))
	part := 1 / float32(nx*ny)
	plane := w * h
	for y := range h {
		for x := range used {
			var sum [3]float32
			for sy := range ny {
				for sx := range nx {
					at := first.plus(right.times(float64(x) + (float64(sx)+.5)/float64(nx))).plus(down.times(float64(y) + (float64(sy)+.5)/float64(ny)))
					p.add(&sum, at)
				}
			}
			for c := range 3 {
				dst[c*plane+y*w+x] = (sum[2-c]*part - s.mean[c]) * s.by[c]
			}
		}
	}
}

// reduced makes each k × k pixels one; what is over at the right and below is left out.
func (p Picture) reduced(k int) Picture {
	if k < 2 || k > min(p.Width, p.Height) {
		return p
	}
	w, h := p.Width/k, p.Height/k
	out := Picture{Width: w, Height: h, Pix: make([]byte, 3*w*h)}
	sums := make([]uint32, 3*w)
	for y := range h {
		clear(sums)
		for r := range k {
			row := p.Pix[3*p.Width*(y*k+r):]
			for x := range w {
				s := sums[3*x : 3*x+3 : 3*x+3]
				for px := row[3*k*x : 3*k*(x+1)]; len(px) >= 3; px = px[3:] {
					s[0] += uint32(px[0])
					s[1] += uint32(px[1])
					s[2] += uint32(px[2])
				}
			}
		}
		row := out.Pix[3*w*y : 3*w*(y+1)]
		for i, s := range sums {
			row[i] = byte((s + uint32(k*k)/2) / uint32(k*k))
		}
	}
	return out
}

func samples(shrink float64) int { return min(max(int(math.Round(shrink)), 1), 4) }

// add adds the colour at a place, mixed from the four pixels around it.
func (p Picture) add(sum *[3]float32, at point) {
	fx, fy := min(max(at.x-.5, 0), float64(p.Width-1)), min(max(at.y-.5, 0), float64(p.Height-1))
	x, y := int(fx), int(fy)
	tx, ty := float32(fx-float64(x)), float32(fy-float64(y))
	a := 3 * (y*p.Width + x)
	right, down := 3, 3*p.Width
	if x+1 >= p.Width {
		right = 0
	}
	if y+1 >= p.Height {
		down = 0
	}
	for c := range 3 {
		top := float32(p.Pix[a+c])*(1-tx) + float32(p.Pix[a+right+c])*tx
		bottom := float32(p.Pix[a+down+c])*(1-tx) + float32(p.Pix[a+down+right+c])*tx
		sum[c] += top*(1-ty) + bottom*ty
	}
}
