package queue

import (
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
)

// Collector shows the length and age of every queue as Prometheus metrics.
type Collector struct {
	inspector *asynq.Inspector
	size, age *prometheus.Desc
	up        *prometheus.Desc
}

// NewCollector returns a collector that asks Redis at each scrape.
func NewCollector(opt asynq.RedisConnOpt) *Collector {
	return &Collector{
		inspector: asynq.NewInspector(opt),
		size:      prometheus.NewDesc("nightlight_queue_tasks", "Tasks in a queue by state.", []string{"queue", "state"}, nil),
		age:       prometheus.NewDesc("nightlight_queue_age_seconds", "Age of the oldest pending task.", []string{"queue"}, nil),
		up:        prometheus.NewDesc("nightlight_queue_up", "1 when Redis answered this scrape.", nil, nil),
	}
}

// Ping asks Redis for an answer.
func (c *Collector) Ping() error {
	_, err := c.inspector.Queues()
	return err
}

// Close ends the connection.
func (c *Collector) Close() error { return c.inspector.Close() }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.size; ch <- c.age; ch <- c.up }

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	known, err := c.inspector.Queues()
	up := 0.0
	if err == nil {
		up = 1
	}
	ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, up)
	for _, q := range known {
		info, err := c.inspector.GetQueueInfo(q)
		if err != nil {
			continue // the queue went away between the two calls
		}
		for state, n := range map[string]int{"pending": info.Pending, "active": info.Active, "retry": info.Retry, "archived": info.Archived} {
			ch <- prometheus.MustNewConstMetric(c.size, prometheus.GaugeValue, float64(n), q, state)
		}
		ch <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, info.Latency.Seconds(), q)
	}
}
