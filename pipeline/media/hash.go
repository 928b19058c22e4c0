package media

import (
	"image"
	"math"
	"math/bits"
	"sort"

	"nightlight/pipeline/pdq"
)

// DHash is a 64-bit difference hash: the picture is reduced to 9 by 8 grey
// values and each bit says whether a value is brighter than its right neighbour.
// Near duplicates differ in few bits (see HashDistance).
func DHash(img *image.NRGBA) uint64 {
	g := grey(img, 9, 8)
	var h uint64
	for y := range 8 {
		for x := range 8 {
			h <<= 1
			if g[9*y+x] > g[9*y+x+1] {
				h |= 1
			}
		}
	}
	return h
}

// PHash is a 64-bit perceptual hash: the 8 by 8 lowest frequencies of the cosine
// transform of 32 by 32 grey values, without the constant, against their median.
func PHash(img *image.NRGBA) uint64 {
	const n = 32
	g := grey(img, n, n)
	var basis [9][n]float64
	for u := range basis {
		for x := range n {
			basis[u][x] = math.Cos(math.Pi * float64(u) * (float64(x) + 0.5) / n)
		}
	}
	var rows [n][9]float64
	for y := range n {
		for u := range basis {
			for x := range n {
				rows[y][u] += basis[u][x] * float64(g[n*y+x])
			}
		}
	}
	var low [64]float64
	for v := range 8 {
		for u := range 8 {
			for y := range n {
				low[8*v+u] += basis[v+1][y] * rows[y][u+1]
			}
		}
	}
	sorted := append([]float64(nil), low[:]...)
	sort.Float64s(sorted)
	middle := (sorted[31] + sorted[32]) / 2
	var h uint64
	for _, v := range low {
		h <<= 1
		if v > middle {
			h |= 1
		}
	}
	return h
}

// HashDistance is the number of bits in which two hashes differ, 0 to 64.
func HashDistance(a, b uint64) int { return bits.OnesCount64(a ^ b) }

// printSide is the short side in pixels near which a picture is hashed by PDQ.
const printSide = 512

// printOf is the PDQ hash of an opaque picture. One whose short side is one and
// a half times printSide or more is averaged by whole pixels first, which moves
// a few bits and saves most of the time; the reference's own tool goes down to
// 512 by 512 as well.
func printOf(flat *image.NRGBA) (pdq.Print, error) {
	short := min(flat.Rect.Dx(), flat.Rect.Dy())
	small, err := shrink(flat, max(1, (short+printSide/2)/printSide))
	if err != nil {
		return pdq.Print{}, err
	}
	return pdq.Of(small.Pix, small.Rect.Dx(), small.Rect.Dy(), small.Stride, 4), nil
}

// grey gives luma (ITU-R BT.601) of the picture reduced to w by h.
func grey(img *image.NRGBA, w, h int) []float32 {
	rgb := resample(img, img.Rect, w, h)
	g := make([]float32, w*h)
	for i := range g {
		g[i] = 0.299*rgb[3*i] + 0.587*rgb[3*i+1] + 0.114*rgb[3*i+2]
	}
	return g
}
