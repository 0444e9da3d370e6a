package brokerlink

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer is where a channel registers its metrics.
type Registerer = prometheus.Registerer

// held counts the bytes of blocks, over all partitions of a channel.
type held struct {
	bytes atomic.Int64
	most  int64
	gauge prometheus.Gauge
}

func (h *held) add(n int64) { h.gauge.Set(float64(h.bytes.Add(n))) }
func (h *held) full() bool  { return h.bytes.Load() >= h.most }

// metrics are the instruments of one channel. Partitions are labels only where there is no other way to see one that is stuck.
type metrics struct {
	events       prometheus.Counter
	bytes        prometheus.Counter
	fetches      prometheus.Histogram
	fetchErrors  *prometheus.CounterVec
	throttled    prometheus.Counter
	rebalances   prometheus.Counter
	sessionsLost prometheus.Counter
	assigned     prometheus.Gauge
	buffered     prometheus.Gauge
	lag          *prometheus.GaugeVec
	authFailures prometheus.Counter
	hints        *prometheus.CounterVec
}

func newMetrics(channel string) *metrics {
	labels := prometheus.Labels{"channel": channel}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "penstock", Subsystem: "kafka", Name: name, Help: help, ConstLabels: labels})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "penstock", Subsystem: "kafka", Name: name, Help: help, ConstLabels: labels}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "penstock", Subsystem: "kafka", Name: name, Help: help, ConstLabels: labels})
	}
	return &metrics{
		events: counter("fetched_events_total", "Events handed to the sink, replays included."),
		bytes:  counter("fetched_bytes_total", "Bytes of keys, bodies and headers that were decoded."),
		fetches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "penstock", Subsystem: "kafka", Name: "fetch_seconds", Help: "Time for a fetch that brought events.",
			ConstLabels: labels, Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		fetchErrors:  counters("fetch_errors_total", "Fetches that failed and were tried again.", "reason"),
		throttled:    counter("throttled_seconds_total", "Time that brokers told us to wait because of a quota."),
		rebalances:   counter("rebalances_total", "Generations of the group that this member joined."),
		sessionsLost: counter("sessions_lost_total", "Times that the group gave this member up."),
		assigned:     gauge("assigned_partitions", "Partitions that this member owns."),
		buffered:     gauge("buffered_bytes", "Decoded events that wait for the sink, or that it works on."),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "penstock", Subsystem: "kafka", Name: "lag_events", Help: "Offsets between what was read and what may be read.", ConstLabels: labels,
		}, []string{"topic", "partition"}),
		authFailures: counter("auth_failures_total", "Logins that a broker refused."),
		hints:        counters("hints_total", "Offsets committed to the group, which are hints only.", "result"),
	}
}

// register adds the instruments to r, which may be nil.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{
		m.events, m.bytes, m.fetches, m.fetchErrors, m.throttled, m.rebalances, m.sessionsLost, m.assigned, m.buffered, m.lag, m.authFailures, m.hints,
	} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
