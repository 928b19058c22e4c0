package normal

import (
	"strings"
	"unicode/utf8"
)

// phrase is something that is often written in disguise: 想自杀 as 想zisha,
// 想紫砂 or 想自朩. Its characters and their readings are matched one by one.
type phrase struct {
	runes    []rune
	sounds   []uint16
	splits   [][][]rune // ways to write each character apart
	notAfter []rune     // what must not follow a homophone reading
	strict   bool       // only splits and pinyin beside same characters, no homophones
	mixed    bool       // not wholly in pinyin, which could be a name
}

// alias is another way to write target, such as vx for 微信, believed only
// in its surroundings.
type alias struct {
	runes    []rune
	target   []rune
	before   [][]rune // one of these stands right before, if any are given
	notAfter []rune
	number   bool // an account name or number may follow instead of before
	near     bool // a word of contact within a few characters may stand instead
}

// readPhrases parses the phrases and aliases and indexes them by how a
// disguise of them can start.
func (t *table) readPhrases() {
	sound := map[string]uint16{}
	for i, r := range t.readings {
		sound[r] = uint16(i)
	}
	splits := map[rune][][]rune{}
	each(splitsText, func(char, ways string) {
		r, _ := utf8.DecodeRuneInString(char)
		for _, w := range strings.Fields(ways) {
			splits[r] = append(splits[r], []rune(w))
			if _, known := t.whole[w]; !known && utf8.RuneCountInString(w) <= widestSplit && strings.Trim(w, "一二三四五六七八九十") != "" && w != "不用" {
				t.whole[w] = r
			}
		}
	})
	t.bySound = make([][]int32, len(t.readings))
	each(phrasesText, func(left, options string) {
		for _, text := range strings.Fields(left) {
			p := phrase{runes: []rune(text)}
			for _, r := range p.runes {
				p.sounds = append(p.sounds, t.sound[r])
				p.splits = append(p.splits, splits[r])
			}
			for _, o := range strings.Fields(options) {
				if after, ok := strings.CutPrefix(o, "not="); ok {
					p.notAfter = []rune(after)
				}
				p.strict = p.strict || o == "strict" || o == "mixed"
				p.mixed = p.mixed || o == "mixed"
			}
			t.index(p)
		}
	})
	each(aliasesText, func(left, options string) {
		for _, text := range strings.Fields(left) {
			a := alias{runes: []rune(foldOnce(t, text))}
			for _, o := range strings.Fields(options) {
				key, value, _ := strings.Cut(o, "=")
				switch key {
				case "to":
					a.target = []rune(value)
				case "before":
					for b := range strings.SplitSeq(value, "|") {
						a.before = append(a.before, []rune(b))
					}
				case "not":
					a.notAfter = []rune(value)
				case "number":
					a.number = true
				case "near":
					a.near = true
				}
			}
			if string(a.runes) == string(a.target) {
				continue
			}
			t.aliases[a.runes[0]] = append(t.aliases[a.runes[0]], a)
			t.mark(a.runes[0])
		}
	})
}

func (t *table) index(p phrase) {
	id := int32(len(t.phrases))
	t.phrases = append(t.phrases, p)
	s := p.sounds[0]
	t.bySound[s] = append(t.bySound[s], id)
	if name := t.readings[s]; len(name) >= 2 {
		key := [2]rune{rune(name[0]), rune(name[1])}
		t.byLetters[key] = append(t.byLetters[key], id)
	}
	for _, way := range p.splits[0] {
		if ids := t.byPart[way[0]]; len(ids) == 0 || ids[len(ids)-1] != id {
			t.byPart[way[0]] = append(ids, id)
			t.mark(way[0])
		}
	}
}

// foldOnce folds without a scratch, for the tables themselves.
func foldOnce(t *table, text string) string {
	s := &scratch{}
	s.fold(t, text)
	return s.text()
}

// digitSound reads digits as the syllables they are typed for: 去4, 8要.
func digitSound(r rune) string {
	switch r {
	case '0':
		return "ling"
	case '1':
		return "yi"
	case '2':
		return "er"
	case '3':
		return "san"
	case '4':
		return "si"
	case '5':
		return "wu"
	case '6':
		return "liu"
	case '7':
		return "qi"
	case '8':
		return "ba"
	case '9':
		return "jiu"
	}
	return ""
}

// phrases writes disguised phrases and aliases in plain characters and
// reports whether there were any.
func (s *scratch) phrases(t *table) bool {
	changed := false
	for range rounds {
		if !s.phrasesOnce(t) {
			break
		}
		changed = true
		s.normalise(t) // plain characters may stand beside what hid them
	}
	return changed
}

