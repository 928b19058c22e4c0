package workers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

// Metrics counts what the workers did and what they left. Labels are fixed words, never ids.
type Metrics struct {
	verdicts   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	wait       *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
	late       prometheus.Counter
	retried    prometheus.Counter
	swept      prometheus.Counter
	reused     *prometheus.CounterVec
	overdue    *prometheus.GaugeVec
}

func newMetrics() *Metrics {
	buckets := prometheus.ExponentialBuckets(0.002, 2, 16)
	return &Metrics{
		verdicts:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nightlight_verdicts_total", Help: "Verdicts by kind and state reached."}, []string{"kind", "state"}),
		seconds:    prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "nightlight_judge_seconds", Help: "Time from claim to commit.", Buckets: buckets}, []string{"kind"}),
		wait:       prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "nightlight_accept_to_verdict_seconds", Help: "Time from accept to verdict.", Buckets: buckets}, []string{"kind"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nightlight_deliveries_total", Help: "Tries at webhooks and notices by the state that followed."}, []string{"channel", "state"}),
		late:       prometheus.NewCounter(prometheus.CounterOpts{Name: "nightlight_late_writers_total", Help: "Verdicts refused because another worker had the lease."}),
		retried:    prometheus.NewCounter(prometheus.CounterOpts{Name: "nightlight_judge_retries_total", Help: "Judgings handed back for a later try."}),
		swept:      prometheus.NewCounter(prometheus.CounterOpts{Name: "nightlight_swept_total", Help: "Wake-ups that the sweeper sent again."}),
		reused:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nightlight_scores_reused_total", Help: "Pictures whose scores an earlier upload had: of the same file, or of nearly the same picture."}, []string{"same"}),
		overdue:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "nightlight_retention_overdue_seconds", Help: "How long the oldest content, upload or object has outlived the time at which it was to be destroyed, after the last round of house-keeping."}, []string{"what"}),
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.verdicts, m.seconds, m.wait, m.deliveries, m.late, m.retried, m.swept, m.reused, m.overdue}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}

func (m *Metrics) judged(it pipeline.Item, done store.Committed, took time.Duration) {
	kind := string(it.Kind)
	m.verdicts.WithLabelValues(kind, string(done.State)).Inc()
	m.seconds.WithLabelValues(kind).Observe(took.Seconds())
	m.wait.WithLabelValues(kind).Observe(time.Since(it.ReceivedAt).Seconds())
}
