package bench

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"nightlight/pipeline/media"
)

func served(t *testing.T, h http.HandlerFunc) *target {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	target := newTarget(s.URL, "secret", 8)
	t.Cleanup(target.close)
	return target
}

func TestAnItemThatTakesLongIsAskedFor(t *testing.T) {
	var asked atomic.Int64
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("authorization: got %q", got)
		}
		switch {
		case r.Method == http.MethodPost:
			if got := r.Header.Get("Prefer"); got != "wait=10" {
				t.Errorf("prefer: got %q, want wait=10", got)
			}
			w.Header().Set("Location", "/v1/items/abc")
			w.WriteHeader(http.StatusAccepted)
		case r.URL.Path != "/v1/items/abc":
			t.Errorf("asked for %s", r.URL.Path)
		case asked.Add(1) < 3:
			_, _ = io.WriteString(w, `{"state":"pending"}`)
		default:
			_, _ = io.WriteString(w, `{"state":"closed","verdict":{"action":"allow","models":[{"name":"m","version":"2"}]}}`)
		}
	})
	view, err := target.judge(t.Context(), payload{[]byte("{}"), "application/json"})
	if err != nil {
		t.Fatal(err)
	}
	action, models, err := verdictOf(view)
	if err != nil || action != "allow" || len(models) != 1 || models[0] != "m@2" || asked.Load() != 3 {
		t.Errorf("got %q %v %v after %d looks, want allow [m@2] after 3", action, models, err, asked.Load())
	}
}

func TestEveryItemOfAClosedLoopIsSentOnceAndRefusalsAreCounted(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	refusals := 2
	target := served(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if refusals > 0 {
			refusals--
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		seen[string(body)]++
		_, _ = io.WriteString(w, `{"state":"closed","verdict":{"action":"allow"}}`)
	})
	sum, err := target.through(t.Context(), 4, 100, 40, func(i int) (payload, error) { return messageItem("r", i) })
	if err != nil || sum.Refused != 2 || sum.Items != 40 {
		t.Errorf("got %+v, %v; want 40 items and 2 refusals", sum, err)
	}
	if len(seen) != 40 {
		t.Errorf("got %d different items, want 40", len(seen))
	}
	for body, n := range seen {
		if n != 1 {
			t.Errorf("%s was taken %d times", body, n)
		}
	}
}

func TestAClosedLoopEndsAtTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	var calls atomic.Int64
	err := drive(t.Context(), 2, 0, 1000, func(context.Context, int) error {
		if calls.Add(1) == 3 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || calls.Load() == 1000 {
		t.Errorf("got %v after %d calls, want the error and an early end", err, calls.Load())
	}
	target := served(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if _, err := target.through(t.Context(), 2, 0, 5, func(i int) (payload, error) { return messageItem("r", i) }); err == nil {
		t.Error("a server that fails: got no error")
	}
}

func TestPhotosAreWholePicturesAndNoTwoAreTheSameFile(t *testing.T) {
	plain, err := photo(320, 240, 7)
	if err != nil {
		t.Fatal(err)
	}
	one, two := marked(plain, 1), marked(plain, 2)
	if bytes.Equal(one, two) {
		t.Error("two photos are the same bytes")
	}
	for _, file := range [][]byte{plain, one, two} {
		if kind, err := media.Sniff(file); err != nil || kind != media.JPEG {
			t.Errorf("sniffed: got %v, %v; want JPEG", kind, err)
		}
		m, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil || m.Bounds().Dx() != 320 || m.Bounds().Dy() != 240 {
			t.Fatalf("decode: %v", err)
		}
	}
	again, err := photo(320, 240, 7)
	if err != nil || !bytes.Equal(plain, again) {
		t.Error("the same seed drew another picture")
	}
	// As large as a photo of good quality.
	if bits := float64(8*len(plain)) / (320 * 240); bits < 1 || bits > 4 {
		t.Errorf("got %.1f bits a pixel, want 1 to 4", bits)
	}
}
