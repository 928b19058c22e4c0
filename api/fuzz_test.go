package api

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// clock is a fixed now for what needs none of its own.
var clock = time.Date(2026, 5, 4, 16, 20, 0, 0, time.UTC)

// FuzzItem holds the scanner against encoding/json: what we accept it accepts
// too, with the same text, and nothing of the body is ever quoted.
func FuzzItem(f *testing.F) {
	for _, s := range []string{message, photoItem, `{"kind":"message","text":"\ud83d\ude00","sender":{"id":"a"}}`, `{"a":[1.5e3,{"b":null}]}`, "{", `{"text":"` + canary + `"`, `{"\u0074ext":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, errs := readItem(body, clock, false)
		for _, e := range errs {
			if e.Field == "" || e.Reason == "" || len(e.Field) > 200 || !utf8.ValidString(e.Field) {
				t.Fatalf("got error %+v", e)
			}
			if strings.Contains(e.Field+e.Reason, canary) {
				t.Fatalf("the body is quoted: %+v", e)
			}
		}
		if len(errs) > maxErrors {
			t.Fatalf("got %d errors", len(errs))
		}
		if len(errs) > 0 {
			return
		}
		var std struct {
			Text   string
			Sender struct{ ID string }
		}
		if err := json.Unmarshal(body, &std); err != nil {
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if std.Text != b.Text || std.Sender.ID != b.Sender.ID || !utf8.ValidString(b.Text) {
			t.Fatalf("got text %q of %q, want %q of %q", b.Text, b.Sender.ID, std.Text, std.Sender.ID)
		}
		again, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		c, errs := readItem(again, clock, false)
		if len(errs) > 0 || c.hash("") != b.hash("") {
			t.Fatalf("%s came back as another item: %v", again, errs)
		}
	})
}

// FuzzSyntax holds skip against encoding/json on any document.
func FuzzSyntax(f *testing.F) {
	for _, s := range []string{"0", "-0.5e+7", "01", "[1,]", `{"a":1,"a":2}`, `"\u12"`, "\"\xff\"", `{"a":{"b":[true,false,null]}}`, "nul", "[[[[[["} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		errs := document(body, func(s *scan) { s.skip() })
		if len(errs) == 0 && !json.Valid(body) {
			t.Fatal("accepted what is not JSON")
		}
		stricter := !utf8.Valid(body) || strings.Contains(strings.ToLower(string(body)), `\ud`) || strings.Count(string(body), "[")+strings.Count(string(body), "{") > maxDepth
		if len(errs) > 0 && json.Valid(body) && !stricter {
			t.Fatalf("refused JSON: %v", errs)
		}
	})
}

func FuzzPrefer(f *testing.F) {
	for _, s := range []string{"wait=5", "respond-async, wait=\"3\"; foo", "WAIT = 999999999999999999999", "wait=-1", "wait=1.5", ",,=,", "wait"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := preferWait([]string{header}); got < 0 || got > maxWait || got%time.Second != 0 {
			t.Fatalf("got %v", got)
		}
	})
}

func FuzzLocale(f *testing.F) {
	for _, s := range []string{"zh", "zh-CN", "zh-Hant-TW", "en-x-a", "x-y", "de-1996", "a", "zh-", "sl-rozaj-biske", "en-a-bb-x-c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		if wellFormedTag(tag) && (!utf8.ValidString(tag) || len(tag) > 64 || len(tag) < 2 || strings.ContainsAny(tag, " _\x00<\"")) {
			t.Fatalf("%q passes", tag)
		}
	})
}

// FuzzRequest sends any path, query and header: no panic, no 500, and what is
// refused is a problem that quotes nothing.
func FuzzRequest(f *testing.F) {
	d := open(f)
	for _, s := range [][4]string{
		{"GET", "/v1/items", "cursor=AAAA&limit=3", ""}, {"GET", "/v1/items/%2e%2e", "", ""}, {"PUT", "/v1/uploads/x/content", "", "a.1.b"},
		{"GET", "/v1/webhooks/x/deliveries", "state=dead&cursor=%ff", ""}, {"DELETE", "/v1/accounts/a", "", ""}, {"HEAD", "//", "%", ""},
		{"GET", "/v1/items", "sender=" + canary, "bytes=0-1,2-"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, method, path, query, header string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Method = method
		u, err := url.Parse(path)
		if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return
		}
		u.RawQuery = query
		r.URL = u
		r.Header.Set("Authorization", "Bearer "+d.key)
		for _, name := range []string{"Range", "If-Range", "Prefer", "Idempotency-Key", "Content-Type", uploadToken} {
			r.Header.Set(name, header)
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code == 500 || w.Code == 206 {
			t.Fatalf("got %d: %s", w.Code, w.Body)
		}
		if w.Code >= 400 && w.Code != 503 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("got %d as %q", w.Code, w.Header().Get("Content-Type"))
		}
		if strings.Contains(w.Body.String(), canary) {
			t.Fatalf("quoted: %s", w.Body)
		}
	})
}
