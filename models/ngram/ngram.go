// Package ngram gives the features of the linear text model: short runs of characters and words of a folded text,
// hashed into buckets, with a little of the conversation before it. models/weights/text-linear/features.md is the
// specification, and golden vectors hold this package to it. It needs no C.
package ngram

import (
	"slices"
	"sync"
	"unicode/utf8"

	"nightlight/models/tokenizer"
)

const (
	// Buckets is how many buckets there are.
	Buckets = 1 << 18

	window   = 256 // code points of folded text looked at together
	stride   = 192 // from the start of one window to the next
	longest  = 4   // code points in a run
	newest   = 2   // earlier messages that count
	turnRun  = 2   // code points in a run of an earlier message
	fnvStart = 2166136261
	fnvPrime = 16777619
)

// Window is one stretch of a text: its distinct buckets in rising order, and the half-open span of code points of
// the original text that it covers. The span is empty if the stretch has no text.
type Window struct {
	Buckets    []int64
	Start, End int
}

// Extractor makes features. It is safe for use by many goroutines.
type Extractor struct {
	fold    *tokenizer.Fold
	scratch sync.Pool
}

// New makes an extractor that reads text through fold.
func New(fold *tokenizer.Fold) *Extractor {
	e := &Extractor{fold: fold}
	e.scratch.New = func() any { return new(scratch) }
	return e
}

// scratch is what one call works with.
type scratch struct {
	text, turn folded
	buckets    []uint32
	context    []uint32
}

// Windows gives the stretches that cover the text, at least one. Turns are earlier messages, oldest first. The
// second value tells whether the folded text holds a Chinese character.
func (e *Extractor) Windows(text string, turns []tokenizer.Turn) ([]Window, bool) {
	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	s.text.read(e.fold, text)
	s.context = s.context[:0]
	for _, turn := range turns[max(0, len(turns)-newest):] {
		s.turn.read(e.fold, turn.Text)
		s.context = appendTurn(s.context, s.turn.runes, turn.Self)
	}
	s.context = distinct(s.context) // once, since every window has them
	runes := s.text.runes
	windows := make([]Window, 0, 1+max(0, len(runes)-window+stride-1)/stride)
	for at := 0; ; at += stride {
		end := min(at+window, len(runes))
		windows = append(windows, s.window(at, end))
		if end == len(runes) {
			return windows, hasHan(runes)
		}
	}
}

func (s *scratch) window(at, end int) Window {
	s.buckets = appendRuns(s.buckets[:0], s.text.runes[at:end], fnvStart, 1, longest)
	s.buckets = appendWords(s.buckets, s.text.runes[at:end], hashString(fnvStart, "w:"))
	s.buckets = distinct(s.buckets)
	w := Window{Buckets: merge(make([]int64, 0, len(s.buckets)+len(s.context)), s.buckets, s.context)}
	w.Start, w.End = s.text.span(at, end)
	return w
}

func distinct(buckets []uint32) []uint32 {
	slices.Sort(buckets)
	return slices.Compact(buckets)
}

// merge adds two rising lists to dst as one, each bucket once.
func merge(dst []int64, a, b []uint32) []int64 {
	for len(a) > 0 && len(b) > 0 {
		dst = append(dst, int64(min(a[0], b[0])))
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	for _, rest := range [2][]uint32{a, b} {
		for _, bucket := range rest {
			dst = append(dst, int64(bucket))
		}
	}
	return dst
}

func appendTurn(dst []uint32, runes []rune, self bool) []uint32 {
	run, word := "o:", "ow:"
	if self {
		run, word = "s:", "sw:"
	}
	dst = appendRuns(dst, runes, hashString(fnvStart, run), turnRun, turnRun)
	return appendWords(dst, runes, hashString(fnvStart, word))
}

// appendRuns adds the bucket of every run of shortest to longest code points, each hashed from seed on.
func appendRuns(dst []uint32, runes []rune, seed uint32, shortest, longest int) []uint32 {
	for i := range runes {
		h := seed
		for n, r := range runes[i:min(i+longest, len(runes))] {
			h = hashRune(h, r)
			if n+1 >= shortest {
				dst = append(dst, h&(Buckets-1))
			}
		}
	}
	return dst
}

func appendWords(dst []uint32, runes []rune, seed uint32) []uint32 {
	h, inWord := seed, false
	for _, r := range runes {
		if r != ' ' {
			h, inWord = hashRune(h, r), true
			continue
		}
		if inWord {
			dst = append(dst, h&(Buckets-1))
		}
		h, inWord = seed, false
	}
	if inWord {
		dst = append(dst, h&(Buckets-1))
	}
	return dst
}

func hashRune(h uint32, r rune) uint32 {
	if r < utf8.RuneSelf {
		return (h ^ uint32(r)) * fnvPrime
	}
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		h = (h ^ uint32(c)) * fnvPrime
	}
	return h
}

func hashString(h uint32, s string) uint32 {
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * fnvPrime
	}
	return h
}

func hasHan(runes []rune) bool {
	return slices.ContainsFunc(runes, func(r rune) bool { return r >= 0x4E00 && r <= 0x9FFF })
}

// folded is a text as it is read: words joined by one blank, each code point with the place in the original text,
// counted in code points, that it came from; -1 for the blanks.
type folded struct {
	runes []rune
	from  []int32
}

func (f *folded) read(fold *tokenizer.Fold, text string) {
	f.runes, f.from = f.runes[:0], f.from[:0]
	at, gap := int32(0), false
	for _, r := range text {
		stands, changed := fold.Rune(r)
		if !changed {
			gap = f.add(r, at, gap)
		}
		for _, c := range stands {
			gap = f.add(c, at, gap)
		}
		at++
	}
}

// add takes one code point; gap tells that blanks came since the last one.
func (f *folded) add(r rune, at int32, gap bool) bool {
	if r == ' ' {
		return true
	}
	if gap && len(f.runes) > 0 {
		f.runes, f.from = append(f.runes, ' '), append(f.from, -1)
	}
	f.runes, f.from = append(f.runes, r), append(f.from, at)
	return false
}

func (f *folded) span(at, end int) (int, int) {
	for at < end && f.from[at] < 0 {
		at++
	}
	for end > at && f.from[end-1] < 0 {
		end--
	}
	if at == end {
		return 0, 0
	}
	return int(f.from[at]), int(f.from[end-1]) + 1
}
