package media

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// verifier passes bytes on and, at their end, fails unless size and SHA-256 are
// what was stated. It never gives more than size bytes.
type verifier struct {
	r    io.Reader
	left int64
	want string
	hash hash.Hash
	bad  error
}

func verify(r io.Reader, size int64, sum string) *verifier {
	return &verifier{r: r, left: size, want: sum, hash: sha256.New()}
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.bad != nil {
		return 0, v.bad
	}
	if v.left == 0 {
		v.bad = v.finish()
		return 0, v.bad
	}
	n, err := v.r.Read(p[:min(int64(len(p)), v.left)])
	v.hash.Write(p[:n])
	v.left -= int64(n)
	switch {
	case err == io.EOF && v.left > 0:
		v.bad = fmt.Errorf("%d bytes missing: %w", v.left, ErrHashMismatch)
	case err == io.EOF || err == nil:
		err = nil
	default:
		v.bad = err
	}
	if v.bad != nil && n == 0 {
		return 0, v.bad
	}
	return n, nil
}

// finish is io.EOF when all is well.
func (v *verifier) finish() error {
	var one [1]byte
	if n, err := io.ReadFull(v.r, one[:]); n != 0 {
		return fmt.Errorf("more bytes than stated: %w", ErrHashMismatch)
	} else if err != io.EOF {
		return err
	}
	if v.want != "" && v.sum() != v.want {
		return ErrHashMismatch
	}
	return io.EOF
}

func (v *verifier) sum() string { return hex.EncodeToString(v.hash.Sum(nil)) }
