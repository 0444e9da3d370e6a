package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/ingest/status"
)

// tokenHolder is a file system to which we may come with a delegation token. ok is false if we come with a login; an error says that the file has none that can be used.
type tokenHolder interface {
	DelegationToken(ctx context.Context) (o token.Owner, ok bool, err error)
}

const (
	lookAtTokens = 10 * time.Second // how often the watch reads their files
	tokenTimeout = 2 * time.Second  // for the name of a NameNode, which a token may be for
	tokenMargin  = time.Hour        // before a token's end, in which somebody must put another in its place
)

// eachToken calls use for the token of each file system that has one, by the name of the cluster.
func (p *plant) eachToken(ctx context.Context, use func(cluster string, o token.Owner, err error)) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	for name, f := range p.files {
		holder, ok := f.(tokenHolder)
		if !ok {
			continue
		}
		if o, ok, err := holder.DelegationToken(ctx); ok {
			use(strings.TrimSpace(name), o, err)
		}
	}
}

// token says what is to be known of one. Whether it was cancelled, or not renewed, only the NameNode knows.
func (w *watch) token(cluster string, o token.Owner, err error) {
	name := "tokens." + cluster
	switch {
	case err != nil:
		w.set(name, status.Failed, err.Error())
	case time.Until(o.Max) < tokenMargin:
		w.set(name, status.Retrying, fmt.Sprintf("the delegation token of %s cannot be renewed beyond %s: put another in its place", o.Name, o.Max.UTC().Format(time.RFC3339)))
	default:
		w.set(name, status.OK, "")
	}
}

// tokenMetrics shows the tokens when it is asked.
type tokenMetrics struct {
	plant *plant
	max   *prometheus.Desc
}

func newTokenMetrics(p *plant) *tokenMetrics {
	return &tokenMetrics{plant: p, max: prometheus.NewDesc("penstock_hadoop_token_max_timestamp_seconds",
		"Beyond which the delegation token cannot be renewed; 0: there is none that can be used.", []string{"hadoop", "owner"}, nil)}
}

// Describe implements prometheus.Collector.
func (m *tokenMetrics) Describe(to chan<- *prometheus.Desc) { to <- m.max }

// Collect implements prometheus.Collector, which brings no context; eachToken bounds what it does.
func (m *tokenMetrics) Collect(to chan<- prometheus.Metric) {
	m.plant.eachToken(context.Background(), func(cluster string, o token.Owner, err error) {
		var until float64
		if err == nil {
			until = float64(o.Max.Unix())
		}
		to <- prometheus.MustNewConstMetric(m.max, prometheus.GaugeValue, until, cluster, o.Name)
	})
}
