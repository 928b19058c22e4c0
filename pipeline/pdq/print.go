package pdq

import (
	"math"
	"slices"
)

// Print is what PDQ says of a picture.
type Print struct {
	Hash Hash
	// Quality is 0 to 100; below Good the hash says little.
	Quality int
	// Turned are the hashes of the picture turned by 90, 180 and 270 degrees
	// and mirrored, in the order of Turns. Lists are made of files without a
	// look at how they are meant to be held, and a mirror is the oldest trick.
	Turned [7]Hash
}

// Hashes are the hash and those of the picture turned and mirrored.
func (p Print) Hashes() []Hash { return append([]Hash{p.Hash}, p.Turned[:]...) }

// Turns names the entries of Print.Turned as the reference does.
var Turns = [7]string{"rotate 90", "rotate 180", "rotate 270", "flip x", "flip y", "flip plus 1", "flip minus 1"}

const (
	least = 5  // pixels that a side must have
	side  = 64 // of the reduced picture
	low   = 16 // frequencies each way
)

// Of hashes a picture of w by h pixels, whose rows are stride bytes long and
// whose pixels are step bytes: red, green, blue. A picture with a side below 5
// has the empty hash and quality 0, as in the reference.
func Of(pix []byte, w, h, stride, step int) Print {
	if w < least || h < least {
		return Print{}
	}
	a := luma(pix, w, h, stride, step)
	if w != side || h != side {
		a = reduce(a, w, h)
	}
	small := (*[side * side]float32)(a)
	b := cosines(small)
	p := Print{Hash: bitsOf(b), Quality: quality(small)}
	for i := range p.Turned {
		p.Turned[i] = bitsOf(turn(b, i))
	}
	return p
}

// luma is ITU-R BT.601. Here and below a product is converted to float32
// before it is added, so that no processor fuses the two and rounds once
// where the reference rounds twice.
func luma(pix []byte, w, h, stride, step int) []float32 {
	out := make([]float32, w*h)
	for y := range h {
		row := pix[y*stride:]
		for x := range w {
			p := row[x*step : x*step+3]
			out[y*w+x] = float32(float32(0.299)*float32(p[0])) + float32(float32(0.587)*float32(p[1])) + float32(float32(0.114)*float32(p[2]))
		}
	}
	return out
}

// reduce blurs with two passes of a box filter each way, which is nearly a
// tent (Jarosz, Fast Image Convolutions), and takes 64 by 64 samples.
func reduce(a []float32, w, h int) []float32 {
	b := make([]float32, len(a))
	across, down := window(w), window(h)
	for range 2 {
		for y := range h {
			boxRow(b[y*w:(y+1)*w], a[y*w:(y+1)*w], across)
		}
		boxColumns(a, b, w, h, down)
	}
	out := make([]float32, 0, side*side)
	for i := range side {
		y := int((float64(i) + 0.5) * float64(h) / side)
		for j := range side {
			x := int((float64(j) + 0.5) * float64(w) / side)
			out = append(out, a[y*w+x])
		}
	}
	return out
}

// window is the width of the box for a side of n pixels.
func window(n int) int { return (n + 2*side - 1) / (2 * side) }

// boxRow averages a window of pixels around each, fewer at the ends. The sum
// is kept running, since its rounding is part of the hash.
func boxRow(out, in []float32, window int) {
	half := (window + 2) / 2
	var sum, n float32
	add, sub := 0, 0
	for ; add < half-1; add++ {
		sum += in[add]
		n++
	}
	o := 0
	for ; add < window; add, o = add+1, o+1 {
		sum += in[add]
		n++
		out[o] = sum / n
	}
	for ; add < len(in); add, sub, o = add+1, sub+1, o+1 {
		sum += in[add]
		sum -= in[sub]
		out[o] = sum / n
	}
	for ; o < len(in); sub, o = sub+1, o+1 {
		sum -= in[sub]
		n--
		out[o] = sum / n
	}
}

