package media

import (
	"image"
	"math/bits"
)

// cardGrid is the side to which a picture is reduced before a card is sought.
const cardGrid = 160

// ReadTestCard finds a test card that fills most of the picture, upright or
// turned by quarters, resized, stretched, compressed or with a plain border, and
// gives its label. It never fires on anything whose 64 bits do not check out.
func ReadTestCard(img image.Image) (label string, ok bool) {
	n, err := toNRGBA(img)
	if err != nil || n.Rect.Dx() < 48 || n.Rect.Dy() < 48 {
		return "", false
	}
	if !n.Opaque() {
		n = flatten(n, 255)
	}
	p := newPlate(n)
	tops, bottoms := p.rings(false)
	lefts, rights := p.rings(true)
	for _, t := range tops {
		for _, b := range bottoms {
			for _, l := range lefts {
				for _, r := range rights {
					if number, ok := p.read(l, t, r, b); ok {
						return CardLabels[number], true
					}
				}
			}
		}
	}
	return "", false
}

// plate is the picture at cardGrid by cardGrid.
type plate struct {
	rgb  []float32
	dark []bool
}

func newPlate(img *image.NRGBA) *plate {
	p := &plate{rgb: resample(img, img.Rect, cardGrid, cardGrid), dark: make([]bool, cardGrid*cardGrid)}
	for i := range p.dark {
		p.dark[i] = max(p.rgb[3*i], p.rgb[3*i+1], p.rgb[3*i+2]) < 90
	}
	return p
}

// span is where one bar of the black ring runs, from and to in plate pixels.
type span struct{ from, to float64 }

// rings gives the candidates for the black ring's near and far bar among columns
// or rows: runs of lines that are dark over most of their middle.
func (p *plate) rings(columns bool) (near, far []span) {
	var black [cardGrid]bool
	for i := range cardGrid {
		n := 0
		for j := cardGrid / 4; j < cardGrid*3/4; j++ {
			at := i*cardGrid + j
			if columns {
				at = j*cardGrid + i
			}
			if p.dark[at] {
				n++
			}
		}
		black[i] = n*100 >= cardGrid/2*92
	}
	for i := 0; i < cardGrid; {
		if !black[i] {
			i++
			continue
		}
		j := i
		for j < cardGrid && black[j] {
			j++
		}
		if s := (span{float64(i), float64(j)}); j-i >= 3 && j-i <= cardGrid/5 {
			if j < cardGrid*2/5 {
				near = append(near, s)
			}
			if i > cardGrid*3/5 {
				far = append(far, s)
			}
		}
		i = j
	}
	return near, far
}

// read samples the cells inside the four bars and checks what they say in each of
// the four turnings.
func (p *plate) read(l, t, r, b span) (number int, ok bool) {
	x0, x1, y0, y1 := l.to, r.from, t.to, b.from
	if x1-x0 < cardGrid*2/5 || y1-y0 < cardGrid*2/5 {
		return 0, false
	}
	var cells [cardCells * cardCells]int
	for i := range cells {
		c, ok := p.cell(x0+(x1-x0)*(float64(i%cardCells)+0.5)/cardCells, y0+(y1-y0)*(float64(i/cardCells)+0.5)/cardCells)
		if !ok {
			return 0, false
		}
		cells[i] = c
	}
	for range 4 {
		if number, ok := readCells(cells); ok {
			return number, true
		}
		cells = turn(cells)
	}
	return 0, false
}

// cell gives the nearest of the four colours around a point, when it is near.
func (p *plate) cell(x, y float64) (int, bool) {
	var sum [3]float32
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			at := 3 * ((int(y)+dy)*cardGrid + int(x) + dx)
			for c := range sum {
				sum[c] += p.rgb[at+c] / 9
			}
		}
	}
	best, least := 0, float32(1e9)
	for i, c := range cardColours {
		d := sq(sum[0]-float32(c.R)) + sq(sum[1]-float32(c.G)) + sq(sum[2]-float32(c.B))
		if d < least {
			best, least = i, d
		}
	}
	return best, least < 90*90
}

func sq(v float32) float32 { return v * v }

func readCells(cells [cardCells * cardCells]int) (number int, ok bool) {
	var got uint64
	for i, c := range cells {
		if k, corner := cornerOf(i); corner {
			if c != cardCorners[k] {
				return 0, false
			}
			continue
		}
		got = got<<2 | uint64(c)
	}
	number = int(got >> 32 & 0xff)
	return number, number < len(CardLabels) && bits.OnesCount64(got^cardBits(number)) == 0
}

// turn rotates the cells by a quarter.
func turn(cells [cardCells * cardCells]int) (out [cardCells * cardCells]int) {
	const n = cardCells
	for i := range cells {
		x, y := i%n, i/n
		out[x*n+n-1-y] = cells[i]
	}
	return out
}
