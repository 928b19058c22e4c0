package normal

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// Made by models/train/tables/sounds.py, which says what they hold.
var (
	//go:embed tables/bigrams.gz
	bigramsPacked []byte
	//go:embed tables/english.txt
	englishText string
	//go:embed tables/also.txt
	alsoText string // our own
)

const (
	// homophone is what it costs to believe in another character than the one that
	// stands there, in the unit of bigrams: 8 nats, so that names and rare words
	// stay. A syllable in letters costs nothing: nobody means the letters.
	homophone = 8 * 12
	// widest and deepest bound the search: the commonest characters of a reading,
	// and the ways to read what came before that go on.
	widest  = 20
	deepest = 24
	// hopeless is how much dearer than the best a way may be.
	hopeless = 14 * 12
	// fewest is how many characters a text must have for guesses at homophones.
	fewest = 4
	// longestSyllable is zhuang.
	longestSyllable = 6
)

// bigrams tells which characters follow which. Costs are -12·ln of a
// probability; character 0 stands for all that is not in the list.
type bigrams struct {
	number [0x10000]uint16 // of a character, 0: none
	runes  []rune
	alone  []uint8  // cost of a character wherever it stands
	new    []uint8  // cost of going on to one that is not among the followers
	start  []uint32 // of a character's followers
	next   []uint16
	cost   []uint8
}

// readBigrams parses what models/train/tables/sounds.py packed.
func readBigrams(packed []byte) (*bigrams, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("bigrams: %w", err)
	}
	b, err := io.ReadAll(zipped)
	if err != nil {
		return nil, fmt.Errorf("bigrams: %w", err)
	}
	short := errors.New("bigrams: cut short")
	if len(b) < 2 {
		return nil, short
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < 4*n {
		return nil, short
	}
	m := &bigrams{runes: make([]rune, n), alone: b[2*n : 3*n], new: b[3*n : 4*n], start: make([]uint32, n+1)}
	for i := range m.runes {
		m.runes[i] = rune(binary.BigEndian.Uint16(b[2*i:]))
		if i > 0 {
			m.number[m.runes[i]] = uint16(i)
		}
	}
	b = b[4*n:]
	for i := range n {
		if len(b) < 2 {
			return nil, short
		}
		k := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; len(b) < 3*k {
			return nil, short
		}
		for ; k > 0; k-- {
			m.next, m.cost = append(m.next, binary.BigEndian.Uint16(b)), append(m.cost, b[2])
			b = b[3:]
		}
		m.start[i+1] = uint32(len(m.next))
	}
	return m, nil
}

// of gives the cost of b after a, and whether they have been seen so.
func (m *bigrams) of(a, b uint16) (cost int32, seen bool) {
	from := m.start[a]
	if at, ok := slices.BinarySearch(m.next[from:m.start[a+1]], b); ok {
		return int32(m.cost[from+uint32(at)]), true
	}
	return int32(m.new[a]) + int32(m.alone[b]), false
}

// readSounds gives each reading its commonest characters, and the English words
// that are no pinyin.
func (t *table) readSounds() {
	m, err := readBigrams(bigramsPacked)
	if err != nil {
		panic(err) // it is embedded
	}
	t.bigrams, t.syllables, t.common, t.english = m, map[string]uint16{}, make([][]uint16, len(t.readings)), map[string]bool{}
	for i, r := range t.readings[1:] {
		t.syllables[r] = uint16(i + 1)
	}
	for i, r := range m.runes[1:] {
		if s := t.sound[r]; s != 0 {
			t.common[s] = append(t.common[s], uint16(i+1))
		}
	}
	each(alsoText, func(reading, chars string) {
		s := t.syllables[reading]
		for _, r := range chars {
			if n := m.number[r]; n != 0 && !slices.Contains(t.common[s], n) {
				t.common[s] = append(t.common[s], n)
			}
		}
	})
	for s, all := range t.common {
		slices.SortStableFunc(all, func(a, b uint16) int { return int(m.alone[a]) - int(m.alone[b]) })
		t.common[s] = all[:min(len(all), widest)]
	}
	// A syllable of which no character is in the list, such as nou, cannot be written out.
	maps.DeleteFunc(t.syllables, func(_ string, s uint16) bool { return len(t.common[s]) == 0 })
	each(englishText, func(words, _ string) {
		for _, w := range strings.Fields(words) {
			t.english[w] = true
		}
	})
}

// spot is one place of a text: a character, a syllable in letters, or anything
// else, with the units that it takes.
type spot struct {
	from, to int    // units
	own      uint16 // the character that stands there, 0: none
	sound    uint16 // where others may be meant, 0: nowhere else
	spelt    bool   // in letters
	blank    bool   // a space beside letters that were read
}

