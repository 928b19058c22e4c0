package known

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/pdq"
	"nightlight/queue/store"
	"nightlight/workers/examine"
)

// Record is where banks are kept.
type Record interface {
	// BankVersion grows with every change of a bank.
	BankVersion(ctx context.Context) (int64, error)
	Banks(ctx context.Context) ([]store.Bank, error)
	BankHashes(ctx context.Context, each func(bank string, h store.BankHash)) error
}

// fresh is for how long the banks' version is taken to be the last one seen. So
// long may a new hash take to be looked for.
const fresh = time.Second

// Banks holds every bank in memory, about 100 bytes a hash, and loads them anew
// when their version in the record has changed. It is safe for concurrent use.
type Banks struct {
	record Record
	now    func() time.Time
	shelf  atomic.Pointer[shelf]
	// loading keeps all but one from loading; the others wait for it.
	loading sync.Mutex
}

// NewBanks returns Banks that load on first use.
func NewBanks(r Record) *Banks { return &Banks{record: r, now: time.Now} }

// shelf is the banks at one version.
type shelf struct {
	version int64
	asked   atomic.Int64 // when the version was last read, in Unix nanoseconds
	banks   []store.Bank
	index   *pdq.Index
	of      []int // index of the bank of each hash
	files   map[[32]byte][]int
}

// Ref names the banks with the version that was last loaded.
func (b *Banks) Ref() pipeline.ModelRef {
	r := pipeline.ModelRef{Name: "banks", Version: "0"}
	if s := b.shelf.Load(); s != nil {
		r.Version = strconv.FormatInt(s.version, 10)
	}
	return r
}

// File returns the banks that hold the file with this SHA-256, in hexadecimal.
func (b *Banks) File(ctx context.Context, sha256 string) ([]pipeline.BankMatch, error) {
	s, err := b.current(ctx)
	if err != nil {
		return nil, err
	}
	var sum [32]byte
	if raw, err := hex.DecodeString(sha256); err != nil || copy(sum[:], raw) != len(sum) {
		return nil, errors.New("look up a file: want a SHA-256")
	}
	var list []pipeline.BankMatch
	for _, i := range s.files[sum] {
		list = append(list, pipeline.BankMatch{Name: s.banks[i].Name, Kind: string(store.SHA256Bank)})
	}
	return list, nil
}

// Picture returns the banks that hold the picture, as it is, turned or mirrored,
// each with its nearest hash.
func (b *Banks) Picture(ctx context.Context, p pdq.Print) ([]pipeline.BankMatch, error) {
	s, err := b.current(ctx)
	if err != nil {
		return nil, err
	}
	nearest := make([]int, len(s.banks))
	for i := range nearest {
		nearest[i] = pdq.Match + 1
	}
	for _, h := range p.Hashes() {
		for _, hit := range s.index.Within(h, pdq.Match) {
			if i := s.of[hit.Place]; hit.Distance <= s.banks[i].Threshold {
				nearest[i] = min(nearest[i], hit.Distance)
			}
		}
	}
	var list []pipeline.BankMatch
	for i, d := range nearest {
		if d <= pdq.Match {
			list = append(list, pipeline.BankMatch{Name: s.banks[i].Name, Kind: string(store.PDQBank), Distance: d, Threshold: s.banks[i].Threshold})
		}
	}
	return list, nil
}

// current returns the banks as they are now. When the record does not answer,
// nobody knows whether they still are, and judging must wait.
func (b *Banks) current(ctx context.Context) (*shelf, error) {
	if s := b.shelf.Load(); s != nil && s.recent(b.now()) {
		return s, nil
	}
	b.loading.Lock()
	defer b.loading.Unlock()
	s := b.shelf.Load()
	if s != nil && s.recent(b.now()) {
		return s, nil
	}
	at := b.now()
	version, err := b.record.BankVersion(ctx)
	if err != nil {
		return nil, again(ctx)
	}
	if s == nil || s.version != version {
		if s, err = b.load(ctx, version); err != nil {
			return nil, again(ctx)
		}
		b.shelf.Store(s)
	}
	s.asked.Store(at.UnixNano())
	return s, nil
}

func (s *shelf) recent(now time.Time) bool { return now.UnixNano()-s.asked.Load() < int64(fresh) }

func again(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("read the banks: %w", examine.ErrAgain)
}

// load reads the banks after their version, so that a change meanwhile is
// loaded next time.
func (b *Banks) load(ctx context.Context, version int64) (*shelf, error) {
	list, err := b.record.Banks(ctx)
	if err != nil {
		return nil, err
	}
	s := &shelf{version: version, banks: list, files: map[[32]byte][]int{}}
	place := map[string]int{}
	for i, k := range list {
		place[k.Name] = i
	}
	var hashes []pdq.Hash
	err = b.record.BankHashes(ctx, func(bank string, h store.BankHash) {
		i, ok := place[bank]
		if !ok {
			return // made since: the version has changed again
		}
		if list[i].Kind == store.SHA256Bank {
			s.files[h.Hash] = append(s.files[h.Hash], i)
			return
		}
		hashes = append(hashes, h.Hash)
		s.of = append(s.of, i)
	})
	s.index = pdq.NewIndex(hashes)
	return s, err
}