// boxColumns is boxRow for every column at once, row after row, because a
// walk down one column misses the cache at every step.
func boxColumns(out, in []float32, w, h, window int) {
	half := (window + 2) / 2
	sums := make([]float32, w)
	var n float32
	row := func(y int) []float32 { return in[y*w : (y+1)*w] }
	plus := func(y int) {
		for x, v := range row(y) {
			sums[x] += v
		}
	}
	minus := func(y int) {
		for x, v := range row(y) {
			sums[x] -= v
		}
	}
	write := func(y int) {
		to := out[y*w : (y+1)*w]
		for x, v := range sums {
			to[x] = v / n
		}
	}
	add, sub, o := 0, 0, 0
	for ; add < half-1; add++ {
		plus(add)
		n++
	}
	for ; add < window; add, o = add+1, o+1 {
		plus(add)
		n++
		write(o)
	}
	for ; add < h; add, sub, o = add+1, sub+1, o+1 {
		plus(add)
		minus(sub)
		write(o)
	}
	for ; o < h; sub, o = sub+1, o+1 {
		minus(sub)
		n--
		write(o)
	}
}

// quality counts steep steps between neighbours.
func quality(a *[side * side]float32) int {
	sum := 0
	step := func(u, v float32) {
		d := int(float32((u-v)*100) / 255)
		sum += max(d, -d)
	}
	for i := range side - 1 {
		for j := range side {
			step(a[i*side+j], a[(i+1)*side+j])
		}
	}
	for i := range side {
		for j := range side - 1 {
			step(a[i*side+j], a[i*side+j+1])
		}
	}
	return min(sum/90, 100)
}

// basis are the cosines of frequencies 1 to 16.
var basis = func() (d [low][side]float32) {
	scale := float64(float32(math.Sqrt(2.0 / side)))
	for i := range d {
		for j := range d[i] {
			d[i][j] = float32(scale * math.Cos(math.Pi/2/side*float64(i+1)*float64(2*j+1)))
		}
	}
	return d
}()

// cosines is the part of the two-dimensional cosine transform that is hashed.
func cosines(a *[side * side]float32) *[low][low]float32 {
	var t [low][side]float32
	for i := range low {
		for j := range side {
			var sum float32
			for k := range side {
				sum += float32(basis[i][k] * a[k*side+j])
			}
			t[i][j] = sum
		}
	}
	b := new([low][low]float32)
	for i := range low {
		for j := range low {
			var sum float32
			for k := range side {
				sum += float32(t[i][k] * basis[j][k])
			}
			b[i][j] = sum
		}
	}
	return b
}

// turn gives the transform of the picture turned or mirrored: in frequencies
// that is an exchange of axes and a change of signs.
func turn(a *[low][low]float32, way int) *[low][low]float32 {
	b := new([low][low]float32)
	for i := range low {
		for j := range low {
			v := a[i][j]
			switch way {
			case 0:
				b[j][i] = signed(v, j&1 == 0)
			case 1:
				b[i][j] = signed(v, (i+j)&1 == 1)
			case 2:
				b[j][i] = signed(v, i&1 == 0)
			case 3:
				b[i][j] = signed(v, i&1 == 0)
			case 4:
				b[i][j] = signed(v, j&1 == 0)
			case 5:
				b[j][i] = v
			case 6:
				b[j][i] = signed(v, (i+j)&1 == 1)
			}
		}
	}
	return b
}

func signed(v float32, minus bool) float32 {
	if minus {
		return -v
	}
	return v
}

// bitsOf says of each frequency whether it is above the median, which is the
// lower of the two in the middle.
func bitsOf(b *[low][low]float32) (h Hash) {
	sorted := make([]float32, 0, low*low)
	for _, row := range b {
		sorted = append(sorted, row[:]...)
	}
	slices.Sort(sorted)
	median := sorted[low*low/2-1]
	for i, row := range b {
		for j, v := range row {
			if v > median {
				h.set(i*low + j)
			}
		}
	}
	return h
}
