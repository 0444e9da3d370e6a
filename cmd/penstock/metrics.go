package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-io/penstock/ingest/status"
	"github.com/penstock-io/penstock/kerberos"
)

// loginMetrics shows the state of the Kerberos logins when it is asked, so that nothing has to push it.
type loginMetrics struct {
	logins                          map[string]*kerberos.Login
	expiry, attempts, failed, ready *prometheus.Desc
}

func newLoginMetrics(logins map[string]*kerberos.Login) *loginMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("penstock_kerberos_"+name, help, []string{"identity", "principal"}, nil)
	}
	return &loginMetrics{
		logins:   logins,
		expiry:   desc("ticket_expiry_timestamp_seconds", "When the ticket ends; 0: there is none."),
		attempts: desc("logins_total", "Logins that succeeded."),
		failed:   desc("login_failures_total", "Logins that failed."),
		ready:    desc("ready", "1 when there is a ticket that has not ended."),
	}
}

// Describe implements prometheus.Collector.
func (m *loginMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.expiry, m.attempts, m.failed, m.ready} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *loginMetrics) Collect(to chan<- prometheus.Metric) {
	for name, l := range m.logins {
		s := l.Status()
		labels := []string{name, l.Principal().String()}
		var expiry, ready float64
		if !s.Expiry.IsZero() {
			expiry = float64(s.Expiry.Unix())
		}
		if s.Ready() {
			ready = 1
		}
		to <- prometheus.MustNewConstMetric(m.expiry, prometheus.GaugeValue, expiry, labels...)
		to <- prometheus.MustNewConstMetric(m.attempts, prometheus.CounterValue, float64(s.Logins), labels...)
		to <- prometheus.MustNewConstMetric(m.failed, prometheus.CounterValue, float64(s.Failures), labels...)
		to <- prometheus.MustNewConstMetric(m.ready, prometheus.GaugeValue, ready, labels...)
	}
}

// newReadyMetric is what /readyz says, as a number.
func newReadyMetric(root *status.Node) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "penstock_ready", Help: "1 when /readyz says so."}, func() float64 {
		if len(root.Snapshot().Unready(time.Now(), time.Minute)) > 0 {
			return 0
		}
		return 1
	})
}