func (s *scratch) phrasesOnce(t *table) bool {
	in := s.units
	w := -1 // copy on first change
	for i := 0; i < len(in); {
		r := in[i].r
		var m match
		switch {
		case isHan(r):
			if snd := t.soundOf(r); snd != 0 {
				for _, id := range t.bySound[snd] {
					m.best(t, in, i, &t.phrases[id])
				}
			}
		case isLetter(r):
			if (i == 0 || !isLetter(in[i-1].r)) && i+1 < len(in) {
				for _, id := range t.byLetters[[2]rune{r, in[i+1].r}] {
					m.best(t, in, i, &t.phrases[id])
				}
			}
		}
		if t.starts(r) {
			if isHan(r) {
				for _, id := range t.byPart[r] {
					m.best(t, in, i, &t.phrases[id])
				}
			}
			for k := range t.aliases[r] {
				m.alias(in, i, &t.aliases[r][k])
			}
		}
		if m.end <= m.plain {
			if w >= 0 {
				s.out = append(s.out, in[i])
			}
			i++
			continue
		}
		if w < 0 {
			w = 0
			s.out = append(s.out[:0], in[:i]...)
		}
		for k, r := range m.target {
			a, b := i, m.end
			if m.each {
				a, b = int(m.at[k]), int(m.at[k+1])
			}
			s.out = append(s.out, as(r, in[a], in[b-1]))
		}
		i = m.end
	}
	if w < 0 {
		return false
	}
	s.units, s.out = s.out, s.units
	return true
}

func (t *table) soundOf(r rune) uint16 {
	if r < 0x10000 {
		return t.sound[r]
	}
	return 0
}

// longestPhrase bounds the phrases of the table, in characters.
const longestPhrase = 12

// match is the longest believable disguise that starts at one place.
type match struct {
	target []rune
	end    int
	plain  int                      // where a phrase that is written plainly ends
	each   bool                     // at holds where each character of target starts
	at     [longestPhrase + 1]int32 // and ends
}

// tally counts how the characters of a phrase were written.
type tally struct{ same, sound, letters, digits, parts int }

// best keeps p if in spells it at i in a disguise, and longer than m so far.
func (m *match) best(t *table, in []unit, i int, p *phrase) {
	var at [longestPhrase + 1]int32
	var n tally
	pos := i
	for k := range p.runes {
		if k > 0 {
			pos = gap(in, pos)
		}
		at[k] = int32(pos)
		next := spell(t, in, pos, p, k, &n)
		if next == 0 {
			return
		}
		pos = next
	}
	at[len(p.runes)] = int32(pos)
	if n.same == len(p.runes) && pos-i == len(p.runes) {
		m.plain = max(m.plain, pos)
		return
	}
	gapped := pos-i > len(p.runes) && n.same == len(p.runes)
	if pos <= m.end || !(n.believable(len(p.runes), p.strict) || gapped) {
		return
	}
	if n.sound > 0 && pos < len(in) && strings.ContainsRune(string(p.notAfter), in[pos].r) {
		return
	}
	if n.letters > 0 && pos < len(in) && isLetter(in[pos-1].r) && isLetter(in[pos].r) {
		return
	}
	if n.sound > 0 && t.atHome(in, at[:len(p.runes)], p) {
		return
	}
	if n.letters == len(p.runes) && len(p.runes) == 2 && (p.mixed || !alone(in, i, pos)) {
		return
	}
	m.target, m.end, m.each, m.at = p.runes, pos, true, at
}

// alone reports whether nothing but Han characters stands next to in[from:to]:
// two syllables among other Latin words may be a name.
func alone(in []unit, from, to int) bool {
	for from > 0 && isGap(in[from-1].r) {
		from--
	}
	to = gap(in, to)
	return (from == 0 || !isLetter(in[from-1].r)) && (to >= len(in) || !isLetter(in[to].r))
}

// believable says whether a spelling is more than chance. The more of a
// phrase is only alike in sound, the more of it must stand in plain writing.
func (n tally) believable(size int, strict bool) bool {
	switch {
	case n.same == size:
		return false // written plainly
	case n.digits > 0 && n.letters == 0 && n.same+n.digits == size:
		return size >= 3 && n.digits == 1
	case n.parts > 0:
		return n.same+n.parts+n.letters == size
	case n.sound == 0:
		return size >= 2 // all of it in pinyin, or pinyin among characters
	case strict:
		return false
	case size <= 2:
		return false
	}
	return n.same+n.letters >= (size+1)/2 && n.same > 0 && n.sound <= 2
}

