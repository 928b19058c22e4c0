// Package normal reads a text the way a child reads it: full width, hidden
// characters, look-alikes, homophones, pinyin and split characters are folded
// into plain words, with a map back to where each stood.
//
// Reading is a pure function of the text. It takes time linear in the length
// of the text, whatever the text holds.
package normal

import "strings"

// View is one reading of a text.
type View struct {
	// Name is raw, normalised or pinyin.
	Name string
	Text string
	// back maps each code point of Text to its span in the original, as pairs
	// of half-open code point offsets; nil where Text has the original's code
	// point offsets.
	back [][2]int32
}

// The names of the views.
const (
	Raw        = "raw"
	Normalised = "normalised"
	Pinyin     = "pinyin"
)

// Views returns the readings of text that differ, raw first: raw is the text
// itself; normalised undoes look-alikes, leet, separators, repeats and emoji;
// pinyin goes on to write pinyin, homophones, initials and split characters
// of known phrases in plain characters, and then any pinyin and homophones as
// the words that they most likely stand for.
//
// A view costs a pass of a classifier, so one is given only where its content
// differs. Case, width, accents, most hidden characters and traditional
// characters are no such difference: the models fold those on their own. The
// one thing that raw itself has otherwise than the text is the apostrophe: the
// typographic ones, which phones write, are the typewriter's, since the models
// learnt from that; no offset moves.
func Views(text string) []View {
	views := Readings(text)
	views[0] = View{Name: Raw, Text: apostrophes.Replace(text)}
	return views
}

var apostrophes = strings.NewReplacer("’", "'", "‘", "'", "‛", "'", "ʼ", "'")

// Readings returns the same views as Views, all folded: lower case, half
// width, simplified characters, nothing hidden. It is what rules match on.
func Readings(text string) []View {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	t := tables()

	s.fold(t, text)
	views := make([]View, 1, 3)
	views[0] = s.view(Raw)
	if s.plain(t) {
		return views
	}
	if s.normalise(t) || s.unread {
		views = append(views, s.view(Normalised))
	}
	known := s.phrases(t)
	if s.sounds(t) || known {
		views = append(views, s.view(Pinyin))
	}
	return views
}

// Fold returns text in lower case, half width and simplified characters with
// nothing hidden in it: the plainest form, by which two texts are compared.
func Fold(text string) string {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.fold(tables(), text)
	return s.text()
}

// Original maps a half-open span of code points of v.Text to the span of the
// original text that it came from.
func (v View) Original(start, end int) (int, int) {
	if v.back == nil || start >= end || start < 0 || end > len(v.back) {
		return start, end
	}
	from, to := v.back[start][0], v.back[start][1]
	for _, b := range v.back[start:end] {
		from, to = min(from, b[0]), max(to, b[1])
	}
	return int(from), int(to)
}

// text returns the units as a string.
func (s *scratch) text() string { return textOf(s.units, s.wide) }

func textOf(units []unit, wide int) string {
	var b strings.Builder
	b.Grow(len(units) + 2*wide)
	for _, u := range units {
		b.WriteRune(u.r)
	}
	return b.String()
}

// oneBlank returns the units with each run of blanks, or one line break, as one blank: rules know a phrase by the blanks
// between its words. The units stay as they are, since two blanks part words that are spaced out.
func (s *scratch) oneBlank() []unit {
	in, clean := s.units, true
	for i, u := range in {
		if u.r == '\n' || u.r == ' ' && i > 0 && in[i-1].r == ' ' {
			clean = false
			break
		}
	}
	if clean {
		return in
	}
	out := s.out[:0]
	for i := 0; i < len(in); {
		end, lines := i, 0
		for ; end < len(in) && (in[end].r == ' ' || in[end].r == '\n'); end++ {
			if in[end].r == '\n' {
				lines++
			}
		}
		switch {
		case end == i:
			out = append(out, in[i])
			i++
		case lines > 1: // a new paragraph is no blank
			out = append(out, in[i:end]...)
			i = end
		case lines == 1 && (i > 0 && isHan(in[i-1].r) || end < len(in) && isHan(in[end].r)):
			out = append(out, as('\n', in[i], in[end-1])) // Han has no blanks between words: a line is a clause
			i = end
		default:
			out = append(out, as(' ', in[i], in[end-1]))
			i = end
		}
	}
	s.out = out
	return out
}

// view copies the units out of the scratch.
func (s *scratch) view(name string) View {
	units := s.oneBlank()
	v := View{Name: name, Text: textOf(units, s.wide)}
	for i, u := range units {
		if u.from != int32(i) || u.to != int32(i)+1 {
			v.back = make([][2]int32, len(units))
			for j, u := range units {
				v.back[j] = [2]int32{u.from, u.to}
			}
			break
		}
	}
	return v
}