// way is how the text so far may be read.
type way struct {
	cost int32
	last uint16 // the character at its end
	back int32  // index of the way that it goes on from
}

// sounds writes pinyin, and characters that stand where others of the same sound
// are far likelier, as the most likely characters: the cheapest way through the
// text by bigrams (Viterbi 1967). It reports whether anything changed.
func (s *scratch) sounds(t *table) bool {
	spots := s.spots(t)
	if spots == nil {
		return false
	}
	ways := [][]way{{{}}}
	for _, sp := range spots {
		before := ways[len(ways)-1]
		if sp.blank {
			same := make([]way, len(before))
			for i, w := range before {
				same[i] = way{w.cost, w.last, int32(i)}
			}
			ways = append(ways, same)
			continue
		}
		var after []way
		try := func(c uint16, more int32) {
			best := way{cost: math.MaxInt32, last: c}
			for i, w := range before {
				cost := w.cost + more
				if c != 0 || w.last != 0 {
					step, _ := t.bigrams.of(w.last, c)
					cost += step
				}
				if cost < best.cost {
					best.cost, best.back = cost, int32(i)
				}
			}
			after = append(after, best)
		}
		if !sp.spelt {
			try(sp.own, 0)
		}
		if sp.sound != 0 {
			for _, c := range t.common[sp.sound] {
				switch {
				case sp.spelt:
					try(c, 0)
				case c != sp.own:
					try(c, homophone)
				}
			}
		}
		slices.SortStableFunc(after, func(a, b way) int { return int(a.cost) - int(b.cost) })
		after = after[:min(len(after), deepest)]
		for len(after) > 1 && after[len(after)-1].cost > after[0].cost+hopeless {
			after = after[:len(after)-1]
		}
		ways = append(ways, after)
	}
	return s.take(t, spots, ways)
}

// take writes the cheapest way.
func (s *scratch) take(t *table, spots []spot, ways [][]way) bool {
	chosen := make([]uint16, len(spots))
	best := int32(0)
	for i := len(spots) - 1; i >= 0; i-- {
		w := ways[i+1][best]
		chosen[i], best = w.last, w.back
	}
	changed := false
	s.out = s.out[:0]
	for i, sp := range spots {
		switch {
		case sp.blank:
		case sp.spelt || chosen[i] != sp.own:
			changed = true
			s.out = append(s.out, as(t.bigrams.runes[chosen[i]], s.units[sp.from], s.units[sp.to-1]))
		default:
			s.out = append(s.out, s.units[sp.from:sp.to]...)
		}
	}
	if changed {
		s.units, s.out = s.out, s.units
		s.han = true
	}
	return changed
}

// spots cuts the text into its places, or gives nil where each character is at
// home and no letters are pinyin, which is true of most messages.
func (s *scratch) spots(t *table) []spot {
	spelt := s.spelt(t)
	if len(spelt) == 0 && !s.han {
		return nil
	}
	var out []spot
	worth := len(spelt) > 0
	for i := 0; i < len(s.units); {
		switch r := s.units[i].r; {
		case len(spelt) > 0 && spelt[0].from == i:
			out, i, spelt = append(out, spelt[0]), spelt[0].to, spelt[1:]
		case isHan(r) && r < 0x10000:
			out = append(out, spot{from: i, to: i + 1, own: t.bigrams.number[r]})
			i++
		case r == ' ' && s.joins(out, spelt, i):
			for ; s.units[i].r == ' '; i++ {
				out = append(out, spot{from: i, to: i + 1, blank: true})
			}
		default:
			out = append(out, spot{from: i, to: i + 1})
			i++
		}
	}
	// A character may be meant for another where it has not been seen beside its neighbour.
	chars := 0
	for _, sp := range out {
		if sp.own != 0 || sp.spelt {
			chars++
		}
	}
	before := -1
	for i := range out {
		if out[i].blank {
			continue
		}
		if before >= 0 && chars >= fewest && out[before].own != 0 && out[i].own != 0 {
			if _, seen := t.bigrams.of(out[before].own, out[i].own); !seen {
				for _, k := range []int{before, i} {
					out[k].sound = t.sound[t.bigrams.runes[out[k].own]]
				}
				worth = true
			}
		}
		before = i
	}
	if !worth {
		return nil
	}
	return out
}

