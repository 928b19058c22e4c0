package rules

import "math/bits"

// automaton finds which rules have a word in a text, in one pass over its
// bytes: Aho and Corasick's machine with every transition written out.
type automaton struct {
	class  [256]uint8 // bytes that occur in no word share class 0
	width  int
	next   []uint16 // state*width + class
	owners [][]int32
}

// newAutomaton makes the machine; owners[i] is the rule of words[i].
func newAutomaton(words []string, owners []int, _ int) *automaton {
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
		a.owners[state] = append(a.owners[state], int32(owners[i]))
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

// mark adds to hot the rules that have a word in text and reports whether
// there are any.
func (a *automaton) mark(text string, hot set) bool {
	state, any := 0, false
	for i := range len(text) {
		state = int(a.next[state*a.width+int(a.class[text[i]])])
		for _, id := range a.owners[state] {
			hot.add(int(id))
			any = true
		}
	}
	return any
}

// set is a set of small numbers.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s set) clear()         { clear(s) }

func (s set) each(f func(int)) {
	for w, word := range s {
		for word != 0 {
			f(w*64 + bits.TrailingZeros64(word))
			word &= word - 1
		}
	}
}
