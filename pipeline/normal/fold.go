package normal

import (
	"sync"
	"unicode"
)

// unit is one code point of a reading and the span of the original that it
// stands for.
type unit struct {
	r        rune
	from, to int32
}

// scratch holds the units of one text while it is read. The passes work on it
// in place; out is the space of those that make the text longer.
type scratch struct {
	units, out []unit
	wide       int  // units beyond ASCII
	han        bool // any Han character
	odd        bool // any unit that could be a look-alike or an emoji
}

// keep is the largest scratch that goes back to the pool, in units.
const keep = 4096

var scratches = sync.Pool{New: func() any { return &scratch{} }}

// fold fills s with text, one code point at a time: lower case, half width,
// NFKC, simplified Han, without accents and what has no shape. A text's code
// points are counted as Go ranges over them, so a broken byte counts as one.
func (s *scratch) fold(t *table, text string) {
	if cap(s.units) > keep {
		s.units, s.out = nil, nil
	}
	s.units, s.wide, s.han, s.odd = s.units[:0], 0, false, false
	n := int32(-1)
	for _, r := range text {
		n++
		if r < 0x80 {
			if r = asciiFold[r]; r != 0 {
				s.units = append(s.units, unit{r, n, n + 1})
			}
			continue
		}
		if out, ok := t.folded(r); ok {
			for _, o := range out {
				s.add(unit{o, n, n + 1})
			}
			continue
		}
		s.add(unit{r, n, n + 1})
	}
}

func (s *scratch) add(u unit) {
	s.units = append(s.units, u)
	switch {
	case u.r < 0x80:
		return
	case isHan(u.r):
		s.han = true
	default:
		s.odd = s.odd || u.r < 0x2E80 || u.r > 0xA000
	}
	s.wide++
}

// asciiFold lower-cases ASCII, turns blanks into spaces and drops controls (0).
var asciiFold = func() (f [128]rune) {
	for r := rune(0x20); r < 0x7f; r++ {
		f[r] = unicode.ToLower(r)
	}
	f['\n'], f['\t'], f['\r'], f['\v'], f['\f'] = '\n', ' ', ' ', ' ', ' '
	return f
}()

func isHan(r rune) bool {
	return r >= 0x4E00 && r <= 0x9FFF || r >= 0x3400 && r <= 0x4DBF || r == '〇'
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }
