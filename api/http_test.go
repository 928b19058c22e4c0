package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nightlight/queue/store"
)

func TestEveryRefusalIsAProblem(t *testing.T) {
	d := open(t)
	reader := d.newKey(store.APIKey{Tenant: d.tenant, Name: "reader", Scopes: []store.Scope{store.ScopeRead}})
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
	}{
		{"an unknown path", "GET", "/v1/" + canary, "", nil, 404},
		{"a trailing slash", "GET", "/v1/items/", "", nil, 404},
		{"a doubled slash", "GET", "//v1/items", "", nil, 404},
		{"a climbing path", "GET", "/v1/../healthz", "", nil, 404},
		{"an unknown item", "GET", "/v1/items/" + canary, "", nil, 404},
		{"an id with a NUL", "GET", "/v1/items/%00", "", nil, 404},
		{"a wrong method", "PATCH", "/v1/items", "", nil, 405},
		{"a wrong method on an id", "POST", "/v1/items/x", "", nil, 405},
		{"no key", "GET", "/v1/items", "", []string{"Authorization", ""}, 401},
		{"another scheme", "GET", "/v1/items", "", []string{"Authorization", "Basic abc"}, 401},
		{"a wrong key", "GET", "/v1/items", "", []string{"Authorization", "Bearer " + canary}, 401},
		{"an endless key", "GET", "/v1/items", "", []string{"Authorization", "Bearer " + strings.Repeat("a", 300)}, 401},
		{"a missing scope", "POST", "/v1/items", message, []string{"Authorization", "Bearer " + reader}, 403},
		{"a form", "POST", "/v1/items", message, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"no content type", "POST", "/v1/items", message, []string{"Content-Type", ""}, 415},
		{"another charset", "POST", "/v1/items", message, []string{"Content-Type", "application/json; charset=gbk"}, 415},
		{"a content encoding", "POST", "/v1/items", message, []string{"Content-Encoding", "gzip"}, 415},
		{"another multipart", "POST", "/v1/items", message, []string{"Content-Type", "multipart/mixed; boundary=x"}, 415},
		{"JSON as a batch", "POST", "/v1/items/batch", message, nil, 415},
		{"a huge body", "POST", "/v1/items", `{"text":"` + strings.Repeat(canary, 80_000) + `"}`, nil, 413},
		{"a bad idempotency key", "POST", "/v1/items", message, []string{"Idempotency-Key", "with space"}, 422},
		{"a long idempotency key", "POST", "/v1/items", message, []string{"Idempotency-Key", strings.Repeat("k", 129)}, 422},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := d.in(t)
			res := d.ask(test.method, test.path, test.body, test.headers...)
			if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("got content type %q", got)
			}
			p := decode[Problem](d, res, test.status)
			if p.Status != test.status || p.Title == "" || p.Type == "" || p.RequestID != res.Header.Get("X-Request-Id") {
				t.Errorf("got %+v", p)
			}
			if strings.Contains(d.log.String(), canary) || strings.Contains(p.Detail+p.Title, canary) {
				t.Error("what was sent came back")
			}
			if test.status == 405 && res.Header.Get("Allow") == "" {
				t.Error("405 has no Allow")
			}
			if test.status == 401 && !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("401 has no WWW-Authenticate")
			}
		})
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	d := open(t)
	for _, path := range []string{"/healthz", "/docs", "/openapi.json", "/metrics", "/v1/items", "/none"} {
		h := d.ask("GET", path, "").Header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", path, name, got, want)
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: got policy %q", path, csp)
		}
	}
}

func TestAPanicIs500WithoutDetails(t *testing.T) {
	d := open(t)
	d.routes = append(d.routes, route{method: "GET", pattern: "/panic", open: true, serve: func(*call) error { panic(canary) }})
	body := d.bodyOf(d.ask("GET", "/panic", ""), 500)
	if strings.Contains(body, canary) || strings.Contains(d.log.String(), canary) || strings.Contains(body, ".go") {
		t.Errorf("the panic's words came out: %s", body)
	}
	if !strings.Contains(d.log.String(), "http_test.go") {
		t.Errorf("the log does not say where: %s", d.log.String())
	}
}

