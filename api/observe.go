package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// seenWriter remembers what was answered.
type seenWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (w *seenWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *seenWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish counts and logs a request. The line holds the route's pattern and
// never the path, whose last part a client chose.
func (a *API) finish(c *call, w *seenWriter, start time.Time) {
	took := time.Since(start)
	method := knownMethod(c.r.Method)
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	a.metrics.requests.WithLabelValues(c.pattern(), method, strconv.Itoa(status)).Inc()
	a.metrics.took.WithLabelValues(c.pattern()).Observe(took.Seconds())
	a.Log.Info("request", "request", c.id, "method", method, "route", c.pattern(), "status", status,
		"bytes", w.bytes, "ms", float64(took.Microseconds())/1000, "tenant", c.key.Tenant, "key", c.key.ID)
}

// knownMethod keeps a client from inventing metric labels.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete:
		return m
	}
	return "other"
}

// metrics are what this room counts.
type metrics struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	accepted *prometheus.CounterVec
}

func newMetrics(reg *prometheus.Registry, f *flight, waiting chan struct{}) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nightlight_http_requests_total", Help: "Requests by route, method and status.",
		}, []string{"route", "method", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nightlight_http_seconds", Help: "Time to the end of the answer, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nightlight_items_accepted_total", Help: "Items accepted, by kind and whether they were new.",
		}, []string{"kind", "repeated"}),
	}
	gauges := []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "nightlight_http_bytes_in_flight", Help: "Bytes reserved for bodies that are being read.",
		}, func() float64 { return float64(f.used.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "nightlight_http_waiting", Help: "Requests that wait for a verdict.",
		}, func() float64 { return float64(len(waiting)) }),
	}
	for _, c := range append(gauges, m.requests, m.took, m.accepted) {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