// joins tells whether the one or two spaces from units[i] on stand between two
// readings of which one is spelt, and so are how it is typed. More are a pause.
func (s *scratch) joins(out, spelt []spot, i int) bool {
	to := i + 1
	if to < len(s.units) && s.units[to].r == ' ' {
		to++
	}
	if len(out) == 0 || to >= len(s.units) {
		return false
	}
	last, next := out[len(out)-1], len(spelt) > 0 && spelt[0].from == to
	return last.spelt && (next || isHan(s.units[to].r)) || next && last.own != 0
}

// spelt finds the letters that are pinyin: words that are syllables throughout,
// no English words, and beside Chinese or each other, or alone in the text, or long.
// Where most words are pinyin, those that could be English are too.
func (s *scratch) spelt(t *table) []spot {
	var words []latinWord
	for i := 0; i < len(s.units); {
		if !isLetter(s.units[i].r) {
			i++
			continue
		}
		from := i
		for i < len(s.units) && isLetter(s.units[i].r) {
			i++
		}
		words = append(words, s.latinWord(t, from, i))
	}
	pinyin := 0
	for _, w := range words {
		if len(w.syllables) > 0 && !w.english {
			pinyin++
		}
	}
	if pinyin == 0 {
		return nil
	}
	// near tells whether word k is pinyin by itself and stands beside word i.
	near := func(i, k int) bool {
		return k >= 0 && k < len(words) && len(words[k].syllables) > 0 && !words[k].english && s.beside(words[min(i, k)].to, words[max(i, k)].from)
	}
	for i := range words {
		w := &words[i]
		if before, after := near(i, i-1), near(i, i+1); w.english && len(w.syllables) > 0 {
			w.english = !(s.within(*w) || (before || after) && (before || s.hanBefore(w.from)) && (after || s.hanAfter(w.to)))
		}
	}
	var out []spot
	for i, w := range words {
		if len(w.syllables) == 0 {
			continue
		}
		switch {
		case pinyin >= 3 && 2*pinyin >= len(words):
		case w.english:
			continue
		case s.hanBefore(w.from), s.hanAfter(w.to), near(i, i-1), near(i, i+1):
		case len(w.syllables) == 1, len(w.syllables) == 2 && len(words) > 1, len(words) >= 3 && 4*pinyin <= len(words):
			continue // a name, or a word that is not in the list, among words that are no pinyin
		}
		out = append(out, w.syllables...)
	}
	return out
}

// latinWord is a run of letters; syllables are empty where it is none of pinyin.
type latinWord struct {
	from, to  int
	syllables []spot
	english   bool
}

// latinWord reads units[from:to] as the fewest syllables. A single letter is no syllable here.
func (s *scratch) latinWord(t *table, from, to int) latinWord {
	w := latinWord{from: from, to: to}
	n := to - from
	if n < 2 || n > 8*longestSyllable {
		return w
	}
	var letters [8 * longestSyllable]byte
	for i := range n {
		letters[i] = byte(s.units[from+i].r)
	}
	if w.english = t.english[string(letters[:n])]; !w.english && n > 2 {
		w.english = t.words[string(letters[:n])]
	}
	var least, size [8*longestSyllable + 1]int // to reach an end, and how long the last is
	for end := 1; end <= n; end++ {
		for k := 1; k <= min(end, longestSyllable); k++ {
			if at := end - k; at > 0 && least[at] == 0 {
				continue
			}
			if _, ok := t.syllables[string(letters[end-k:end])]; ok && (least[end] == 0 || least[end-k]+1 < least[end]) {
				least[end], size[end] = least[end-k]+1, k
			}
		}
	}
	if least[n] == 0 {
		return w
	}
	for end := n; end > 0; end -= size[end] {
		w.syllables = append(w.syllables, spot{from: from + end - size[end], to: from + end, sound: t.syllables[string(letters[end-size[end]:end])], spelt: true})
	}
	slices.Reverse(w.syllables)
	return w
}

// beside tells whether nothing but a sign that hides words, or a few spaces, stand between.
func (s *scratch) beside(end, from int) bool {
	for _, u := range s.units[end:from] {
		if u.r != ' ' && (from-end > 1 || !isGap(u.r)) {
			return false
		}
	}
	return from-end <= 3
}

// within tells whether Han characters stand right before and after a word.
func (s *scratch) within(w latinWord) bool {
	return w.from > 0 && isHan(s.units[w.from-1].r) && w.to < len(s.units) && isHan(s.units[w.to].r)
}

func (s *scratch) hanBefore(i int) bool {
	if i > 1 && s.units[i-1].r == ' ' {
		i--
	}
	return i > 0 && isHan(s.units[i-1].r)
}

func (s *scratch) hanAfter(i int) bool {
	if i+1 < len(s.units) && s.units[i].r == ' ' {
		i++
	}
	return i < len(s.units) && isHan(s.units[i].r)
}
