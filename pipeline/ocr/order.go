package ocr

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// order sorts lines as a person reads them: row by row, in each row along the letters. What counts as a row follows
// the way in which most lines are turned.
func order(lines []Line) []Line {
	var turns [4]int
	for _, l := range lines {
		turns[l.turn]++
	}
	turn := 0
	for t, n := range turns {
		if n > turns[turn] {
			turn = t
		}
	}
	// upright gives the middle of a line as it would be if the page were turned back.
	upright := func(l Line) point {
		p := l.middle
		for range (4 - turn) % 4 {
			p = p.quarter()
		}
		return p
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(upright(a).y, upright(b).y) })
	var out []Line
	for len(lines) > 0 {
		n := 1
		for n < len(lines) && upright(lines[n]).y-upright(lines[0]).y < 0.5*min(lines[n].across, lines[0].across) {
			n++
		}
		row := lines[:n]
		slices.SortStableFunc(row, func(a, b Line) int { return cmp.Compare(upright(a).x, upright(b).x) })
		out = append(out, row...)
		lines = lines[n:]
	}
	return out
}

// Join gives the lines as one text, a line break between them, and where each begins in it, in code points.
func Join(lines []Line) (text string, starts []int) {
	var b strings.Builder
	n := 0
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
			n++
		}
		starts = append(starts, n)
		b.WriteString(l.Text)
		n += len([]rune(l.Text))
	}
	return b.String(), starts
}

// Around gives the rectangle around the lines that a span of the joined text touches, in pixels of a picture of
// another size: sx and sy are how much larger that one is. A span of 0, 0 means all lines. It is false when the span
// touches none.
func Around(lines []Line, starts []int, from, to int, sx, sy float64) (rect [4]int, ok bool) {
	left, top, right, bottom := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i, l := range lines {
		end := starts[i] + len([]rune(l.Text))
		if (from != 0 || to != 0) && (end <= from || starts[i] >= to) {
			continue
		}
		left, top = min(left, l.Box[0]), min(top, l.Box[1])
		right, bottom = max(right, l.Box[0]+l.Box[2]), max(bottom, l.Box[1]+l.Box[3])
		ok = true
	}
	if !ok {
		return rect, false
	}
	x, y := int(left*sx), int(top*sy)
	return [4]int{x, y, int(math.Ceil(right*sx)) - x, int(math.Ceil(bottom*sy)) - y}, true
}
