package media

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// Store keeps media objects under keys. Objects are created once and never
// changed. Folder and S3 are Stores; Sealed wraps either with encryption.
type Store interface {
	// Put stores size bytes from r, durable when it returns. The SHA-256 (lower-case
	// hexadecimal) must match, or nothing is stored and the error is
	// ErrHashMismatch; it may be empty for content that proves itself. A key that is
	// taken is ErrExists.
	Put(ctx context.Context, key string, r io.Reader, size int64, sha256 string) error
	// Get opens an object, or gives ErrNotFound. The reader fails with
	// ErrHashMismatch instead of io.EOF when the content is not what was stored:
	// read to the end before trusting a byte.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// Stat tells what is stored, or ErrNotFound.
	Stat(ctx context.Context, key string) (Object, error)
	// Delete removes an object. One that is not there is no error.
	Delete(ctx context.Context, key string) error
	// PresignPut lets a client upload straight to the store, bound to type, size and
	// hash, until expiry. ok is false when the store cannot (Folder, Sealed): then
	// the upload goes through Put.
	PresignPut(ctx context.Context, key, contentType string, size int64, sha256 string, expiry time.Duration) (up Upload, ok bool, err error)
	// List gives the objects whose keys begin with prefix, in the order of keys. An
	// error ends it.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
}

// Object is what a Store knows of one object.
type Object struct {
	Key      string
	Size     int64     // bytes
	SHA256   string    // lower-case hexadecimal; empty when it was stored without one, and in S3 listings
	Modified time.Time // by the store's clock
}

// Upload is a permission to put one object. The client must send every header
// as it stands.
type Upload struct {
	URL     string
	Method  string
	Headers map[string]string
	Expires time.Time
}

// MaxKey is the longest key, bytes.
const MaxKey = 512

// checkKey allows letters, digits and ". _ -" in parts between single slashes;
// no part begins with a dot, so no key leaves its folder or hides.
func checkKey(key string) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("key of %d bytes: %w", len(key), ErrBadKey)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part[0] == '.' || len(part) > 200 {
			return ErrBadKey
		}
		for _, c := range []byte(part) {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
				return ErrBadKey
			}
		}
	}
	return nil
}

func checkSum(sum string) error {
	if sum == "" {
		return nil
	}
	if len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		return fmt.Errorf("stated SHA-256 is not 64 lower-case hexadecimal digits: %w", ErrHashMismatch)
	}
	return nil
}

// ReadAll reads an object of at most limit bytes whole and so verifies it; a
// larger one is ErrTooLarge.
func ReadAll(ctx context.Context, s Store, key string, limit int64) ([]byte, error) {
	r, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if cerr := r.Close(); err == nil && cerr != nil {
		err = cerr
	}
	if err == nil && int64(len(b)) > limit {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	return b, nil
}
