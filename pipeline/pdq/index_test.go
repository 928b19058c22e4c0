package pdq_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"nightlight/pipeline/pdq"
)

func random(r *rand.Rand) (h pdq.Hash) {
	for i := range h {
		h[i] = byte(r.Uint32())
	}
	return h
}

// bent flips n different bits.
func bent(r *rand.Rand, h pdq.Hash, n int) pdq.Hash {
	for _, k := range r.Perm(256)[:n] {
		h[k/8] ^= 1 << (k % 8)
	}
	return h
}

// brute is what Within promises to equal.
func brute(list []pdq.Hash, q pdq.Hash, distance int) []pdq.Hit {
	var hits []pdq.Hit
	for i, h := range list {
		if d := h.Distance(q); d <= distance {
			hits = append(hits, pdq.Hit{Place: i, Distance: d})
		}
	}
	return hits
}

// crowd is a list in which many hashes are near one another: some hashes, and
// others bent from them by 0 to 40 bits.
func crowd(r *rand.Rand, n int) []pdq.Hash {
	list := make([]pdq.Hash, n)
	for i := range list {
		if i < 10 || r.IntN(3) > 0 {
			list[i] = random(r)
		} else {
			list[i] = bent(r, list[r.IntN(i)], r.IntN(41))
		}
	}
	return list
}

func TestAnIndexFindsWhatAComparisonWithEachFinds(t *testing.T) {
	for _, n := range []int{0, 1, 50, 4095, 4096, 30_000} {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		list := crowd(r, n)
		x := pdq.NewIndex(list)
		found := 0
		for i := range 400 {
			q := random(r)
			if n > 0 {
				q = bent(r, list[r.IntN(n)], i%45)
			}
			for _, distance := range []int{-1, 0, 1, 15, 16, 30, 31} {
				got, want := x.Within(q, distance), brute(list, q, distance)
				slices.SortFunc(got, func(a, b pdq.Hit) int { return a.Place - b.Place })
				if !slices.Equal(got, want) {
					t.Fatalf("%d hashes, distance %d: got %v, want %v", n, distance, got, want)
				}
				found += len(got)
			}
		}
		if n > 0 && found < 400 {
			t.Errorf("%d hashes: only %d hits, so that little was compared", n, found)
		}
	}
}

// The bits that a query differs in may all lie in few words, or one in each.
func TestAnIndexFindsDifferencesThatLieTogetherOrSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	list := crowd(r, 5000)
	x := pdq.NewIndex(list)
	for name, bits := range map[string]func(k int) int{
		"in the first words":    func(k int) int { return k },
		"two in each but one":   func(k int) int { return 16*(k/2) + k%2 },
		"one in each, then two": func(k int) int { return 16*(k%16) + 7*(k/16) },
	} {
		q := list[77]
		for k := range pdq.Match {
			q[bits(k)/8] ^= 1 << (bits(k) % 8)
		}
		if d := q.Distance(list[77]); d != pdq.Match {
			t.Fatalf("%s: the query is %d bits away", name, d)
		}
		if !slices.Contains(x.Within(q, pdq.Match), pdq.Hit{Place: 77, Distance: pdq.Match}) {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestMoreThanTheLargestDistanceIsTakenAsIt(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	list := []pdq.Hash{random(r)}
	x := pdq.NewIndex(list)
	if got := x.Within(bent(r, list[0], 40), 100); len(got) != 0 {
		t.Errorf("got %v at 40 bits, want nothing", got)
	}
}

func FuzzParseReadsOnlyWhatStringWrites(f *testing.F) {
	f.Add("f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22")
	f.Add("F8")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := pdq.Parse(s)
		if err != nil {
			if h != (pdq.Hash{}) {
				t.Error("an error comes with a hash")
			}
			return
		}
		if again, err := pdq.Parse(h.String()); err != nil || again != h {
			t.Errorf("got %v, %v again", again, err)
		}
	})
}

// BenchmarkWithin is a look-up among a million hashes, of a picture that is in
// the list, at 31 bits:
//
//	go test ./pipeline/pdq -run NONE -bench Within -cpu 1
func BenchmarkWithin(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	list := make([]pdq.Hash, 1_000_000)
	for i := range list {
		list[i] = random(r)
	}
	x := pdq.NewIndex(list)
	queries := make([]pdq.Hash, 1000)
	for i := range queries {
		queries[i] = bent(r, list[r.IntN(len(list))], r.IntN(pdq.Match+1))
	}
	for i := 0; b.Loop(); i++ {
		if len(x.Within(queries[i%1000], pdq.Match)) == 0 {
			b.Fatal("not found")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
}

func BenchmarkNewIndex(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	list := make([]pdq.Hash, 1_000_000)
	for i := range list {
		list[i] = random(r)
	}
	b.ReportAllocs()
	for b.Loop() {
		pdq.NewIndex(list)
	}
}
