package hdfssink

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-io/penstock/ingest"
)

// Registerer is where the sink's metrics go; nil: nowhere.
type Registerer = prometheus.Registerer

// metrics are one sink's instruments. The sink's name is a constant label; topic and partition are labels only where the series
// are few and each partition matters.
type metrics struct {
	events, filtered, replays, deadLetters *prometheus.CounterVec
	bytes, files                           *prometheus.CounterVec
	commits, gaps, fenced, readErrors      *prometheus.CounterVec
	commitSeconds                          prometheus.Histogram
	openFiles, buffered, low, last         *prometheus.GaugeVec
	relief, droppedFiles, hints            *prometheus.CounterVec
}

func newMetrics(r Registerer, sink string) (*metrics, error) {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	var err error
	register := func(c prometheus.Collector) {
		if e := r.Register(c); e != nil && err == nil {
			err = e
		}
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "penstock", Subsystem: "hdfssink", Name: name, Help: help,
			ConstLabels: prometheus.Labels{"sink": sink},
		}, labels)
		register(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "penstock", Subsystem: "hdfssink", Name: name, Help: help,
			ConstLabels: prometheus.Labels{"sink": sink},
		}, labels)
		register(v)
		return v
	}
	m := &metrics{
		events:       counter("events_total", "Events published, dead letters included.", "topic"),
		bytes:        counter("published_bytes_total", "Bytes of published files.", "topic"),
		files:        counter("files_total", "Files rolled, by the reason.", "topic", "reason"),
		filtered:     counter("filtered_events_total", "Events dropped by an interceptor.", "topic"),
		replays:      counter("skipped_replays_total", "Events read again that were done already.", "topic"),
		deadLetters:  counter("dead_letters_total", "Events that could not be written, by the reason.", "topic", "reason"),
		gaps:         counter("gap_offsets_total", "Offsets without events, by the reason.", "topic", "reason"),
		commits:      counter("commits_total", "Commits by result: ok, fenced, refused, failed.", "topic", "result"),
		fenced:       counter("fencings_total", "Times that another owner took a partition.", "topic"),
		readErrors:   counter("read_errors_total", "Reads that failed and were tried again.", "topic"),
		droppedFiles: counter("dropped_files_total", "Staged files given up after an error; their events are read again.", "topic"),
		relief:       counter("memory_relief_total", "Times that memory was tight, by what was done: flush, roll, wait.", "kind"),
		hints:        counter("hint_errors_total", "Hints that the channel did not take.", "topic"),
		openFiles:    gauge("open_files", "Files being written.", "topic", "partition"),
		buffered:     gauge("buffered_bytes", "Memory of rows that are not written out.", "topic", "partition"),
		low:          gauge("low_offset", "Every offset before it is done.", "topic", "partition"),
		last:         gauge("last_commit_timestamp_seconds", "When a partition was committed last.", "topic", "partition"),
	}
	m.commitSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "penstock", Subsystem: "hdfssink", Name: "commit_seconds", Help: "From the first close of a roll to the last rename.",
		ConstLabels: prometheus.Labels{"sink": sink}, Buckets: prometheus.ExponentialBuckets(0.01, 2, 14),
	})
	register(m.commitSeconds)
	return m, err
}

// partitionMetrics are the instruments of one partition, looked up once.
type partitionMetrics struct {
	m                                                      *metrics
	topic, partition                                       string
	events, bytes, filtered, replays, fenced, readErrors   prometheus.Counter
	droppedFiles, hintErrors, flushes, earlyRolls, waiting prometheus.Counter
	openFiles, buffered, low, last                         prometheus.Gauge
}

func (m *metrics) partition(p ingest.Partition) *partitionMetrics {
	id := strconv.Itoa(int(p.ID))
	return &partitionMetrics{
		m: m, topic: p.Topic, partition: id,
		events: m.events.WithLabelValues(p.Topic), bytes: m.bytes.WithLabelValues(p.Topic),
		filtered: m.filtered.WithLabelValues(p.Topic), replays: m.replays.WithLabelValues(p.Topic),
		fenced: m.fenced.WithLabelValues(p.Topic), readErrors: m.readErrors.WithLabelValues(p.Topic),
		droppedFiles: m.droppedFiles.WithLabelValues(p.Topic), hintErrors: m.hints.WithLabelValues(p.Topic),
		flushes: m.relief.WithLabelValues("flush"), earlyRolls: m.relief.WithLabelValues("roll"), waiting: m.relief.WithLabelValues("wait"),
		openFiles: m.openFiles.WithLabelValues(p.Topic, id), buffered: m.buffered.WithLabelValues(p.Topic, id),
		low: m.low.WithLabelValues(p.Topic, id), last: m.last.WithLabelValues(p.Topic, id),
	}
}

func (m *partitionMetrics) rolled(reason string) { m.m.files.WithLabelValues(m.topic, reason).Inc() }

func (m *partitionMetrics) deadLetter(code string) {
	m.m.deadLetters.WithLabelValues(m.topic, code).Inc()
}

func (m *partitionMetrics) gap(g ingest.Gap) {
	m.m.gaps.WithLabelValues(m.topic, string(g.Reason)).Add(float64(g.Next - g.First))
}

func (m *partitionMetrics) committed(result string, took time.Duration) {
	m.m.commits.WithLabelValues(m.topic, result).Inc()
	m.m.commitSeconds.Observe(took.Seconds())
}

// gone removes the series of a partition that this agent does not own any more: a stale low offset would look like a stuck one.
func (m *partitionMetrics) gone() {
	for _, g := range []*prometheus.GaugeVec{m.m.openFiles, m.m.buffered, m.m.low, m.m.last} {
		g.DeleteLabelValues(m.topic, m.partition)
	}
}
