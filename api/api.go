package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/words"
	"nightlight/queue/store"
)

// API is the HTTP room. It is an http.Handler, safe for concurrent use.
type API struct {
	Settings
	vault   *media.Vault
	routes  []route
	keys    *keyCache
	flight  *flight
	waiting chan struct{}
	metrics *metrics
	openapi []byte
	docs    docsPage
	health  *readiness
	gather  http.Handler // of the metrics: one, since it is what counts who asks at once
}

// New returns an API over these settings.
func New(s Settings) (*API, error) {
	if s.Store == nil || s.Media == nil || s.Keys == nil {
		return nil, fmt.Errorf("api: %w", errSettings)
	}
	s.Limits = s.Limits.withDefaults()
	s.Policy = cmp.Or(s.Policy, pipeline.DefaultPolicy())
	s.Registry = cmp.Or(s.Registry, prometheus.NewRegistry())
	s.Log = cmp.Or(s.Log, slog.New(slog.DiscardHandler))
	def(&s.Version, "dev")
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.ConsolePaths == nil {
		s.ConsolePaths = consolePaths()
	}
	if s.CheckWebhook == nil {
		s.CheckWebhook = httpsOnly
	}
	if s.Words == nil {
		lib, err := words.Open()
		if err != nil {
			return nil, fmt.Errorf("api: %w", err)
		}
		s.Words = lib
	}
	a := &API{
		Settings: s,
		vault:    media.NewVault(s.Keys),
		flight:   &flight{most: s.Limits.InFlight},
		waiting:  make(chan struct{}, s.Limits.Waiting),
	}
	a.keys = newKeyCache(s.Store, s.Limits)
	a.health = newReadiness(s.Ready, s.Log)
	a.gather = promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
	a.routes = a.table()
	var err error
	if a.metrics, err = newMetrics(s.Registry, a.flight, a.waiting); err != nil {
		return nil, fmt.Errorf("api: register metrics: %w", err)
	}
	if a.openapi, err = a.document(); err != nil {
		return nil, fmt.Errorf("api: write OpenAPI document: %w", err)
	}
	if a.docs, err = a.page(); err != nil {
		return nil, fmt.Errorf("api: write documentation: %w", err)
	}
	return a, nil
}

// Server returns a server with the time-outs that an open port needs. Handlers
// set tighter ones for each route.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Minute, // a film over a thin line
		WriteTimeout:      6 * time.Minute,
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}

// call is one request on its way through.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	id    string
	route *route
	param string // the {id} of the path
	key   store.APIKey
	rate  *rate.Limiter
	guest bool // came with an upload's token instead of a key
}

func (c *call) tenant() string { return c.key.Tenant }

// actor is how the audit log calls who did this.
func (c *call) actor() string { return "key:" + c.key.ID }

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &seenWriter{ResponseWriter: w}
	c := &call{w: seen, r: r, id: newRequestID()}
	start := time.Now()
	defer a.finish(c, seen, start)
	defer func() {
		if p := recover(); p != nil {
			a.panicked(c, seen, p)
		}
	}()
	secure(seen.Header())
	seen.Header().Set("X-Request-Id", c.id)
	if a.isConsole(r.URL.Path) {
		c.route = &route{pattern: "console"}
		a.Console.ServeHTTP(seen, r)
		return
	}
	if a.isConsole(r.URL.Path + "/") {
		c.route = &route{pattern: "console"}
		http.Redirect(seen, r, r.URL.Path+"/", http.StatusFound)
		return
	}
	if err := a.dispatch(c); err != nil {
		a.refuse(c, err)
	}
}

// dispatch finds the route, checks the key and runs the handler.
func (a *API) dispatch(c *call) error {
	if err := a.find(c); err != nil {
		return err
	}
	if err := a.admit(c); err != nil {
		return err
	}
	control := http.NewResponseController(c.w)
	if c.route.slow == 0 {
		_ = control.SetReadDeadline(time.Now().Add(30 * time.Second)) // a recorder in a test has none
	} else {
		_ = control.SetReadDeadline(time.Now().Add(c.route.slow))
	}
	return c.route.serve(c)
}

// refuse answers with a problem.
func (a *API) refuse(c *call, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = internal(err)
	}
	p.RequestID = c.id
	if p.cause != nil && !errors.Is(p.cause, context.Canceled) {
		a.Log.Warn("request refused", "request", c.id, "route", c.pattern(), "status", p.Status, "cause", classOf(p.cause))
	}
	p.write(c.w)
}

// panicked turns a panic into 500 without details. The value of the panic may
// quote a request, so only its type and our own stack are logged.
func (a *API) panicked(c *call, w *seenWriter, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	a.Log.Error("request panicked", "request", c.id, "route", c.pattern(), "type", fmt.Sprintf("%T", p), "stack", frames(debug.Stack()))
	if w.status == 0 {
		problem := internal(nil)
		problem.RequestID = c.id
		problem.write(w)
	}
}

// frames keeps the file and line of our own functions: arguments in a stack
// are addresses, but nothing else of it is needed either.
func frames(stack []byte) string {
	var out []string
	for line := range strings.Lines(string(stack)) {
		if file, ok := strings.CutPrefix(line, "\t"); ok && strings.Contains(file, ".go:") {
			file, _, _ = strings.Cut(file, " ")
			out = append(out, file[strings.LastIndexByte(file, '/')+1:])
		}
	}
	return strings.TrimSpace(strings.Join(out, " "))
}

func (c *call) pattern() string {
	if c.route == nil {
		return "none"
	}
	return c.route.pattern
}

// isConsole reports whether a path belongs to people's pages.
func (a *API) isConsole(path string) bool {
	if a.Console == nil {
		return false
	}
	for _, p := range a.ConsolePaths {
		if path == p || len(p) > 1 && strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// secure sets the headers that every answer carries; a page may set a policy
// of its own.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
}

func newRequestID() string {
	var b [10]byte
	rand.Read(b[:])
	return "req_" + hex.EncodeToString(b[:])
}
