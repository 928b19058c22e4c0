package normal

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// rounds bounds how often the passes run over one text; each makes it plainer
// for the next, and two or three are enough for anything people write.
const rounds = 8

// plain reports quickly that no pass can find anything in s, which is true of
// most messages.
func (s *scratch) plain(t *table) bool {
	return len(s.units) == 0
}

// normalise runs the passes until nothing changes and reports whether the
// content changed.
func (s *scratch) normalise(t *table) bool {
	changed := false
	for range rounds {
		again := false
		if s.odd {
			again = s.emoji(t) || again
			again = s.lookalikes(t) || again
		}
		again = s.threaded() || again
		again = s.spaced() || again
		again = s.chunks(t) || again
		again = s.repeats(t) || again
		again = s.han && s.rejoined(t) || again
		if !again {
			break
		}
		changed = true
	}
	for n := 0; n != len(s.units); { // what was drawn out may be spaced too: 加加加.加.加
		n = len(s.units)
		if s.stutter(); n != len(s.units) && s.spaced() {
			changed = true
		}
	}
	return changed
}

// emoji writes the emoji that stand for a word as that word.
func (s *scratch) emoji(t *table) bool {
	found := false
	for _, u := range s.units {
		if u.r > 0x2000 && !isHan(u.r) {
			if _, ok := t.emoji[u.r]; ok {
				found = true
				break
			}
		}
	}
	if !found {
		return false
	}
	s.out = s.out[:0]
	for i, u := range s.units {
		m, ok := t.emoji[u.r]
		if !ok || u.r < 0x2000 || i > 0 && s.units[i-1].r == u.r {
			if !ok {
				s.out = append(s.out, u)
			}
			continue
		}
		if s.han {
			for _, r := range m[0] {
				s.out = append(s.out, unit{r, u.from, u.to})
			}
			continue
		}
		if n := len(s.out); n > 0 && s.out[n-1].r != ' ' {
			s.out = append(s.out, unit{' ', u.from, u.to})
		}
		for _, r := range m[1] {
			s.out = append(s.out, unit{r, u.from, u.to})
		}
		if i+1 < len(s.units) && s.units[i+1].r != ' ' {
			s.out = append(s.out, unit{' ', u.from, u.to})
		}
	}
	s.units, s.out = s.out, s.units
	return true
}

// lookalikes writes letters of other scripts that pass for ASCII letters as
// those letters, in words that mix scripts, and in words wholly of such
// letters when the text has no other letter of another script.
func (s *scratch) lookalikes(t *table) bool {
	foreign, any := false, false
	for _, u := range s.units {
		if u.r < 0x80 || isHan(u.r) {
			continue
		}
		if _, ok := t.like[u.r]; ok {
			any, foreign = true, foreign || t.weak[u.r]
		} else if u.r >= 0x370 && u.r <= 0x52F {
			foreign = true
		}
	}
	if !any {
		return false
	}
	changed, mixed, strange := false, false, false
	for i, u := range s.units {
		if u.r >= 0x370 && u.r <= 0x52F {
			if _, ok := t.like[u.r]; !ok {
				strange = true
			} else if i > 0 && isLetter(s.units[i-1].r) || i+1 < len(s.units) && isLetter(s.units[i+1].r) {
				mixed = true // one word of both scripts, and none that needs the other: it is all a disguise
			}
		}
	}
	disguise := mixed && !strange
	for i := 0; i < len(s.units); {
		end, ascii, like, weak, other := i, 0, 0, 0, 0
		for ; end < len(s.units); end++ {
			r := s.units[end].r
			if isLetter(r) {
				ascii++
			} else if _, ok := t.like[r]; ok {
				like++
				if t.weak[r] {
					weak++
				}
			} else if r >= 0x370 && r <= 0x52F {
				other++
			} else if isDigit(r) {
				continue
			} else {
				break
			}
		}
		if like > 0 && (ascii > 0 && other == 0 || ascii == 0 && (weak == 0 && !foreign || disguise)) {
			for k := i; k < end; k++ {
				if to, ok := t.like[s.units[k].r]; ok {
					s.units[k].r, changed = to, true
				}
			}
		}
		i = max(end, i+1)
	}
	return changed
}

// isGap reports whether r is put between letters to hide a word.
func isGap(r rune) bool {
	switch r {
	case ' ', '.', '-', '_', '*', '~', '/', '|', ',', '+', '·', '•', '・', '。', '、', '…', '—', '–', '=', '^':
		return true
	}
	return false
}

// isSign reports whether r, which nobody puts into a word by itself, could still part its letters: brackets, hearts, a
// line for each letter.
func isSign(r rune) bool {
	return r == '\n' || r > ' ' && !isLetter(r) && !isDigit(r) && !isHan(r) && r != '\'' && kindOf(r) == 0
}

