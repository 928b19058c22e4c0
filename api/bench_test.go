package api

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"nightlight/queue/store"
)

// BenchmarkReadItem is the strict scanner and the body's hash alone.
func BenchmarkReadItem(b *testing.B) {
	body := []byte(message)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		it, errs := readItem(body, clock, false)
		if len(errs) > 0 {
			b.Fatal(errs)
		}
		_ = it.hash("")
	}
}

// BenchmarkReadLongText is the largest text that is taken.
func BenchmarkReadLongText(b *testing.B) {
	body := []byte(instead("text", `"`+strings.Repeat("字", maxText)+`"`))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, errs := readItem(body, clock, false); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

// BenchmarkPostItem is all of POST /v1/items but the store: key, rate, body,
// scanner, hash, answer, metrics, log line.
func BenchmarkPostItem(b *testing.B) {
	d := open(b, func(s *Settings) { s.Limits.RatePerSecond, s.Limits.Burst = 1e9, 1e9 })
	for i := range d.routes {
		if d.routes[i].method == "POST" && d.routes[i].pattern == "/v1/items" {
			d.routes[i].serve = d.postWithoutStore
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/v1/items", strings.NewReader(message))
		r.Header.Set("Authorization", "Bearer "+d.key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != 202 {
			b.Fatal(w.Code, w.Body)
		}
		d.log.mu.Lock()
		d.log.buf.Reset()
		d.log.mu.Unlock()
	}
}

func (d *desk) postWithoutStore(c *call) error {
	raw, free, err := d.body(c)
	if err != nil {
		return err
	}
	defer free()
	body, errs := readItem(raw, d.Now(), false)
	if len(errs) > 0 {
		return invalid(errs...)
	}
	if _, err := d.newItem(c, body, ""); err != nil {
		return err
	}
	return d.answer(c, store.Accepted{ID: "item_0sgf662pg8dbmkhc12f2r9yz94"})
}

// BenchmarkAccept is the same with SQLite, one client after the other, for
// comparison: what the store adds.
func BenchmarkAccept(b *testing.B) {
	d := open(b, func(s *Settings) {
		s.Limits.RatePerSecond, s.Limits.Burst = 1e9, 1e9
	})
	d.log.buf.Reset()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/v1/items", strings.NewReader(nameless(message)))
		r = r.WithContext(context.Background())
		r.Header.Set("Authorization", "Bearer "+d.key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != 202 {
			b.Fatal(w.Code)
		}
		_, _ = io.Copy(io.Discard, w.Body)
	}
}
