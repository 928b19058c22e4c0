package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func folder(t *testing.T) (Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "media")
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, dir
}

// stores are all that must pass the conformance test.
var stores = map[string]func(t *testing.T) Store{
	"folder": func(t *testing.T) Store { s, _ := folder(t); return s },
	"S3":     func(t *testing.T) Store { return bucket(t) },
	"sealed folder": func(t *testing.T) Store {
		s, _ := folder(t)
		return sealed(t, s, "item-1")
	},
	"sealed S3": func(t *testing.T) Store { return sealed(t, bucket(t), "item-1") },
}

func sealed(t *testing.T, s Store, item string) Store {
	t.Helper()
	key, _, err := keyring(t).NewItemKey(item)
	if err != nil {
		t.Fatal(err)
	}
	return NewSealed(s, key)
}

func TestEveryStoreKeepsItsPromises(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { conform(t, open(t)) })
	}
}

func conform(t *testing.T, s Store) {
	ctx := t.Context()
	put := func(key string, b []byte) error {
		return s.Put(ctx, key, bytes.NewReader(b), int64(len(b)), sum(b))
	}
	for _, n := range []int{0, 1, 1000, sealSegment - 1, sealSegment, sealSegment + 1, 3*sealSegment + 17, 6 << 20} {
		t.Run(fmt.Sprintf("gives back %d bytes", n), func(t *testing.T) {
			want, key := noise(n), fmt.Sprintf("a/size-%d", n)
			if err := put(key, want); err != nil {
				t.Fatal(err)
			}
			if got, err := ReadAll(ctx, s, key, 8<<20); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if o, err := s.Stat(ctx, key); err != nil || o.Size != int64(n) || o.Key != key || o.Modified.IsZero() {
				t.Errorf("stat gave %+v, %v", o, err)
			}
		})
	}
	t.Run("says when nothing is there", func(t *testing.T) {
		if _, err := s.Get(ctx, "a/none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("get gave %v", err)
		}
		if _, err := s.Stat(ctx, "a/none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("stat gave %v", err)
		}
		if err := s.Delete(ctx, "a/none"); err != nil {
			t.Errorf("delete gave %v", err)
		}
	})
	t.Run("never overwrites", func(t *testing.T) {
		if err := put("a/once", []byte("first")); err != nil {
			t.Fatal(err)
		}
		if err := put("a/once", []byte("second")); !errors.Is(err, ErrExists) {
			t.Errorf("got %v, want %v", err, ErrExists)
		}
		if got, err := ReadAll(ctx, s, "a/once", 100); string(got) != "first" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("lets one of many writers win", func(t *testing.T) {
		var wg sync.WaitGroup
		won := make([]bool, 8)
		for i := range won {
			wg.Go(func() { won[i] = put("a/race", fmt.Appendf(nil, "writer %d", i)) == nil })
		}
		wg.Wait()
		got, err := ReadAll(ctx, s, "a/race", 100)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range won {
			if w != (string(got) == fmt.Sprintf("writer %d", i)) {
				t.Errorf("writer %d was told %v but %q is stored", i, w, got)
			}
		}
	})
	t.Run("refuses what does not match", func(t *testing.T) {
		b := noise(100_000)
		for what, err := range map[string]error{
			"hash": s.Put(ctx, "a/bad", bytes.NewReader(b), int64(len(b)), sum([]byte("other"))),
			"long": s.Put(ctx, "a/bad", bytes.NewReader(b), int64(len(b))-1, ""),
			"cut":  s.Put(ctx, "a/bad", bytes.NewReader(b), int64(len(b))+1, ""),
			"form": s.Put(ctx, "a/bad", bytes.NewReader(b), int64(len(b)), "xyz"),
		} {
			if !errors.Is(err, ErrHashMismatch) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		if _, err := s.Stat(ctx, "a/bad"); !errors.Is(err, ErrNotFound) {
			t.Errorf("something was stored: %v", err)
		}
	})
	t.Run("refuses keys that could lead astray", func(t *testing.T) {
		for _, key := range []string{"", "/a", "a//b", "a/", "../a", "a/../b", "a/.b", ".", "a\\b", "a\x00b", "a b", "ä", "a%2fb", strings.Repeat("a/", 300) + "a"} {
			_, getErr := s.Get(ctx, key)
			_, statErr := s.Stat(ctx, key)
			for what, err := range map[string]error{"put": put(key, nil), "get": getErr, "stat": statErr, "delete": s.Delete(ctx, key)} {
				if !errors.Is(err, ErrBadKey) {
					t.Errorf("%s %.20q: got %v", what, key, err)
				}
			}
		}
	})
	t.Run("lists by prefix in order", func(t *testing.T) {
		for _, key := range []string{"list/b", "list/a/2", "list/a/1", "listen", "list/c"} {
			if err := put(key, []byte(key)); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for o, err := range s.List(ctx, "list/") {
			if err != nil {
				t.Fatal(err)
			}
			if o.Size != int64(len(o.Key)) {
				t.Errorf("size %d of %s", o.Size, o.Key)
			}
			got = append(got, o.Key)
		}
		if want := "list/a/1 list/a/2 list/b list/c"; strings.Join(got, " ") != want {
			t.Errorf("got %v, want %s", got, want)
		}
		for range s.List(ctx, "list/") {
			break // stopping early must not hang or panic
		}
	})
	t.Run("deletes", func(t *testing.T) {
		if err := errors.Join(put("a/gone", []byte("x")), s.Delete(ctx, "a/gone")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(ctx, "a/gone"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("obeys its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Put(ctx, "a/late", strings.NewReader("x"), 1, ""); err == nil {
			t.Error("put after the end")
		}
	})
}

func TestAFolderNoticesWhatWasChangedOnDisk(t *testing.T) {
	s, dir := folder(t)
	b := noise(5000)
	for what, change := range map[string]func([]byte) []byte{
		"bit flipped in the content": func(b []byte) []byte { b[100] ^= 1; return b },
		"bit flipped in the hash":    func(b []byte) []byte { b[20] ^= 1; return b },
		"cut":                        func(b []byte) []byte { return b[:1000] },
		"cut in the header":          func(b []byte) []byte { return b[:10] },
		"longer":                     func(b []byte) []byte { return append(b, 0) },
	} {
		t.Run(what, func(t *testing.T) {
			key := "x/" + strings.ReplaceAll(what, " ", "-")
			if err := s.Put(t.Context(), key, bytes.NewReader(b), int64(len(b)), sum(b)); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, key)
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, change(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadAll(t.Context(), s, key, 1<<20); !errors.Is(err, ErrHashMismatch) {
				t.Errorf("got %v, want %v", err, ErrHashMismatch)
			}
		})
	}
}

func TestAFolderFollowsNoLinkOutOfItself(t *testing.T) {
	s, dir := folder(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, []byte("NLo1"+strings.Repeat("s", 100)), 0o600), os.Symlink(secret, filepath.Join(dir, "link")),
		os.Symlink(filepath.Dir(secret), filepath.Join(dir, "up"))); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"link", "up/secret"} {
		if r, err := s.Get(t.Context(), key); err == nil {
			b, _ := io.ReadAll(r)
			t.Errorf("read %d bytes from outside by %s", len(b), key)
		}
	}
	if err := s.Put(t.Context(), "up/new", strings.NewReader("x"), 1, ""); err == nil {
		t.Error("wrote outside")
	}
}

func TestAFolderLeavesNoPartsBehind(t *testing.T) {
	s, dir := folder(t)
	_ = s.Put(t.Context(), "a/b", strings.NewReader("short"), 100, "")
	left, err := filepath.Glob(filepath.Join(dir, "a", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestAPresignedUploadIsBoundToWhatWasAgreed(t *testing.T) {
	s := bucket(t)
	body := noise(70_000)
	send := func(t *testing.T, up Upload, body []byte, change func(http.Header)) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), up.Method, up.URL, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range up.Headers {
			req.Header.Set(k, v)
		}
		change(req.Header)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	presign := func(t *testing.T, key string, expiry time.Duration) Upload {
		t.Helper()
		up, ok, err := s.PresignPut(t.Context(), key, "image/png", int64(len(body)), sum(body), expiry)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return up
	}
	same := func(http.Header) {}
	t.Run("the agreed body is taken once", func(t *testing.T) {
		up := presign(t, "up/good", time.Minute)
		if got := send(t, up, body, same); got != 200 {
			t.Fatalf("status %d", got)
		}
		if got, err := ReadAll(t.Context(), s, "up/good", 1<<20); err != nil || !bytes.Equal(got, body) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		if o, err := s.Stat(t.Context(), "up/good"); err != nil || o.SHA256 != sum(body) {
			t.Errorf("got %+v, %v", o, err)
		}
		if got := send(t, up, body, same); got != 412 && got != 409 && got != 403 {
			t.Errorf("replayed: status %d", got)
		}
	})
	other := append([]byte(nil), body...)
	other[0] ^= 1
	for what, try := range map[string]func(up Upload, t *testing.T) int{
		"another body":  func(up Upload, t *testing.T) int { return send(t, up, other, same) },
		"a longer body": func(up Upload, t *testing.T) int { return send(t, up, append(body[:len(body):len(body)], 1), same) },
		"another type": func(up Upload, t *testing.T) int {
			return send(t, up, body, func(h http.Header) { h.Set("Content-Type", "text/html") })
		},
		"another hash": func(up Upload, t *testing.T) int {
			return send(t, up, body, func(h http.Header) { h.Set(sumMeta, sum(other)) })
		},
		"a right to replace": func(up Upload, t *testing.T) int {
			return send(t, up, body, func(h http.Header) { h.Del("If-None-Match") })
		},
		"another key": func(up Upload, t *testing.T) int {
			up.URL = strings.Replace(up.URL, "up/", "upp/", 1)
			return send(t, up, body, same)
		},
	} {
		t.Run(what+" is refused", func(t *testing.T) {
			key := "up/" + strings.ReplaceAll(what, " ", "-")
			if got := try(presign(t, key, time.Minute), t); got != 400 && got != 403 {
				t.Errorf("status %d", got)
			}
			if _, err := s.Stat(t.Context(), key); !errors.Is(err, ErrNotFound) {
				t.Errorf("something was stored: %v", err)
			}
		})
	}
	t.Run("after its time it is refused", func(t *testing.T) {
		up := presign(t, "up/late", time.Second)
		time.Sleep(2100 * time.Millisecond)
		if got := send(t, up, body, same); got/100 == 2 {
			t.Errorf("status %d", got)
		}
	})
}