// sameSigns tells whether two gaps are the same signs.
func sameSigns(a, b []unit) bool {
	return slices.EqualFunc(a, b, func(x, y unit) bool { return x.r == y.r })
}

// spaced joins three or more single letters, or single Han characters, that
// stand apart: s.e.c.r.e.t, 加 微 信, [k][y][s]. Two blanks end a word; signs
// that are no usual gap count where they are the same each time.
func (s *scratch) spaced() bool {
	changed, w := false, 0
	in := s.units
	for i := 0; i < len(in); {
		kind := kindOf(in[i].r)
		if kind == 0 || i > 0 && (kindOf(in[i-1].r) == kind || in[i-1].r == '\'' || in[i-1].r == '’') || i+2 >= len(in) || !isGap(in[i+1].r) && !isSign(in[i+1].r) {
			in[w] = in[i]
			w++
			i++
			continue
		}
		// Walk letter, gap, letter, gap ... as far as it goes.
		last, count, blank := i, 1, false
		first := in[i+1 : i+1]
		for {
			k, odd := last+1, false
			for k < len(in) && k-last <= 2 && (isGap(in[k].r) || isSign(in[k].r)) {
				odd = odd || !isGap(in[k].r)
				k++
			}
			if count == 1 {
				first = in[i+1 : k]
			} else if (odd || slices.ContainsFunc(first, func(u unit) bool { return !isGap(u.r) })) && !sameSigns(first, in[last+1:k]) {
				break
			}
			gap := k - last - 1
			if gap == 0 || gap > 2 || gap == 2 && in[last+1].r == ' ' && in[last+2].r == ' ' {
				break
			}
			if only := gap == 1 && in[last+1].r == ' '; count == 1 {
				blank = only
			} else if only != blank {
				break // one word ends where the way of writing does
			}
			if k >= len(in) || kindOf(in[k].r) != kind || k+1 < len(in) && kindOf(in[k+1].r) == kind {
				break
			}
			last = k
			count++
		}
		if count < 3 {
			in[w] = in[i]
			w++
			i++
			continue
		}
		for k := i; k <= last; k++ {
			if kindOf(in[k].r) == kind {
				in[w] = in[k]
				w++
			}
		}
		changed = true
		i = last + 1
	}
	s.units = in[:w]
	return changed
}

// threaded takes one and the same sign out from between short pieces of a word
// or of Han characters: 线-下-奔现, b·l·a·ck. Pieces as long as words are a list,
// and stay.
func (s *scratch) threaded() bool {
	changed, w := false, 0
	in := s.units
	for i := 0; i < len(in); {
		kind := kindOf(in[i].r)
		if kind == 0 {
			in[w] = in[i]
			w++
			i++
			continue
		}
		// Walk piece, sign, piece, sign ... as far as the sign is the same.
		end, signs, length, shortest, sign := i, 0, 0, len(in), rune(0)
		for {
			k := end
			for k < len(in) && kindOf(in[k].r) == kind {
				k++
			}
			length += k - end
			shortest = min(shortest, k-end)
			end = k
			if k+1 >= len(in) || !isThread(in[k].r) || signs > 0 && in[k].r != sign || kindOf(in[k+1].r) != kind {
				break
			}
			sign = in[k].r
			signs++
			end = k + 1
		}
		join := false
		switch sign {
		case '·', '~', '_', '^':
			join = signs > 1 && length < 3*(signs+1) || signs == 1 && shortest == 1 && length > 2 && kind == 1
		case '、':
			join = signs > 1 && 2*length < 3*(signs+1)
		default:
			join = signs > 1 && length < 3*(signs+1)
		}
		for k := i; k < end; k++ {
			if !join || in[k].r != sign {
				in[w] = in[k]
				w++
			}
		}
		changed = changed || join
		i = end
	}
	s.units = in[:w]
	return changed
}

// isThread reports whether r can hold the pieces of one word together.
func isThread(r rune) bool { return isGap(r) && r != ' ' && r != ',' && r != '。' && r != '…' }

// kindOf sorts runes that can be spaced: 1 a letter or a leet sign, 2 Han.
func kindOf(r rune) int {
	switch {
	case isLetter(r), r == '@', r == '$':
		return 1
	case isHan(r):
		return 2
	}
	return 0
}

// repeats writes a letter that is drawn out (sooooo, kiiiill) once, or twice
// where a known word is spelt so.
func (s *scratch) repeats(t *table) bool {
	in := s.units
	run := false
	for i := 2; i < len(in); i++ {
		if in[i].r == in[i-1].r && in[i].r == in[i-2].r && isLetter(in[i].r) {
			run = true
			break
		}
	}
	if !run {
		return false
	}
	changed, w := false, 0
	for i := 0; i < len(in); {
		if !isLetter(in[i].r) {
			in[w] = in[i]
			w++
			i++
			continue
		}
		end := i
		for end < len(in) && isLetter(in[end].r) {
			end++
		}
		n := shorten(t, in[i:end], in[w:])
		changed = changed || n < end-i
		w += n
		i = end
	}
	s.units = in[:w]
	return changed
}

