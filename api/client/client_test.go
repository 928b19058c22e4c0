package client

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nightlight/api"
	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

// real is a client of a real API over SQLite and a folder.
func real(t *testing.T) (*Client, *store.Store, string) {
	t.Helper()
	ring, err := media.NewKeyring("test", map[string][]byte{"test": bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	folder, err := media.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	s := storetest.OpenSQLite(t, store.Options{Keyring: media.NewVault(ring)})
	a, err := api.New(api.Settings{Store: s, Media: folder, Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	tenant, err := s.CreateTenant(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := s.CreateKey(t.Context(), store.APIKey{Tenant: tenant.ID, Name: "test", Scopes: []store.Scope{store.ScopeAdmin}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return New(server.URL, secret), s, tenant.ID
}

func TestTheClientTravelsTheWholeWay(t *testing.T) {
	c, s, _ := real(t)
	ctx := t.Context()
	age := 9
	if err := c.PutAccount(ctx, "a1", Account{Age: &age, Guardians: []Guardian{{ID: "g1", Relation: "mother", Channels: []Channel{{Kind: "log"}}}}}); err != nil {
		t.Fatal(err)
	}
	item := Item{ExternalID: "m-1", Kind: pipeline.KindMessage, Text: "hello", Sender: pipeline.Person{ID: "a1", Age: &age}, SentAt: time.Now()}
	first, err := c.Submit(ctx, item, 0)
	if err != nil || first.State != Pending || first.Action() != pipeline.Hold {
		t.Fatalf("got %+v, %v", first, err)
	}
	if again, err := c.Submit(ctx, item, 0); err != nil || again.ID != first.ID {
		t.Errorf("got %+v, %v for the repeat, want id %s", again, err, first.ID)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SubmitMedia(ctx, Item{Kind: pipeline.KindPhoto, Sender: item.Sender}, &picture, 0); err != nil {
		t.Fatal(err)
	}
	lease, err := s.Claim(ctx, first.ID, store.StageJudge, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, lease, store.Outcome{Verdict: pipeline.Verdict{Action: pipeline.Block, PolicyVersion: "1", DecidedAt: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Wait(ctx, first.ID); err != nil || got.Action() != pipeline.Block || got.State != Closed {
		t.Errorf("got %+v, %v", got, err)
	}
	if id, err := c.Appeal(ctx, first.ID, "a1", ""); err != nil || id == "" {
		t.Errorf("got case %q, %v", id, err)
	}
	if id, err := c.Report(ctx, first.ID, "b2", pipeline.BullyingInsult, "not nice"); err != nil || id == "" {
		t.Errorf("got case %q, %v", id, err)
	}
	if r, err := c.EraseAccount(ctx, "a1"); err != nil || r.Erased != 2 {
		t.Errorf("got %+v, %v, want 2 items erased", r, err)
	}
	if _, err := c.Get(ctx, "item_0"); !IsNotFound(err) {
		t.Errorf("got %v, want not found", err)
	}
	var e *Error
	if _, err := c.Submit(ctx, Item{Kind: "letter"}, 0); !errors.As(err, &e) || e.Status != 422 || len(e.Fields) == 0 || strings.Contains(e.Error(), "letter") {
		t.Errorf("got %v, want the fields that are wrong", err)
	}
}

func TestAnAppealThatSucceedsIsWhatTheClientActsOn(t *testing.T) {
	c, s, tenant := real(t)
	ctx := t.Context()
	sent, err := c.Submit(ctx, Item{Kind: pipeline.KindMessage, Text: "hello", Sender: pipeline.Person{ID: "a1"}, SentAt: time.Now()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := s.Claim(ctx, sent.ID, store.StageJudge, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, lease, store.Outcome{Verdict: pipeline.Verdict{Action: pipeline.Block, PolicyVersion: "1", DecidedAt: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	caseID, err := c.Appeal(ctx, sent.ID, "a1", "it was a joke")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(ctx, sent.ID); err != nil || got.Action() != pipeline.Block || got.Decision != nil {
		t.Errorf("got %+v, %v while nobody has looked, want it blocked", got, err)
	}
	u, err := s.CreateUser(ctx, store.User{Tenant: tenant, Name: "rita", Role: review.RoleReviewer, PasswordHash: "x"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	_, held, err := s.ClaimCase(ctx, u.Reviewer(), caseID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Decide(ctx, u.Reviewer(), review.Decision{CaseID: caseID, Token: held.Token, Action: pipeline.Allow, Reason: "agree"}); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(ctx, sent.ID)
	if err != nil || got.Action() != pipeline.Allow || got.Decision == nil || time.Since(got.Decision.DecidedAt) > time.Minute {
		t.Errorf("got %+v, %v, want what the reviewer decided", got, err)
	}
}

func TestWhatMayWorkLaterIsTriedAgainUnderOneKey(t *testing.T) {
	for _, test := range []struct {
		status, tries int
	}{{503, 3}, {429, 3}, {500, 3}, {422, 1}, {401, 1}, {404, 1}} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			var n atomic.Int32
			keys := make(chan string, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				keys <- r.Header.Get("Idempotency-Key")
				w.WriteHeader(test.status)
			}))
			defer server.Close()
			c := &Client{URL: server.URL, Tries: 3, Pause: time.Millisecond}
			_, err := c.Submit(t.Context(), Item{Kind: pipeline.KindMessage}, 0)
			var e *Error
			if !errors.As(err, &e) || e.Status != test.status || int(n.Load()) != test.tries {
				t.Errorf("got %v after %d tries, want %d", err, n.Load(), test.tries)
			}
			close(keys)
			first := <-keys
			for k := range keys {
				if k != first || k == "" {
					t.Errorf("got key %q, want %q each time", k, first)
				}
			}
		})
	}
}

func TestABrokenConnectionIsTriedAgain(t *testing.T) {
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(`{"id":"item_1","state":"pending"}`))
	}))
	defer server.Close()
	c := &Client{URL: server.URL, Pause: time.Millisecond}
	if s, err := c.Submit(t.Context(), Item{}, 0); err != nil || s.ID != "item_1" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"id":"item_1","state":"pending"}`))
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := New(server.URL, "k").Wait(ctx, "item_1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestOnlySignedAndFreshWebhooksAreBelieved(t *testing.T) {
	key := []byte("32 bytes that nobody else knows!")
	secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	other := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	now := time.Unix(1_790_000_000, 0)
	body := `{"type":"item.judged","timestamp":"2026-05-04T16:20:00Z","data":{"id":"item_1"}}`
	sign := func(id string, at time.Time, body string) string {
		h := hmac.New(sha256.New, key)
		fmt.Fprintf(h, "%s.%d.%s", id, at.Unix(), body)
		return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	header := func(id string, at time.Time, signature string) http.Header {
		h := http.Header{}
		h.Set("webhook-id", id)
		h.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
		h.Set("webhook-signature", signature)
		return h
	}
	for _, test := range []struct {
		name    string
		header  http.Header
		body    string
		secrets []string
		ok      bool
	}{
		{"a good one", header("d1", now, sign("d1", now, body)), body, []string{secret}, true},
		{"one beside another signature", header("d1", now, "v1,AAAA v2,x "+sign("d1", now, body)), body, []string{secret}, true},
		{"one of two secrets", header("d1", now, sign("d1", now, body)), body, []string{other, secret}, true},
		{"another body", header("d1", now, sign("d1", now, body)), body + " ", []string{secret}, false},
		{"another id", header("d2", now, sign("d1", now, body)), body, []string{secret}, false},
		{"another secret", header("d1", now, sign("d1", now, body)), body, []string{other}, false},
		{"no secret", header("d1", now, sign("d1", now, body)), body, nil, false},
		{"an old one", header("d1", now.Add(-6*time.Minute), sign("d1", now.Add(-6*time.Minute), body)), body, []string{secret}, false},
		{"one from the future", header("d1", now.Add(6*time.Minute), sign("d1", now.Add(6*time.Minute), body)), body, []string{secret}, false},
		{"no headers", http.Header{}, body, []string{secret}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := verifyAt(now, test.header, []byte(test.body), test.secrets...)
			if (err == nil) != test.ok {
				t.Errorf("got %v, want good: %v", err, test.ok)
			}
			if test.ok && (e.ID != "d1" || e.Type != "item.judged") {
				t.Errorf("got %+v", e)
			}
		})
	}
}
