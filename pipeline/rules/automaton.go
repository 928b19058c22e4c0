package rules

// automaton finds which rules have a word in a text, in one pass over its
// bytes: Aho and Corasick's machine with every transition written out.
type automaton struct {
	class  [256]uint8 // bytes that occur in no word share class 0
	width  int
	next   []uint16 // state*width + class
	owners [][]owner
}

// owner is a rule and which of its sets of words a word is in, as a bit.
type owner struct {
	rule uint16
	set  uint8
}

// newAutomaton makes the machine; owners[i] has words[i].
func newAutomaton(words []string, owners []owner) *automaton {
	a := &automaton{width: 1}
	for _, w := range words {
		for i := range len(w) {
			if a.class[w[i]] == 0 {
				a.class[w[i]] = uint8(a.width)
				a.width++
			}
		}
	}
	a.grow()
	for i, w := range words {
		state := 0
		for k := range len(w) {
			at := state*a.width + int(a.class[w[k]])
			if a.next[at] == 0 {
				a.next[at] = uint16(len(a.owners))
				a.grow()
			}
			state = int(a.next[at])
		}
		a.owners[state] = append(a.owners[state], owners[i])
	}
	a.link()
	return a
}

func (a *automaton) grow() {
	if len(a.owners) >= 1<<16 {
		panic("rules: too many words for 16-bit states")
	}
	a.owners = append(a.owners, nil)
	a.next = append(a.next, make([]uint16, a.width)...)
}

// link fills the missing transitions by breadth-first order over the states.
func (a *automaton) link() {
	fail := make([]uint16, len(a.owners))
	var queue []uint16
	for c := range a.width {
		if s := a.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		a.owners[s] = append(a.owners[s], a.owners[fail[s]]...)
		for c := range a.width {
			at, other := int(s)*a.width+c, a.next[int(fail[s])*a.width+c]
			if t := a.next[at]; t != 0 {
				fail[t] = other
				queue = append(queue, t)
			} else {
				a.next[at] = other
			}
		}
	}
}

// mark notes in h what the words in text belong to.
func (a *automaton) mark(text string, h *heat) {
	state := 0
	for i := range len(text) {
		state = int(a.next[state*a.width+int(a.class[text[i]])])
		for _, o := range a.owners[state] {
			if h.have[o.rule] == 0 {
				h.warm = append(h.warm, o.rule)
			}
			h.have[o.rule] |= o.set
		}
	}
}

// heat says of which sets of words of each rule a text has one.
type heat struct {
	have []uint8
	warm []uint16 // rules with any
	full []uint16 // rules with all
}

func newHeat(rules int) *heat { return &heat{have: make([]uint8, rules)} }

func (h *heat) clear() {
	for _, id := range h.warm {
		h.have[id] = 0
	}
	h.warm, h.full = h.warm[:0], h.full[:0]
}

// set is a set of small numbers.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
