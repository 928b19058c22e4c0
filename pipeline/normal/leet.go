package normal

import "slices"

// longest is the longest chunk that is looked at, in letters.
const longest = 24

// chunks reads leet (k1ll), separators inside a word (se-cret) and masks
// (f*ck). A number stays a number: only a chunk with letters is touched, and
// its edges only where a known word comes out.
func (s *scratch) chunks(t *table) bool {
	changed, w := false, 0
	in := s.units
	for i := 0; i < len(in); {
		if !inChunk(in[i].r) {
			in[w] = in[i]
			w++
			i++
			continue
		}
		end, letters, signs := i, 0, 0
		for ; end < len(in) && inChunk(in[end].r); end++ {
			if isLetter(in[end].r) {
				letters++
			} else {
				signs++
			}
		}
		if letters > 0 && signs > 0 && end-i <= 2*longest {
			if n, ok := readChunk(t, in[i:end], in[w:w]); ok {
				changed = true
				w += n
				i = end
				continue
			}
		}
		w += copy(in[w:], in[i:end])
		i = end
	}
	s.units = in[:w]
	return changed
}

func inChunk(r rune) bool {
	if r >= 0x80 {
		return r == '·'
	}
	return isLetter(r) || isDigit(r) || r == '@' || r == '$' || r == '!' || r == '|' || r == '.' || r == '-' || r == '_' || r == '*' || r == '~'
}

// readChunk tries to read in as a word and writes the word's units to out,
// which may share memory with in.
func readChunk(t *table, in, out []unit) (int, bool) {
	var pos [2 * longest]int
	var word [2 * longest]byte
	// First without its ends of punctuation: "s3cret!!" is s3cret.
	a, b := 0, len(in)
	for a < b && !isLetter(in[a].r) && !isDigit(in[a].r) && in[a].r != '@' && in[a].r != '$' {
		a++
	}
	for b > a && !isLetter(in[b-1].r) && !isDigit(in[b-1].r) && in[b-1].r != '$' {
		b--
	}
	core := in[a:b]
	n, gaps, digits, masks, address := 0, 0, 0, 0, false
	dotted := slices.ContainsFunc(core, func(u unit) bool { return u.r == '.' })
	for k, u := range core {
		switch r := u.r; {
		case isLetter(r):
			word[n], pos[n] = byte(r), k
			n++
		case r == '*':
			word[n], pos[n] = '*', k
			n++
			masks++
		case r == '.' || r == '-' || r == '_' || r == '~' || r == '·':
			gaps++
		case leet(r) != 0:
			word[n], pos[n] = byte(r), k
			n++
			digits++
			address = address || r == '@' && k > 0 && dotted
		default: // a digit that passes for no letter
			return 0, false
		}
	}
	if n < 2 || n > longest || digits+masks+gaps == 0 {
		return 0, false
	}
	write := func(w string, skip func(int) bool) (int, bool) {
		k := 0
		for i := range a {
			out = append(out, in[i])
			k++
		}
		for i := range n {
			if skip != nil && skip(i) {
				continue
			}
			u := core[pos[i]]
			u.r = rune(w[i])
			out = append(out, u)
			k++
		}
		// The tail lies behind what was written, so this copy is safe.
		for i := b; i < len(in); i++ {
			out = append(out, in[i])
			k++
		}
		return k, true
	}
	if masks > 0 {
		if w := squeeze(word[:n]); digits == 0 && w != "" && t.words[w] {
			return write(string(word[:n]), func(i int) bool { return word[i] == '*' })
		}
		if digits == 0 && gaps == 0 && masks <= 2 && masks < n-1 {
			for _, w := range t.byShape[[2]int{n, int(word[0])}] {
				if masked(w, word[:n]) {
					return write(w, nil)
				}
			}
		}
		return 0, false
	}
	for _, one := range []byte{'i', 'l'} {
		var try [2 * longest]byte
		for i := range n {
			try[i] = letterOf(word[i], one)
		}
		if t.words[string(try[:n])] && (digits > 0 || gaps > 0) {
			return write(string(try[:n]), nil)
		}
	}
	// A word nobody listed.
	if gaps > 0 || address || !leetWord(word[:n]) {
		return 0, false
	}
	for i := range n {
		word[i] = letterOf(word[i], 'i')
	}
	return write(string(word[:n]), nil)
}

// leetWord tells whether a chunk of letters and leet signs, which is no known
// word, looks like one all the same: a sign with a letter on both sides (f0r,
// pan!c), or one that is no digit (57@nd). Numbers with a unit (5min, b4, h264)
// do not.
func leetWord(word []byte) bool {
	n, letters, inside, odd := len(word), 0, 0, 0
	for i, c := range word {
		switch {
		case isLetter(rune(c)):
			letters++
		case c == '!' && n > 7: // the end of a sentence without a blank
			return false
		case i > 0 && i < n-1 && isLetter(rune(word[i-1])) && isLetter(rune(word[i+1])):
			inside++
		case c == '@' || c == '$':
			odd++
		}
	}
	signs := n - letters
	return n > 2 && letters > 0 && inside+odd > 0 && signs <= letters+1 &&
		!(word[0] == '@' && signs == 1) // @anna is a name
}

func squeeze(word []byte) string {
	var b [2 * longest]byte
	n := 0
	for _, c := range word {
		if c != '*' {
			b[n] = c
			n++
		}
	}
	return string(b[:n])
}

func masked(w string, word []byte) bool {
	for i := range word {
		if word[i] != '*' && word[i] != w[i] {
			return false
		}
	}
	return true
}

func leet(r rune) byte { return letterOf(byte(r), 'i') &^ sameMask(byte(r)) }

// sameMask is 0xff for a byte that stands for no letter.
func sameMask(c byte) byte {
	switch c {
	case '0', '1', '3', '4', '5', '7', '@', '$', '!', '|':
		return 0
	}
	return 0xff
}

func letterOf(c, one byte) byte {
	switch c {
	case '0':
		return 'o'
	case '1', '!', '|':
		return one
	case '3':
		return 'e'
	case '4', '@':
		return 'a'
	case '5', '$':
		return 's'
	case '7':
		return 't'
	}
	return c
}
