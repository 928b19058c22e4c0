package pdq

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/bits"
)

// Size is the length of a Hash in bytes.
const Size = 32

// Hash is the 256 bits in the order in which the reference prints them.
type Hash [Size]byte

// Match is the distance up to which the authors of PDQ call two pictures the
// same, and the largest that an Index can be asked for.
const Match = 31

// Good is the quality from which the authors recommend to trust a hash: below
// it a picture has too few edges to tell it from others.
const Good = 50

// ErrHash says that a text is no hash.
var ErrHash = errors.New("want 64 hexadecimal digits")

// Parse reads the form that String writes; capitals are allowed.
func Parse(s string) (h Hash, err error) {
	if len(s) != hex.EncodedLen(Size) {
		return Hash{}, ErrHash
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, ErrHash
	}
	return h, nil
}

// String writes 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash as String does.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what Parse reads.
func (h *Hash) UnmarshalText(b []byte) (err error) {
	*h, err = Parse(string(b))
	return err
}

// Distance is the number of bits in which two hashes differ, 0 to 256.
func (h Hash) Distance(o Hash) int {
	n := 0
	for i := 0; i < Size; i += 8 {
		n += bits.OnesCount64(binary.BigEndian.Uint64(h[i:]) ^ binary.BigEndian.Uint64(o[i:]))
	}
	return n
}

// set sets bit k of the reference's numbering, which prints bit 255 first.
func (h *Hash) set(k int) { h[Size-1-k/8] |= 1 << (k % 8) }
