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
// differs. Case, width, accents, hidden characters and traditional characters
// are no such difference: the models fold those on their own.
func Views(text string) []View {
	views := Readings(text)
	views[0] = View{Name: Raw, Text: text}
	return views
}

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
	if s.normalise(t) {
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
func (s *scratch) text() string {
	var b strings.Builder
	b.Grow(len(s.units) + 2*s.wide)
	for _, u := range s.units {
		b.WriteRune(u.r)
	}
	return b.String()
}

// view copies the units out of the scratch.
func (s *scratch) view(name string) View {
	v := View{Name: name, Text: s.text()}
	for i, u := range s.units {
		if u.from != int32(i) || u.to != int32(i)+1 {
			v.back = make([][2]int32, len(s.units))
			for j, u := range s.units {
				v.back[j] = [2]int32{u.from, u.to}
			}
			break
		}
	}
	return v
}