func TestReadyTellsWhatIsMissing(t *testing.T) {
	down := errors.New(canary)
	d := open(t, func(s *Settings) {
		s.Ready = []Check{
			{Name: "database", Test: func(context.Context) (string, error) { return "SQLite", nil }},
			{Name: "models", Test: func(context.Context) (string, error) { return "text model is missing", down }},
			{Name: "ffmpeg", Optional: true, Test: func(context.Context) (string, error) { return "", down }},
			{Name: "broken", Optional: true, Test: func(context.Context) (string, error) { panic(canary) }},
		}
	})
	body := d.bodyOf(d.ask("GET", "/readyz", ""), 503)
	var v ReadyView
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	if v.Status != "not ready" || len(v.Checks) != 4 || v.Checks[1].OK || v.Checks[1].Detail != "text model is missing" || !v.Checks[0].OK || v.Checks[3].OK {
		t.Errorf("got %+v", v)
	}
	if strings.Contains(body, canary) || strings.Contains(d.log.String(), canary) {
		t.Error("an error's words came out")
	}
	d = open(t, func(s *Settings) {
		s.Ready = []Check{{Name: "ffmpeg", Optional: true, Test: func(context.Context) (string, error) { return "", down }}}
	})
	if got := decode[ReadyView](d, d.ask("GET", "/readyz", "", "Authorization", ""), 200); got.Status != "ready" {
		t.Errorf("got %+v", got)
	}
}

func TestACheckThatHangsDoesNotHangReadyz(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	d := open(t, func(s *Settings) {
		s.Ready = []Check{{Name: "models", Test: func(context.Context) (string, error) { <-stop; return "", nil }}}
	})
	if got := decode[ReadyView](d, d.ask("GET", "/readyz", ""), 503); got.Checks[0].OK || got.Checks[0].Detail != "does not answer in time" {
		t.Errorf("got %+v", got)
	}
}

func TestMetricsCountByPatternAndNeverByPath(t *testing.T) {
	d := open(t)
	d.ask("GET", "/v1/items/"+canary, "")
	d.ask("BREW", "/"+canary, "")
	body := d.bodyOf(d.ask("GET", "/metrics", ""), 200)
	if !strings.Contains(body, `nightlight_http_requests_total{method="GET",route="/v1/items/{id}",status="404"} 1`) || strings.Contains(body, canary) || strings.Contains(body, "BREW") {
		t.Errorf("got %s", body)
	}
}

func TestTheConsoleIsServedUnderItsPaths(t *testing.T) {
	console := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	d := open(t, func(s *Settings) { s.Console = console })
	for path, want := range map[string]int{
		"/console/": 418, "/console/login": 418, "/console": 302, "/": 302, "/consolex": 404, "/docs": 200,
	} {
		if res := d.ask("GET", path, ""); res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestTheLogHoldsNoPathQueryOrText(t *testing.T) {
	d := open(t)
	d.bodyOf(d.ask("POST", "/v1/items", strings.Replace(message, "see you", canary, 1)), 202)
	d.ask("GET", "/v1/items?sender="+canary+"&conversation_id="+canary, "")
	d.ask("GET", "/v1/accounts/"+canary, "")
	d.ask("PUT", "/v1/accounts/"+canary, `{"locale":"en"}`)
	if log := d.log.String(); strings.Contains(log, canary) || strings.Count(log, `"msg":"request"`) != 4 {
		t.Errorf("got log %s", log)
	}
}

func TestTheServerBoundsHeadersAndTime(t *testing.T) {
	s := Server("127.0.0.1:0", http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 || s.WriteTimeout <= maxWait || s.MaxHeaderBytes <= 0 {
		t.Errorf("got %+v", s)
	}
}

func TestSettingsMustNameStoreMediaAndKeys(t *testing.T) {
	if _, err := New(Settings{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, errSettings) {
		t.Errorf("got %v, want %v", err, errSettings)
	}
}

func TestOverARealConnection(t *testing.T) {
	d := open(t)
	server := httptest.NewServer(d)
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := d.bodyOf(res, 200); got != `{"status":"ok"}`+"\n" {
		t.Errorf("got %q", got)
	}
}
