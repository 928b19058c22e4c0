package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"nightlight/queue/review"
)

// allowed says who may use each route: p is everybody without a login,
// r reviewer, s senior, a auditor, m ml, d admin. A route that is not here
// fails the test: somebody has to decide who may use it.
var allowed = map[string]string{
	"GET /console/static/{file}":        "prsamd",
	"GET /console/login":                "prsamd",
	"POST /console/login":               "prsamd",
	"POST /console/language":            "prsamd",
	"POST /console/logout":              "rsamd",
	"POST /console/logout-everywhere":   "rsamd",
	"GET /console/{$}":                  "rsamd",
	"POST /console/next":                "rs",
	"GET /console/cases":                "rsa",
	"GET /console/case/{id}":            "rsa",
	"POST /console/case/{id}/look":      "sa",
	"POST /console/case/{id}/show":      "rsa",
	"POST /console/case/{id}/listen":    "rsa",
	"POST /console/case/{id}/claim":     "rs",
	"POST /console/case/{id}/heartbeat": "rs",
	"POST /console/case/{id}/release":   "rs",
	"POST /console/case/{id}/escalate":  "rs",
	"POST /console/case/{id}/decide":    "rs",
	"POST /console/case/{id}/undo":      "rs",
	"GET /console/audit":                "a",
	"GET /console/users":                "d",
	"POST /console/users":               "d",
	"POST /console/users/{id}/role":     "d",
	"POST /console/users/{id}/password": "d",
	"POST /console/users/{id}/disable":  "d",
	"GET /console/health":               "d",
	"POST /console/health/replay":       "d",
}

var roleLetters = map[string]review.Role{"r": review.RoleReviewer, "s": review.Senior, "a": review.Auditor, "m": review.ML, "d": review.Admin}

func routesOf(t *testing.T, h *house) []route {
	t.Helper()
	c, err := New(Settings{Store: h.store})
	h.must(err)
	return c.routes
}

// path fills a pattern's blanks.
func (r route) example(id string) string {
	return strings.NewReplacer("{$}", "", "{id}", id, "{file}", "console.css").Replace(r.path)
}

func (v *visitor) try(r route, id string) answer {
	v.Helper()
	if r.method == http.MethodGet {
		return v.get(r.example(id))
	}
	reason := skipReasons[0]
	if strings.HasSuffix(r.path, "/escalate") {
		reason = escalateReasons[0]
	}
	return v.post(r.example(id), "token", "none", "action", "allow", "reason", reason, "role", "ml", "name", "new.person", "lang", "zh")
}

func TestEveryRouteIsOpenToItsRolesAndShutToAllOthers(t *testing.T) {
	h := openHouse(t)
	seen := map[string]bool{}
	for _, r := range routesOf(t, h) {
		want, known := allowed[r.pattern()]
		seen[r.pattern()] = true
		if !known {
			t.Errorf("%s: nobody has said who may use it", r.pattern())
			continue
		}
		for letter, role := range roleLetters {
			got := h.role(role).try(r, "case_unknown").status
			if open := got != http.StatusForbidden && got < 500; open != strings.Contains(want, letter) {
				t.Errorf("%s as %s: got %d, want open: %v", r.pattern(), role, got, !open)
			}
		}
		stranger := h.visitor()
		stranger.get("/console/login")
		got := stranger.try(r, "case_unknown")
		if open := got.status != http.StatusForbidden && got.to() != "/console/login"; open != strings.Contains(want, "p") {
			t.Errorf("%s without a login: got %d to %q, want open: %v", r.pattern(), got.status, got.to(), !open)
		}
	}
	for pattern := range allowed {
		if !seen[pattern] {
			t.Errorf("%s: no such route any more", pattern)
		}
	}
}

func TestAFormFromElsewhereIsRefusedOnEveryRoute(t *testing.T) {
	h := openHouse(t)
	for _, r := range routesOf(t, h) {
		if r.method == http.MethodGet {
			continue
		}
		letter := string(strings.TrimPrefix(allowed[r.pattern()], "p")[0])
		for name, spoil := range map[string]func(*http.Request, url.Values){
			"another origin":        func(q *http.Request, _ url.Values) { q.Header.Set("Origin", "https://example.org") },
			"no origin":             func(q *http.Request, _ url.Values) { q.Header.Del("Origin") },
			"a sandboxed origin":    func(q *http.Request, _ url.Values) { q.Header.Set("Origin", "null") },
			"another site by fetch": func(q *http.Request, _ url.Values) { q.Header.Set("Sec-Fetch-Site", "cross-site") },
			"no token":              func(_ *http.Request, f url.Values) { f.Del("form_token") },
			"a wrong token":         func(_ *http.Request, f url.Values) { f.Set("form_token", "made up") },
		} {
			v := h.role(roleLetters[letter])
			form := url.Values{"form_token": {v.form}, "lang": {"zh"}, "name": {"reviewer"}, "password": {password}}
			q, err := http.NewRequestWithContext(t.Context(), r.method, h.door.URL+r.example("x"), nil)
			h.must(err)
			q.Header.Set("Origin", h.door.URL)
			spoil(q, form)
			full, err := http.NewRequestWithContext(t.Context(), r.method, q.URL.String(), strings.NewReader(form.Encode()))
			h.must(err)
			full.Header = q.Header
			full.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if got := v.do(full).status; got != http.StatusForbidden {
				t.Errorf("%s with %s: got %d, want 403", r.pattern(), name, got)
			}
		}
	}
}

