package tokenizer

import (
	"fmt"
	"sync"
	"unicode/utf8"
)

// Token is one piece of a text: its id and the half-open span of bytes that it came from. A token that stands for
// no byte of its own, such as the mark before a word, has an empty span.
type Token struct {
	ID         int32
	Start, End int32
}

// Tokenizer cuts text into tokens. It is safe for use by many goroutines.
type Tokenizer struct {
	fold    *Fold
	vocab   *vocabulary
	scratch sync.Pool
}

// New makes a tokenizer of its two tables, gzipped as they are committed.
func New(vocabulary, fold []byte) (*Tokenizer, error) {
	v, err := parseVocabulary(vocabulary)
	if err != nil {
		return nil, fmt.Errorf("make tokenizer: %w", err)
	}
	f, err := ParseFold(fold)
	if err != nil {
		return nil, fmt.Errorf("make tokenizer: %w", err)
	}
	t := &Tokenizer{fold: f, vocab: v}
	t.scratch.New = func() any { return new(lattice) }
	return t, nil
}

// Fold gives the table that the tokenizer reads text through.
func (t *Tokenizer) Fold() *Fold { return t.fold }

// Size is the number of ids, specials included.
func (t *Tokenizer) Size() int { return t.vocab.size }

// Append adds the tokens of text to dst. The same text always gives the same tokens, and no byte is an error: what
// is no UTF-8 reads as U+FFFD.
func (t *Tokenizer) Append(dst []Token, text string) []Token {
	return t.appendUpTo(dst, text, -1)
}

// appendUpTo is Append that may stop after a word once it has limit tokens; a negative limit is none.
func (t *Tokenizer) appendUpTo(dst []Token, text string, limit int) []Token {
	l := t.scratch.Get().(*lattice)
	defer t.scratch.Put(l)
	from := len(dst)
	l.reset()
	for at := 0; at < len(text); {
		r, size := rune(text[at]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[at:])
		}
		folded, changed := t.fold.Rune(r)
		if !changed {
			dst = l.read(dst, t.vocab, r, at, size)
		}
		for _, c := range folded {
			dst = l.read(dst, t.vocab, c, at, size)
		}
		at += size
		if limit >= 0 && len(dst)-from >= limit {
			return dst
		}
	}
	return l.cut(dst, t.vocab)
}

// lattice is one word while it is being cut: its code points and, for each place between them, the best way there.
type lattice struct {
	runes []rune
	spans []span
	best  []int64
	from  []int32 // where the last token of the best way begins
	id    []int32 // that token
	back  []Token
}

type span struct{ start, end int32 }

func (l *lattice) reset() {
	l.runes, l.spans = l.runes[:0], l.spans[:0]
}

// read takes one folded code point; a space ends the word.
func (l *lattice) read(dst []Token, v *vocabulary, r rune, at, size int) []Token {
	if r == ' ' {
		return l.cut(dst, v)
	}
	if len(l.runes) == 0 {
		l.runes = append(l.runes, meta)
		l.spans = append(l.spans, span{int32(at), int32(at)})
	}
	l.runes = append(l.runes, r)
	l.spans = append(l.spans, span{int32(at), int32(at + size)})
	return dst
}

// cut adds the tokens of the word that was read, if any, and begins the next.
func (l *lattice) cut(dst []Token, v *vocabulary) []Token {
	if len(l.runes) == 0 {
		return dst
	}
	l.search(v)
	l.back = l.back[:0]
	for end := len(l.runes); end > 0; {
		start := int(l.from[end])
		l.back = append(l.back, Token{l.id[end], l.spans[start].start, l.spans[end-1].end})
		end = start
	}
	for i := len(l.back) - 1; i >= 0; i-- {
		tok := l.back[i]
		// Neighbouring unknowns of one word are one token.
		if tok.ID == Unk && i+1 < len(l.back) && l.back[i+1].ID == Unk {
			dst[len(dst)-1].End = tok.End
			continue
		}
		dst = append(dst, tok)
	}
	l.reset()
	return dst
}

// unset is below every score that a way can have.
const unset = -1 << 62

// search finds the best way through the word. An earlier start wins a tie, since only a strictly better way
// replaces one. Whole numbers make sums exact.
func (l *lattice) search(v *vocabulary) {
	n := len(l.runes)
	l.best = resize(l.best, n+1)
	l.from = resize(l.from, n+1)
	l.id = resize(l.id, n+1)
	for i := 1; i <= n; i++ {
		l.best[i] = unset
	}
	l.best[0] = 0
	for i := range n {
		here := l.best[i]
		single := false
		at := int32(0)
		for end := i + 1; end <= n; end++ {
			if at = v.step(at, l.runes[end-1]); at < 0 {
				break
			}
			piece := v.nodes[at]
			if piece.id < 0 {
				continue
			}
			single = single || end == i+1
			l.offer(end, here+int64(piece.score), i, piece.id)
		}
		if !single {
			l.offer(i+1, here+v.unknown, i, Unk)
		}
	}
}

func (l *lattice) offer(end int, score int64, start int, id int32) {
	if score > l.best[end] {
		l.best[end], l.from[end], l.id[end] = score, int32(start), id
	}
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, 2*n)
	}
	return s[:n]
}
