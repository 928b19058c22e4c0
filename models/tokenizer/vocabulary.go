package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The special tokens, which match no text.
const (
	BOS   = 0 // <s>
	Pad   = 1 // <pad>
	EOS   = 2 // </s>
	Unk   = 3 // <unk>
	Self  = 4 // <self>: a turn by the sender of the text follows
	Other = 5 // <other>: a turn by somebody else follows
	Text  = 6 // <text>: the text follows
)

const specials = 7

// meta stands before each word.
const meta = '\u2581'

// unknownBelow is how far below the worst piece an unknown code point scores.
const unknownBelow = 10240

// node is a place in the trie of pieces.
type node struct {
	id    int32 // of the piece that ends here, or -1
	score int32
}

// vocabulary is the pieces as a trie over code points, kept in one hash table.
type vocabulary struct {
	size    int
	unknown int64 // score of an unknown code point
	nodes   []node
	keys    []uint64 // parent<<32 | code point, 0 where empty
	next    []int32
	shift   uint
}

// parseVocabulary reads a gzipped list in which line n, counted from 0, is id n: piece TAB score.
func parseVocabulary(compressed []byte) (*vocabulary, error) {
	type entry struct {
		piece string
		score int32
	}
	var entries []entry
	lowest := int64(0)
	err := lines(compressed, func(n int, line string) error {
		piece, number, ok := strings.Cut(line, "\t")
		score, err := strconv.ParseInt(number, 10, 32)
		if !ok || err != nil || piece == "" || !utf8.ValidString(piece) {
			return fmt.Errorf("line %d is no piece", n)
		}
		entries = append(entries, entry{piece, int32(score)})
		lowest = min(lowest, score)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read vocabulary: %w", err)
	}
	if len(entries) <= specials || entries[BOS].piece != "<s>" || entries[Text].piece != "<text>" {
		return nil, errors.New("read vocabulary: the specials are not where they should be")
	}
	v := &vocabulary{size: len(entries), unknown: lowest - unknownBelow, nodes: []node{{id: -1}}}
	v.grow(1 << 10)
	for id, e := range entries {
		if id < specials {
			continue
		}
		at := int32(0)
		for _, r := range e.piece {
			at = v.add(at, r)
		}
		if v.nodes[at].id >= 0 {
			return nil, fmt.Errorf("read vocabulary: piece %d stands twice", id)
		}
		v.nodes[at] = node{int32(id), e.score}
	}
	return v, nil
}

// step gives the node that r leads to from a node, or -1.
func (v *vocabulary) step(from int32, r rune) int32 {
	key := uint64(from)<<32 | uint64(uint32(r))
	mask := uint64(len(v.keys) - 1)
	for i := key * 0x9E3779B97F4A7C15 >> v.shift; ; i++ {
		switch v.keys[i&mask] {
		case key:
			return v.next[i&mask]
		case 0:
			return -1
		}
	}
}

func (v *vocabulary) add(from int32, r rune) int32 {
	if to := v.step(from, r); to >= 0 {
		return to
	}
	if 2*(len(v.nodes)+1) > len(v.keys) {
		v.grow(2 * len(v.keys))
	}
	v.nodes = append(v.nodes, node{id: -1})
	to := int32(len(v.nodes) - 1)
	v.put(uint64(from)<<32|uint64(uint32(r)), to)
	return to
}

func (v *vocabulary) put(key uint64, to int32) {
	mask := uint64(len(v.keys) - 1)
	i := key * 0x9E3779B97F4A7C15 >> v.shift
	for v.keys[i&mask] != 0 {
		i++
	}
	v.keys[i&mask], v.next[i&mask] = key, to
}

// grow makes room for size keys, a power of two. No real key is 0: that would be U+0000 at the root, which the fold
// drops.
func (v *vocabulary) grow(size int) {
	keys, next := v.keys, v.next
	v.keys, v.next = make([]uint64, size), make([]int32, size)
	v.shift = 64
	for n := size; n > 1; n >>= 1 {
		v.shift--
	}
	for i, key := range keys {
		if key != 0 {
			v.put(key, next[i])
		}
	}
}
