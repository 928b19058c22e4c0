package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ReadyView is the answer of /readyz.
type ReadyView struct {
	Status string      `json:"status" must:"yes" enum:"ready,not ready"`
	Checks []CheckView `json:"checks" must:"yes"`
}

// CheckView is how one thing stands.
type CheckView struct {
	Name     string `json:"name" must:"yes"`
	OK       bool   `json:"ok" must:"yes"`
	Optional bool   `json:"optional,omitempty" doc:"Its absence is told but does not make the process unready."`
	Detail   string `json:"detail,omitempty"`
}

// StatusView is the answer of /healthz.
type StatusView struct {
	Status string `json:"status" must:"yes" enum:"ok"`
}

const (
	checkTimeout = 2 * time.Second
	checkFresh   = time.Second // so that many who ask cost one look
)

// readiness runs the checks.
type readiness struct {
	checks []Check
	log    *slog.Logger
	// running is true for a check that has not come back yet.
	running []atomic.Bool

	mu   sync.Mutex
	at   time.Time
	last ReadyView
}

func newReadiness(checks []Check, log *slog.Logger) *readiness {
	return &readiness{checks: checks, log: log, running: make([]atomic.Bool, len(checks))}
}

func (r *readiness) look() ReadyView {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < checkFresh {
		return r.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	v := ReadyView{Status: "ready", Checks: make([]CheckView, len(r.checks))}
	var all sync.WaitGroup
	for i := range r.checks {
		all.Go(func() { v.Checks[i] = r.inTime(ctx, i) })
	}
	all.Wait()
	for _, c := range v.Checks {
		if !c.OK && !c.Optional {
			v.Status = "not ready"
		}
	}
	r.at, r.last = time.Now(), v
	return v
}

func (r *readiness) one(ctx context.Context, c Check) (v CheckView) {
	v = CheckView{Name: c.Name, Optional: c.Optional}
	defer func() {
		if p := recover(); p != nil {
			v.OK, v.Detail = false, "the check itself broke"
		}
	}()
	detail, err := c.Test(ctx)
	v.OK, v.Detail = err == nil, detail
	if err != nil {
		def(&v.Detail, "does not answer")
		r.log.Warn("not ready", "check", c.Name, "cause", classOf(err))
	}
	return v
}

// inTime gives up on a check that does not obey its context. No second one of
// its kind is started while it still runs.
func (r *readiness) inTime(ctx context.Context, i int) CheckView {
	c := r.checks[i]
	late := CheckView{Name: c.Name, Optional: c.Optional, Detail: "does not answer in time"}
	if !r.running[i].CompareAndSwap(false, true) {
		return late
	}
	done := make(chan CheckView, 1)
	go func() {
		defer r.running[i].Store(false)
		done <- r.one(ctx, c)
	}()
	select {
	case v := <-done:
		return v
	case <-ctx.Done():
		return late
	}
}

func (a *API) healthz(c *call) error { return c.json(http.StatusOK, StatusView{"ok"}) }

func (a *API) readyz(c *call) error {
	v := a.health.look()
	if v.Status != "ready" {
		c.w.Header().Set("Retry-After", "2")
		return c.json(http.StatusServiceUnavailable, v)
	}
	return c.json(http.StatusOK, v)
}

func (a *API) showMetrics(c *call) error {
	a.gather.ServeHTTP(c.w, c.r)
	return nil
}
