package qr

import "github.com/makiuchi-d/gozxing"

func greyOf(rgb []byte) []byte {
	grey := make([]byte, len(rgb)/3)
	for i := range grey {
		grey[i] = byte((int(rgb[3*i]) + 2*int(rgb[3*i+1]) + int(rgb[3*i+2])) / 4)
	}
	return grey
}

// Steps of the search for finder marks, in pixels.
const (
	everyRow = 3
	around64 = 64 // a pixel is dark if it is darker than the mean of so many on either side
)

// marked tells whether there may be a code: some rows cross something whose runs of dark and light are as 1:1:3:1:1,
// which every line through the middle of a finder mark shows, however the code is turned. It costs a twentieth of
// looking for codes, and most pictures hold none.
func marked(width, height int, grey []byte) bool {
	sums := make([]int, width+1)
	hits := 0
	for y := 0; y < height; y += everyRow {
		row := grey[y*width : (y+1)*width]
		for x, v := range row {
			sums[x+1] = sums[x] + int(v)
		}
		hits += crossings(row, sums)
	}
	return hits >= 3 // a code has three marks, each at least three pixels across its heart
}

// crossings counts the places in a row that could lie on a finder mark.
func crossings(row []byte, sums []int) (hits int) {
	var runs [5]int // the last five, the newest behind
	was, length := false, 0
	for x := 0; x <= len(row); x++ {
		dark := false
		if x < len(row) {
			from, to := max(0, x-around64), min(len(row), x+around64)
			dark = (int(row[x])+4)*(to-from) < sums[to]-sums[from]
		}
		if dark == was && x < len(row) {
			length++
			continue
		}
		copy(runs[:], runs[1:])
		runs[4] = length
		if was && finder(runs, 1) {
			hits++
		}
		was, length = dark, 1
	}
	return hits
}

// maxMarks bounds the places that may be finder marks: the decoder tries every
// three of them.
const maxMarks = 400

// crowded tells whether more places than maxMarks could be finder marks to the
// decoder, which sees these very dots and asks for more.
func crowded(dots *gozxing.BitMatrix) bool {
	type cell struct{ x, y int }
	seen := map[cell]bool{}
	for y := range dots.GetHeight() {
		var runs [5]int
		was, length := false, 0
		for x := 0; x <= dots.GetWidth(); x++ {
			dark := x < dots.GetWidth() && dots.Get(x, y)
			if dark == was && x < dots.GetWidth() {
				length++
				continue
			}
			copy(runs[:], runs[1:])
			runs[4] = length
			if was && finder(runs, 0) {
				middle := x - runs[4] - runs[3] - runs[2]/2
				if seen[cell{middle / 8, y / 8}] = true; len(seen) > maxMarks {
					return true
				}
			}
			was, length = dark, 1
		}
	}
	return false
}

// finder tells whether runs are as 1:1:3:1:1, each off by at most half a module, as the decoder has it, or by floor
// pixels.
func finder(runs [5]int, floor float64) bool {
	total := 0
	for _, r := range runs {
		if r == 0 {
			return false
		}
		total += r
	}
	if total < 7 {
		return false
	}
	module := float64(total) / 7
	slack := max(module/2, floor)
	for i, r := range runs {
		want, off := module, slack
		if i == 2 {
			want, off = 3*module, 3*slack
		}
		if d := float64(r) - want; d > off || d < -off {
			return false
		}
	}
	return true
}
