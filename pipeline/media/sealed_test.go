package media

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func keyring(t testing.TB) *Keyring {
	t.Helper()
	k, err := NewKeyring("new", map[string][]byte{"new": bytes.Repeat([]byte{1}, 32), "old": bytes.Repeat([]byte{2}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func itemKey(t testing.TB, item string) *ItemKey {
	t.Helper()
	key, _, err := keyring(t).NewItemKey(item)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rawSealed gives the bytes of a sealed object of four segments, and a function
// that reads changed bytes back.
func rawSealed(t *testing.T) (raw []byte, reread func([]byte) ([]byte, error)) {
	t.Helper()
	under, _ := folder(t)
	key := itemKey(t, "item-1")
	plain := noise(3*sealSegment + 100)
	if err := NewSealed(under, key).Put(t.Context(), "photo", bytes.NewReader(plain), int64(len(plain)), sum(plain)); err != nil {
		t.Fatal(err)
	}
	raw, err := ReadAll(t.Context(), under, "photo", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return raw, func(b []byte) ([]byte, error) {
		fresh, _ := folder(t)
		if err := fresh.Put(t.Context(), "photo", bytes.NewReader(b), int64(len(b)), sum(b)); err != nil {
			t.Fatal(err)
		}
		return ReadAll(t.Context(), NewSealed(fresh, key), "photo", 1<<20)
	}
}

func TestASealedObjectOpensOnlyWhole(t *testing.T) {
	raw, reread := rawSealed(t)
	if got, err := reread(raw); err != nil || len(got) != 3*sealSegment+100 {
		t.Fatalf("unchanged: %d bytes, %v", len(got), err)
	}
	const step = sealSegment + sealTag
	segment := func(i int) []byte { return raw[sealHeader+i*step : min(sealHeader+(i+1)*step, len(raw))] }
	join := func(parts ...[]byte) []byte { return bytes.Join(append([][]byte{raw[:sealHeader]}, parts...), nil) }
	flip := func(at int) []byte { b := bytes.Clone(raw); b[at] ^= 0x80; return b }
	for what, b := range map[string][]byte{
		"two segments swapped":      join(segment(1), segment(0), segment(2), segment(3)),
		"a segment dropped":         join(segment(0), segment(2), segment(3)),
		"a segment repeated":        join(segment(0), segment(0), segment(1), segment(2), segment(3)),
		"the last segment dropped":  join(segment(0), segment(1), segment(2)),
		"all but the first dropped": join(segment(0)),
		"every segment dropped":     join(),
		"cut inside a segment":      raw[:len(raw)-1],
		"cut in the header":         raw[:10],
		"empty":                     {},
		"lengthened":                append(bytes.Clone(raw), 0),
		"lengthened by a segment":   join(segment(0), segment(1), segment(2), segment(3), segment(3)),
		"letters flipped":           flip(0),
		"salt flipped":              flip(7),
		"first byte flipped":        flip(sealHeader),
		"tag flipped":               flip(sealHeader + step - 1),
		"last byte flipped":         flip(len(raw) - 1),
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := reread(b); !errors.Is(err, ErrTampered) {
				t.Errorf("got %v, want %v", err, ErrTampered)
			}
		})
	}
}

func TestASealedObjectIsBoundToItsItemAndKey(t *testing.T) {
	under, dir := folder(t)
	ring := keyring(t)
	mine, wrapped, err := ring.NewItemKey("item-1")
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("a secret of made-up content, long enough to be found on disk")
	if err := NewSealed(under, mine).Put(t.Context(), "a", bytes.NewReader(plain), int64(len(plain)), sum(plain)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "a"))
	if err != nil || bytes.Contains(raw, plain[:16]) {
		t.Errorf("plain content on disk, %v", err)
	}
	again, err := ring.Unwrap(wrapped, "item-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReadAll(t.Context(), NewSealed(under, again), "a", 1000); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("with the unwrapped key: %q, %v", got, err)
	}
	if _, err := ReadAll(t.Context(), NewSealed(under, itemKey(t, "item-1")), "a", 1000); !errors.Is(err, ErrTampered) {
		t.Errorf("with another key: %v", err)
	}
	body, err := ReadAll(t.Context(), under, "a", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := under.Put(t.Context(), "b", bytes.NewReader(body), int64(len(body)), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAll(t.Context(), NewSealed(under, mine), "b", 1000); !errors.Is(err, ErrTampered) {
		t.Errorf("moved to another name: %v", err)
	}
}

func TestAWrappedKeyOpensOnlyForItsItemAndRing(t *testing.T) {
	ring := keyring(t)
	_, wrapped, err := ring.NewItemKey("item-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Unwrap(wrapped, "item-2"); !errors.Is(err, ErrTampered) {
		t.Errorf("another item: %v", err)
	}
	for _, bad := range []string{"", "v1", "v1:new:", "v1:new:!!", "v2" + wrapped[2:], wrapped[:len(wrapped)-2], strings.Replace(wrapped, "new", "old", 1)} {
		if _, err := ring.Unwrap(bad, "item-1"); !errors.Is(err, ErrTampered) {
			t.Errorf("%.12q: %v", bad, err)
		}
	}
	other, err := NewKeyring("other", map[string][]byte{"other": bytes.Repeat([]byte{3}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Unwrap(wrapped, "item-1"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("another ring: %v", err)
	}
}

func TestRotationKeepsWhatWasSealed(t *testing.T) {
	old, err := NewKeyring("old", map[string][]byte{"old": bytes.Repeat([]byte{2}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	key, wrapped, err := old.NewItemKey("item-1")
	if err != nil {
		t.Fatal(err)
	}
	value := key.Seal("text", []byte("hello"))
	moved, err := keyring(t).Rewrap(wrapped, "item-1")
	if err != nil || !strings.HasPrefix(moved, "v1:new:") {
		t.Fatalf("got %.10q, %v", moved, err)
	}
	again, err := keyring(t).Unwrap(moved, "item-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open("text", value); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestASealedValueOpensOnlyInItsPlace(t *testing.T) {
	key := itemKey(t, "item-1")
	sealed := key.Seal("text", []byte("hello"))
	if got, err := key.Open("text", sealed); err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := key.Open("note", sealed); !errors.Is(err, ErrTampered) {
		t.Errorf("another field: %v", err)
	}
	for i := range sealed {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		if _, err := key.Open("text", b); !errors.Is(err, ErrTampered) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if _, err := key.Open("text", sealed[:i]); !errors.Is(err, ErrTampered) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

func TestAKeyFileIsMadeOnceAndKeptPrivate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "keys.json")
	first, err := OpenKeyFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, wrapped, err := first.NewItemKey("item-1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenKeyFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Unwrap(wrapped, "item-1"); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyFile(name); err == nil {
		t.Error("a key file that all may read was taken")
	}
}

func TestSealedSizesAreKnownBeforehand(t *testing.T) {
	for _, n := range []int64{0, 1, sealSegment - 1, sealSegment, sealSegment + 1, 10 * sealSegment} {
		r := &sealReader{src: bytes.NewReader(make([]byte, n)), aead: gcm(make([]byte, 32))}
		got, err := io.Copy(io.Discard, r)
		if err != nil || got+int64(sealHeader) != SealedSize(n) || plainSize(SealedSize(n)) != n {
			t.Errorf("%d bytes sealed to %d, said %d, back %d, %v", n, got, SealedSize(n), plainSize(SealedSize(n)), err)
		}
	}
}
