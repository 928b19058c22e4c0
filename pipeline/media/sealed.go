package media

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// A sealed object is a header (four letters, 16 random bytes) and segments of 64
// KiB, the last one shorter and never absent, each with a tag of 16 bytes. This is
// the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár (2015) as age
// uses it: a key for this object alone comes from the item's key, the random bytes
// and the object's key by HKDF-SHA-256; a segment's nonce is its number and whether
// it is the last. Segments that are changed, swapped, repeated, dropped, cut or
// moved to another object or item do not open.
const (
	sealMagic   = "NLs1"
	sealSalt    = 16
	sealHeader  = len(sealMagic) + sealSalt
	sealSegment = 64 << 10
	sealTag     = 16
)

// Sealed is a Store that encrypts the objects of one item in another Store.
// Hashes and sizes are those of the plain content.
type Sealed struct {
	store Store
	key   *ItemKey
}

// NewSealed gives the view of a store for the item that the key belongs to.
func NewSealed(store Store, key *ItemKey) *Sealed { return &Sealed{store: store, key: key} }

// SealedSize is how many bytes a plain object of so many bytes takes when sealed.
func SealedSize(plain int64) int64 {
	segments := max(1, (plain+sealSegment-1)/sealSegment)
	return int64(sealHeader) + plain + segments*sealTag
}

// plainSize undoes SealedSize; it gives -1 for a size that no sealed object has.
func plainSize(sealed int64) int64 {
	body := sealed - int64(sealHeader)
	segments := (body + sealSegment + sealTag - 1) / (sealSegment + sealTag)
	plain := body - segments*sealTag
	if plain < 0 || SealedSize(plain) != sealed {
		return -1
	}
	return plain
}

// Put implements Store.
func (s *Sealed) Put(ctx context.Context, key string, r io.Reader, size int64, sum string) error {
	if err := checkSum(sum); err != nil {
		return fmt.Errorf("put sealed object: %w", err)
	}
	salt := randomBytes(sealSalt)
	w := &sealReader{src: verify(r, size, sum), aead: s.cipher(key, salt)}
	w.out = append(append(w.out, sealMagic...), salt...)
	if err := s.store.Put(ctx, key, w, SealedSize(size), ""); err != nil {
		if w.err != nil && w.err != io.EOF {
			err = w.err // why the bytes ended, which the store may have put in words of its own
		}
		return fmt.Errorf("put sealed object: %w", err)
	}
	return nil
}

// Get implements Store. Wrong keys and changed content are ErrTampered.
func (s *Sealed) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return readCloser{&openReader{src: r, cipher: func(salt []byte) cipher.AEAD { return s.cipher(key, salt) }}, r}, nil
}

// Stat implements Store. It gives the plain size and no hash.
func (s *Sealed) Stat(ctx context.Context, key string) (Object, error) {
	o, err := s.store.Stat(ctx, key)
	o.Size, o.SHA256 = plainSize(o.Size), ""
	if err == nil && o.Size < 0 {
		return o, fmt.Errorf("stat sealed object: %w", ErrTampered)
	}
	return o, err
}

// Delete implements Store.
func (s *Sealed) Delete(ctx context.Context, key string) error { return s.store.Delete(ctx, key) }

// PresignPut implements Store: what a client uploads by itself is not sealed.
func (s *Sealed) PresignPut(context.Context, string, string, int64, string, time.Duration) (Upload, bool, error) {
	return Upload{}, false, nil
}

// List implements Store with plain sizes.
func (s *Sealed) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for o, err := range s.store.List(ctx, prefix) {
			o.Size, o.SHA256 = plainSize(o.Size), ""
			if !yield(o, err) {
				return
			}
		}
	}
}

func (s *Sealed) cipher(key string, salt []byte) cipher.AEAD {
	return gcm(derive(s.key.key[:], "object\x00"+s.key.item+"\x00"+key, salt))
}

func derive(key []byte, purpose string, salt []byte) []byte {
	out, err := hkdf.Key(sha256.New, key, salt, "nightlight v1\x00"+purpose, keySize)
	if err != nil {
		panic(err) // only lengths can fail, and they are fixed
	}
	return out
}

func segmentNonce(n uint64, last bool) []byte {
	nonce := make([]byte, 12)
	binary.BigEndian.PutUint64(nonce[3:], n)
	if last {
		nonce[11] = 1
	}
	return nonce
}

// sealReader encrypts what it reads. It looks one byte ahead to know the last
// segment.
type sealReader struct {
	src  io.Reader
	aead cipher.AEAD
	out  []byte // ready to be read
	next []byte // plain bytes read ahead
	n    uint64
	err  error
}

func (s *sealReader) Read(p []byte) (int, error) {
	for len(s.out) == 0 && s.err == nil {
		s.fill()
	}
	if len(s.out) == 0 {
		return 0, s.err
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

func (s *sealReader) fill() {
	buf := make([]byte, sealSegment+1)
	have := copy(buf, s.next)
	n, err := io.ReadFull(s.src, buf[have:])
	have += n
	last := err == io.EOF || err == io.ErrUnexpectedEOF
	if err != nil && !last {
		s.err = err
		return
	}
	if last {
		s.err = io.EOF
	} else {
		have--
		s.next = buf[have : have+1]
	}
	s.out = s.aead.Seal(nil, segmentNonce(s.n, last), buf[:have], nil)
	s.n++
}

// openReader decrypts segment by segment and gives no byte that has not been
// authenticated. The end is only io.EOF after a segment that says it is the last.
type openReader struct {
	src    io.Reader
	cipher func(salt []byte) cipher.AEAD
	aead   cipher.AEAD
	out    []byte
	ahead  []byte
	n      uint64
	err    error
}

func (o *openReader) Read(p []byte) (int, error) {
	for len(o.out) == 0 && o.err == nil {
		o.fill()
	}
	if len(o.out) == 0 {
		return 0, o.err
	}
	n := copy(p, o.out)
	o.out = o.out[n:]
	return n, nil
}

func (o *openReader) fill() {
	if o.aead == nil {
		head := make([]byte, sealHeader)
		if _, err := io.ReadFull(o.src, head); err != nil {
			o.err = openFault(err)
			return
		}
		if !bytes.HasPrefix(head, []byte(sealMagic)) {
			o.err = fmt.Errorf("open sealed object: header: %w", ErrTampered)
			return
		}
		o.aead = o.cipher(head[len(sealMagic):])
	}
	buf := make([]byte, sealSegment+sealTag+1)
	have := copy(buf, o.ahead)
	n, err := io.ReadFull(o.src, buf[have:])
	have += n
	last := err == io.EOF || err == io.ErrUnexpectedEOF
	if err != nil && !last {
		o.err = err
		return
	}
	if !last {
		have--
		o.ahead = []byte{buf[have]}
	}
	plain, err := o.aead.Open(buf[:0], segmentNonce(o.n, last), buf[:have], nil)
	if err != nil || last && len(plain) == 0 && o.n > 0 {
		o.err = fmt.Errorf("open sealed object: segment %d: %w", o.n, ErrTampered)
		return
	}
	if last {
		o.err = io.EOF
	}
	o.out = plain
	o.n++
}

func openFault(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("open sealed object: cut: %w", ErrTampered)
	}
	return err
}
