package normal

import (
	"slices"
	"sync"
	"unicode"
)

// unit is one code point of a reading and the span of the original that it
// stands for.
type unit struct {
	r        rune
	from, to int32
}

// as returns r in place of the units from a to b, which may stand in either order in the original.
func as(r rune, a, b unit) unit { return unit{r, min(a.from, b.from), max(a.to, b.to)} }

// scratch holds the units of one text while it is read. The passes work on it
// in place; out is the space of those that make the text longer.
type scratch struct {
	units, out []unit
	wide       int  // units beyond ASCII
	han        bool // any Han character
	odd        bool // any unit that could be a look-alike or an emoji
	unread     bool // folded in a way that the models do not: they need this reading
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
	s.units, s.wide, s.han, s.odd, s.unread = s.units[:0], 0, false, false, false
	n, inked, gone, turned := int32(-1), 0, false, -1
	for _, r := range text {
		n++
		if r < 0x80 {
			if r == '\n' && turned >= 0 {
				s.turn(turned)
				turned = -1
			}
			if r = asciiFold[r]; r != 0 {
				s.add(unit{r, n, n + 1})
				s.unread = s.unread || gone && isWord(r)
				gone = false
			}
			continue
		}
		out, ok := t.folded(r)
		switch {
		case r == 0x202E: // from here on it is shown from right to left
			turned = len(s.units)
		case r == 0x202C && turned >= 0:
			s.turn(turned)
			turned = -1
		case ok && len(out) == 0:
			gone = gone || modelsKeep(r) && len(s.units) > 0 && isWord(s.units[len(s.units)-1].r)
		case ok:
			for _, o := range out {
				s.add(unit{o, n, n + 1})
			}
			s.unread = s.unread || gone && isWord(out[0])
			gone = false
			if r >= 0x1F150 && r <= 0x1F189 || r >= 0x1FBF0 { // white on black, segmented digits
				inked++
			}
		default:
			s.add(unit{r, n, n + 1})
			s.unread = s.unread || gone && isHan(r)
			gone = false
		}
	}
	if turned >= 0 {
		s.turn(turned)
	}
	s.unread = s.unread || inked > 2
}

// turn writes the units from start on in the order in which they are shown after a right-to-left override.
func (s *scratch) turn(start int) {
	slices.Reverse(s.units[start:])
	s.unread = s.unread || len(s.units) > start+1
}

// modelsKeep tells of what has no shape that the models' own fold keeps, or reads as a blank (TOKENIZER.md): a word with
// one inside is another word to them.
func modelsKeep(r rune) bool {
	return r >= 0x200B && r <= 0x200F || r == 0xFEFF || r >= 0x0483 && r <= 0x0489 || r >= 0x1AB0 && r <= 0x1AFF ||
		r >= 0x1DC0 && r <= 0x1DFF || r >= 0xFE20 && r <= 0xFE2F || r >= 0x17B4 && r <= 0x17B5 || r >= 0x180B && r <= 0x180F
}

func isWord(r rune) bool { return isLetter(r) || isDigit(r) || isHan(r) }

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
