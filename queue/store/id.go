package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// ids are base32 in an alphabet whose order is that of the bytes.
var ids = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID returns an opaque id: 56 bits of time in microseconds, so that ids of
// one process sort by birth, and 72 random bits, so that nobody guesses one.
func (s *Store) newID(prefix string, at int64) string {
	for {
		last := s.lastID.Load()
		if next := max(at, last+1); s.lastID.CompareAndSwap(last, next) {
			at = next
			break
		}
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at)<<8)
	rand.Read(b[7:])
	return prefix + "_" + ids.EncodeToString(b[:])
}

// secret returns n random bytes for tokens, in URL-safe text.
func secret(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func hexHash(s string) string { return hex.EncodeToString(hashOf(s)) }

// cursorOf hides an id in an opaque cursor.
func cursorOf(id string) string { return base64.RawURLEncoding.EncodeToString([]byte("1" + id)) }

// idOf opens a cursor; ok is false for one that we did not make.
func idOf(cursor, prefix string) (id string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) == 0 || b[0] != '1' {
		return "", false
	}
	id = string(b[1:])
	raw, found := strings.CutPrefix(id, prefix+"_")
	if !found || len(raw) != 26 {
		return "", false
	}
	if _, err := ids.DecodeString(raw); err != nil {
		return "", false
	}
	return id, true
}

// page bounds the length of a list.
func page(limit int) int {
	if limit <= 0 {
		return 100
	}
	return min(limit, 1000)
}