func TestAnotherTenantsCaseIsNotFound(t *testing.T) {
	h := openHouse(t)
	id := h.meeting()
	other, err := h.store.CreateTenant(t.Context(), "elsewhere")
	h.must(err)
	for _, role := range roles {
		v := h.as(h.person("other."+string(role), role, other.ID, "x"))
		for _, r := range routesOf(t, h) {
			if !strings.Contains(r.path, "/case/{id}") || !r.access.allows(role) {
				continue
			}
			got := v.try(r, id).status
			// a lease that does not exist is as lost as one that is not ours
			if got != http.StatusNotFound && got != http.StatusConflict {
				t.Errorf("%s as %s of another tenant: got %d, want 404 or 409", r.pattern(), role, got)
			}
		}
	}
	if acts := h.acts(id); len(acts) != 0 {
		t.Errorf("got audit lines %v, want none: nobody saw anything", acts)
	}
}

func TestEveryAnswerCarriesTheHeadersThatKeepItSafe(t *testing.T) {
	h := openHouse(t)
	id := h.meeting()
	for _, r := range append(routesOf(t, h), route{method: http.MethodGet, path: "/console/no/such/page"}) {
		for _, role := range roles {
			got := h.role(role).try(r, id)
			csp := got.header.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
				if !strings.Contains(csp, part) {
					t.Errorf("%s: got policy %q, want %s in it", r.path, csp, part)
				}
			}
			if strings.Contains(csp, "unsafe") || got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: got headers %v", r.path, got.header)
			}
			if low := strings.ToLower(got.body); strings.Contains(low, "<script>") || strings.Contains(low, " style=") || strings.Contains(low, " onclick=") || strings.Contains(low, "<style") {
				t.Errorf("%s: got inline script or style, which the policy forbids", r.path)
			}
		}
	}
}

func TestErrorsNeverEchoWhatWasSent(t *testing.T) {
	h := openHouse(t)
	const canary = "zq7canary9xk"
	id := h.trade("hello")
	for _, r := range routesOf(t, h) {
		for _, role := range roles {
			if !r.access.allows(role) || r.method == http.MethodGet && strings.Contains(r.path, "{file}") {
				continue
			}
			v := h.role(role)
			for _, subject := range []string{canary, id} {
				var got answer
				if r.method == http.MethodGet {
					got = v.get(r.example(subject) + "?state=" + canary + "&kind=" + canary + "&cursor=" + canary + "&chain=" + canary + "&undo=" + canary + "&did=" + canary)
				} else {
					got = v.post(r.example(subject), "token", canary, "action", canary, "reason", canary, "note", canary, "label", canary,
						"name", canary+" <b>", "password", canary, "role", canary, "lang", canary, "back", "//"+canary, "tenant", canary, "delivery", canary)
				}
				if strings.Contains(strings.ReplaceAll(got.body, "/console/case/"+canary, ""), canary) || strings.Contains(got.header.Get("Location"), canary) {
					t.Errorf("%s as %s: got what was sent back in an answer of %d", r.pattern(), role, got.status)
				}
			}
		}
	}
}

func TestTheNavigationShowsOnlyDoorsThatOpen(t *testing.T) {
	h := openHouse(t)
	for _, role := range roles {
		v := h.role(role)
		page := v.get("/console/")
		if page.status != http.StatusOK {
			t.Fatalf("home as %s: got %d", role, page.status)
		}
		for _, path := range []string{"/console/cases", "/console/audit", "/console/users", "/console/health"} {
			shown := strings.Contains(page.body, `href="`+path+`"`)
			if open := v.get(path).status == http.StatusOK; open != shown {
				t.Errorf("%s as %s: got a link: %v, opens: %v", path, role, shown, open)
			}
		}
	}
}

func TestAdminAndMLSeeNoWordOfAChild(t *testing.T) {
	h := openHouse(t)
	h.guardian()
	text := "qqwwee marker words"
	id := h.trade(text)
	h.meeting()
	for _, role := range []review.Role{review.Admin, review.ML} {
		v := h.role(role)
		for _, r := range routesOf(t, h) {
			if strings.Contains(r.path, "logout") || strings.Contains(r.path, "static") {
				continue
			}
			if got := v.try(r, id); strings.Contains(got.body, "marker") || strings.Contains(got.body, "acct-") {
				t.Errorf("%s as %s: got a child's words or id", r.pattern(), role)
			}
		}
	}
	if slices.Contains(h.acts(id), "media.view text") {
		t.Error("got a look in the audit log, want none")
	}
}
