package pdq

import (
	"encoding/binary"
	"math/bits"
)

// Index finds the hashes of a list within a distance. It is exact: what a
// comparison with each of them would find, it finds. It is immutable and safe
// for concurrent use.
//
// It is a multi-index hash (Norouzi, Punjani, Fleet 2012). A hash is 16 words
// of 16 bits; when two hashes differ in at most 31 bits, some word of theirs
// differs in at most one, since twice 16 is 32. So the hashes are filed under
// each of their words, and a query looks under its own words and those one bit
// away. A million hashes take about 100 MB.
type Index struct {
	hashes [][4]uint64
	// slots[s] files the hashes under word s; nil for a short list, which is
	// compared one by one.
	slots []slot
}

// slot is a table of 65,536 buckets that lie one behind another in ids.
type slot struct {
	from []uint32 // bucket w is ids[from[w]:from[w+1]]
	ids  []uint32
}

const (
	words  = 16
	values = 1 << 16
	// short is the length from which the tables pay.
	short = 4096
)

// Hit is a hash of the list by its place, with its distance from the query.
type Hit struct{ Place, Distance int }

// NewIndex files a list; hashes are named by their place in it.
func NewIndex(list []Hash) *Index {
	x := &Index{hashes: make([][4]uint64, len(list))}
	for i, h := range list {
		x.hashes[i] = quarters(h)
	}
	if len(list) < short {
		return x
	}
	x.slots = make([]slot, words)
	for s := range x.slots {
		x.slots[s] = x.file(s)
	}
	return x
}

// Len is the number of hashes.
func (x *Index) Len() int { return len(x.hashes) }

func quarters(h Hash) (q [4]uint64) {
	for i := range q {
		q[i] = binary.BigEndian.Uint64(h[8*i:])
	}
	return q
}

func word(q *[4]uint64, s int) uint16 { return uint16(q[s/4] >> (16 * (s % 4))) }

// file sorts the places by word s, counting first.
func (x *Index) file(s int) slot {
	t := slot{from: make([]uint32, values+1), ids: make([]uint32, len(x.hashes))}
	for i := range x.hashes {
		t.from[int(word(&x.hashes[i], s))+1]++
	}
	for w := range values {
		t.from[w+1] += t.from[w]
	}
	next := append([]uint32(nil), t.from[:values]...)
	for i := range x.hashes {
		w := word(&x.hashes[i], s)
		t.ids[next[w]] = uint32(i)
		next[w]++
	}
	return t
}

// Within returns every hash at most distance bits from h, in no order.
// distance is at most Match; more is taken as Match, and less than 0 finds
// nothing.
func (x *Index) Within(h Hash, distance int) []Hit {
	distance = min(distance, Match)
	q := quarters(h)
	if x.slots == nil {
		return x.compare(q, distance)
	}
	reach := distance / words // bits in which the nearest word can differ
	var hits []Hit
	for s := range x.slots {
		w := word(&q, s)
		hits = x.bucket(hits, s, w, &q, distance, reach)
		for bit := uint16(1); reach > 0 && bit != 0; bit <<= 1 {
			hits = x.bucket(hits, s, w^bit, &q, distance, reach)
		}
	}
	return hits
}

// compare holds every hash against the query.
func (x *Index) compare(q [4]uint64, distance int) []Hit {
	var hits []Hit
	for i := range x.hashes {
		if d := apart(&x.hashes[i], &q); d <= distance {
			hits = append(hits, Hit{i, d})
		}
	}
	return hits
}

func (x *Index) bucket(hits []Hit, s int, w uint16, q *[4]uint64, distance, reach int) []Hit {
	t := &x.slots[s]
	for _, id := range t.ids[t.from[w]:t.from[int(w)+1]] {
		o := &x.hashes[id]
		if d := apart(o, q); d <= distance && !before(o, q, s, reach) {
			hits = append(hits, Hit{int(id), d})
		}
	}
	return hits
}

// before reports whether an earlier slot has found the hash already.
func before(o, q *[4]uint64, s, reach int) bool {
	for i := range s {
		if bits.OnesCount16(word(o, i)^word(q, i)) <= reach {
			return true
		}
	}
	return false
}

func apart(a, b *[4]uint64) int {
	return bits.OnesCount64(a[0]^b[0]) + bits.OnesCount64(a[1]^b[1]) + bits.OnesCount64(a[2]^b[2]) + bits.OnesCount64(a[3]^b[3])
}