// spell returns where character k of p ends if it is spelt at pos, else 0.
func spell(t *table, in []unit, pos int, p *phrase, k int, n *tally) int {
	if pos >= len(in) {
		return 0
	}
	r := in[pos].r
	if r == p.runes[k] {
		n.same++
		return pos + 1
	}
	for _, way := range p.splits[k] {
		if r == way[0] && spells(in, pos, way) {
			n.parts++
			return pos + len(way)
		}
	}
	if isHan(r) {
		if t.soundOf(r) == p.sounds[k] && p.sounds[k] != 0 {
			n.sound++
			return pos + 1
		}
		return 0
	}
	name := t.readings[p.sounds[k]]
	if isDigit(r) {
		// One digit by itself: a number is never read as syllables.
		if name != "" && digitSound(r) == name && (pos == 0 || !isDigit(in[pos-1].r)) && (pos+1 >= len(in) || !isDigit(in[pos+1].r)) {
			n.digits++
			return pos + 1
		}
		return 0
	}
	if name == "" || len(in)-pos < len(name) {
		return 0
	}
	for i := range len(name) {
		if in[pos+i].r != rune(name[i]) {
			return 0
		}
	}
	pos += len(name)
	n.letters++
	if pos < len(in) && in[pos].r >= '1' && in[pos].r <= '4' && (pos+1 >= len(in) || !isDigit(in[pos+1].r)) {
		pos++ // a tone
	}
	return pos
}

func spells(in []unit, pos int, way []rune) bool {
	if len(in)-pos < len(way) {
		return false
	}
	for i, r := range way {
		if in[pos+i].r != r {
			return false
		}
	}
	return true
}

// gap skips up to two signs that stand between the characters of a phrase.
func gap(in []unit, pos int) int {
	for range 2 {
		if pos < len(in) && isGap(in[pos].r) {
			pos++
		}
	}
	return pos
}

// alias keeps a if it stands at i in surroundings that speak for it.
func (m *match) alias(in []unit, i int, a *alias) {
	end := i + len(a.runes)
	if end <= m.end || !spells(in, i, a.runes) || spells(in, i, a.target) { // it may stand there in full
		return
	}
	if isLetter(in[i].r) && i > 0 && isLetter(in[i-1].r) || isLetter(in[end-1].r) && end < len(in) && isLetter(in[end].r) {
		return
	}
	if end < len(in) {
		for _, r := range a.notAfter {
			if in[end].r == r {
				return
			}
		}
	}
	if len(a.before) > 0 && !precedes(in, i, a.before) && !(a.number && account(in, end)) && !(a.near && contact(in, i, end)) {
		return
	}
	m.target, m.end, m.each = a.target, end, false
}

func precedes(in []unit, i int, words [][]rune) bool {
	for range 4 {
		for _, w := range words {
			if i >= len(w) && spells(in, i-len(w), w) && !(!isHan(w[0]) && i > len(w) && latin(in[i-len(w)-1].r)) {
				return true
			}
		}
		if i == 0 || !isGap(in[i-1].r) && in[i-1].r != ':' {
			return false
		}
		i--
	}
	return false
}

func latin(r rune) bool { return isLetter(r) || isDigit(r) }

// account reports whether an account name or number stands at pos: five or
// more letters and digits with at least two digits.
func account(in []unit, pos int) bool {
	for pos < len(in) && (in[pos].r == ' ' || in[pos].r == ':' || in[pos].r == '号' || in[pos].r == '是') {
		pos++
	}
	n, digits := 0, 0
	for pos < len(in) && (isLetter(in[pos].r) || isDigit(in[pos].r) || in[pos].r == '_' || in[pos].r == '-') {
		n++
		if isDigit(in[pos].r) {
			digits++
		}
		pos++
	}
	return n >= 5 && digits >= 2
}

// contact reports whether 加, 聊 or 联系 stands within six characters.
func contact(in []unit, i, end int) bool {
	for k := max(0, i-6); k < min(len(in), end+6); k++ {
		switch in[k].r {
		case '加', '聊', '联':
			return true
		}
	}
	return false
}

// particles say little by themselves: who types one means it.
const particles = "了吧吗呢啊呀的嘛啦呗"

// atHome tells that a homophone of the phrase is meant as it stands: it is a particle, or makes a common pair with what
// follows the phrase (去思考), or with the next homophone inside it (不想获奖).
func (t *table) atHome(in []unit, at []int32, p *phrase) bool {
	for k, a := range at {
		i := int(a)
		if !isHan(in[i].r) || in[i].r == p.runes[k] || t.soundOf(in[i].r) != p.sounds[k] {
			continue
		}
		last := k == len(at)-1
		switch {
		case strings.ContainsRune(particles, in[i].r):
			return true
		case last && t.pair(in, i) && !strings.ContainsRune(particles, in[i+1].r):
			return true
		case !last && int(at[k+1]) == i+1 && in[i+1].r != p.runes[k+1] && t.pair(in, i):
			return true
		}
	}
	return false
}

// pair reports whether the character at i and the one behind it are often seen together.
func (t *table) pair(in []unit, i int) bool {
	if i+1 >= len(in) || !isHan(in[i].r) || !isHan(in[i+1].r) {
		return false
	}
	a, b := t.bigrams.number[in[i].r], t.bigrams.number[in[i+1].r]
	if a == 0 || b == 0 {
		return false
	}
	_, seen := t.bigrams.of(a, b)
	return seen
}