// mostRuns is how many drawn out letters of one word are weighed against the
// known words.
const mostRuns = 4

// shorten writes word to out with each run of three or more letters as one,
// or as two where that makes a known word, and returns how many units that
// are.
func shorten(t *table, word, out []unit) int {
	runs, size := 0, 0
	for i := 0; i < len(word); {
		end := runEnd(word, i)
		if end-i > 2 {
			runs++
		}
		size += min(end-i, 2)
		i = end
	}
	if runs == 0 || runEnd(word, 0) == len(word) {
		return copy(out, word) // nothing drawn out, or no word: www, xxx, aaaa
	}
	twice := 0 // bit i: run i is written twice
	if runs <= mostRuns && size <= longest {
		for try := range 1 << runs {
			var spelt [longest]byte
			n, run := 0, 0
			for i := 0; i < len(word); {
				end := runEnd(word, i)
				times := min(end-i, 2)
				if end-i > 2 {
					times = 1 + try>>run&1
					run++
				}
				for range times {
					spelt[n] = byte(word[i].r)
					n++
				}
				i = end
			}
			if t.words[string(spelt[:n])] {
				twice = try
				break
			}
		}
	}
	w, run := 0, 0
	for i := 0; i < len(word); {
		end := runEnd(word, i)
		times := min(end-i, 2)
		if end-i > 2 {
			times = 1
			if run < mostRuns {
				times += twice >> run & 1
			}
			run++
		}
		last := word[end-1]
		for k := range times {
			out[w] = word[i+k]
			w++
		}
		out[w-1] = as(out[w-1].r, out[w-1], last)
		i = end
	}
	return w
}

// runEnd returns the end of the run of equal letters that starts at i.
func runEnd(word []unit, i int) int {
	end := i + 1
	for end < len(word) && word[end].r == word[i].r {
		end++
	}
	return end
}

// stutter writes three or more of the same Han character as one. It is done
// with any other change but is none by itself: 哈哈哈 needs no second look.
func (s *scratch) stutter() {
	in, w := s.units, 0
	for i := 0; i < len(in); {
		end := i + 1
		if isHan(in[i].r) {
			for end < len(in) && in[end].r == in[i].r {
				end++
			}
		}
		u := in[i]
		if end-i == 2 {
			in[w] = u
			w++
			u = in[i+1]
		}
		if end-i > 2 {
			u = as(u.r, u, in[end-1])
		}
		in[w] = u
		w++
		i = end
	}
	s.units = in[:w]
}

// widestSplit is the most parts of a character that are put together again.
const widestSplit = 4

// strokes are parts of characters that nobody writes by themselves.
const strokes = "亻氵讠辶丨亅丿乀丶冖冂攵彳艹钅饣纟扌忄犭阝刂灬宀疒罒礻衤糹丷彐卩匚廴弋彡夂尢屮巛幺乚龴厶亠冫凵勹匸"

// rejoined puts characters together again that were written in parts: 手戈人云
// is 我会. Ordinary characters stand side by side like that by chance (女子), so it
// wants a stroke among them, or two characters that make up a quarter of the Han.
func (s *scratch) rejoined(t *table) bool {
	in, han, found, parts, stroke := s.units, 0, 0, 0, false
	match := func(i int) (int, rune) {
		var b [4 * widestSplit]byte
		n, best, char := 0, 0, rune(0)
		for k := 0; k < widestSplit && i+k < len(in) && isHan(in[i+k].r); k++ {
			n += utf8.EncodeRune(b[n:], in[i+k].r)
			if r, ok := t.whole[string(b[:n])]; ok && k > 0 {
				best, char = k+1, r
			}
		}
		return best, char
	}
	for i := 0; i < len(in); i++ {
		if !isHan(in[i].r) {
			continue
		}
		n, _ := match(i)
		for k := i; k < i+max(n, 1); k++ {
			han++
			stroke = stroke || n > 0 && strings.ContainsRune(strokes, in[k].r)
		}
		if n > 0 {
			found++
			parts += n
			i += n - 1
		}
	}
	if found == 0 || !stroke && (found < 2 || 4*parts < han) {
		return false
	}
	w := 0
	for i := 0; i < len(in); i++ {
		u := in[i]
		if isHan(u.r) {
			if n, char := match(i); n > 0 {
				u = as(char, u, in[i+n-1])
				i += n - 1
			}
		}
		in[w] = u
		w++
	}
	s.units = in[:w]
	return true
}
