package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest/admin"
	"github.com/penstock-io/penstock/ingest/agent"
	"github.com/penstock-io/penstock/ingest/status"
)

func runCommand(hard context.Context) *cobra.Command {
	var r runner
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the agent until SIGTERM",
		Long: `Runs every channel and sink of the configuration. An invalid configuration starts nothing.

SIGTERM and SIGINT roll and commit the open files and end the agent, within --stop-timeout; a second one ends it at once. Killing it is safe at
any moment: what is not committed is read again. What is wrong meanwhile is logged, and shown by /readyz and /status on admin.listen.`,
		Example: "  penstock run -c /etc/penstock/clicks.yaml\n  penstock run -c clicks.yaml --instance edge7-b    # a second agent on one host",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if r.log, err = newLogger(c.ErrOrStderr(), r.logFormat, r.debug); err != nil {
				return err
			}
			return r.run(c.Context(), hard)
		},
	}
	configFlag(c, &r.config)
	c.Flags().StringVar(&r.instance, "instance", "", "name of this agent in its consumer groups (default: the host's name)")
	c.Flags().DurationVar(&r.stopTimeout, "stop-timeout", time.Minute, "time for the last commits after SIGTERM")
	c.Flags().BoolVar(&r.debug, "debug", false, "log more")
	c.Flags().StringVar(&r.logFormat, "log-format", "auto", "text, json, or auto: text on a terminal, else json")
	completeFlag(c, "log-format", "auto", "text", "json")
	return c
}

type runner struct {
	config      string
	instance    string
	stopTimeout time.Duration
	debug       bool
	logFormat   string
	log         *slog.Logger
}

// run runs the agent until stop ends; when hard does too, the agent ends at once.
func (r *runner) run(stop, hard context.Context) error {
	doc, err := loadConfig(r.config)
	if err != nil {
		return err
	}
	for _, w := range doc.Warnings() {
		r.log.Warn("configuration", "place", w.String())
	}
	metrics := newRegistry()
	p, err := newPlant(stop, doc, settings{config: r.config, instance: r.instance, log: r.log, metrics: metrics})
	if err != nil {
		return err
	}
	defer p.close()

	limitMemory(doc)
	root := status.New("penstock")
	metrics.MustRegister(newLoginMetrics(p.logins), newTokenMetrics(p), newReadyMetric(root))
	links := newWatch(stop, p, root)
	services := append(p.services(),
		agent.Service{Name: "watch", Run: links.run},
		agent.Service{Name: "signals", Run: func(ctx context.Context) error { return tellSignals(ctx, stop, hard, r.log) }},
		agent.Service{Name: "systemd", Run: func(ctx context.Context) error { return notifySystemd(ctx, stop, root, r.log) }})
	if !doc.Admin.Off {
		s, err := admin.Listen(stop, admin.Options{Listen: doc.Admin.Listen.String(), Status: root, Metrics: metrics, Version: thisVersion()})
		if err != nil {
			return err
		}
		services = append(services, agent.Service{Name: "admin", Run: s.Run})
		r.log.Info("admin listens", "address", s.Addr())
	}
	for _, l := range p.lines {
		r.log.Info("draining", "channel", l.channelName, "topics", l.channelConfig.Topics, "topics_regex", l.channelConfig.TopicsRegex,
			"group", l.channelConfig.Group, "sink", l.sinkName, "path", l.sinkConfig.Path, "state", l.sinkConfig.State,
			"guarantee", "every visible event in exactly one published file")
	}
	a := agent.New(p.pipelines(), services, agent.Options{Logger: r.log, Status: root, StopTimeout: r.stopTimeout})
	err = a.Run(stop, hard)
	if err == nil {
		r.log.Info("stopped")
	}
	return err
}

// limitMemory makes the garbage collector work harder before the process outgrows what the configuration allows it: buffered rows, events
// read ahead, and a fixed part for everything else. GOMEMLIMIT in the environment wins.
func limitMemory(doc *conf.Document) {
	const rest = 80 << 20
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := doc.Memory.Bytes() + rest
	for _, c := range doc.Channels {
		if k, ok := c.Config.(*brokerlink.Config); ok {
			limit += k.Fetch.Memory.Bytes()
		}
	}
	debug.SetMemoryLimit(limit)
}

// loadConfig reads a configuration; the error that says what is wrong with it shows the places.
func loadConfig(path string) (*conf.Document, error) {
	doc, err := conf.Load(path, kinds())
	if invalid, ok := errors.AsType[*conf.Error](err); ok {
		return nil, withCode(exitConfig, fmt.Errorf("the configuration is invalid, nothing was started\n%s", invalid.Long()))
	}
	if err != nil {
		return nil, withCode(exitConfig, err)
	}
	return doc, nil
}

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	v := thisVersion()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "penstock_build_info", Help: "1, labelled with what runs here.",
		ConstLabels: prometheus.Labels{"version": v.Version, "revision": v.Revision, "go": v.Go},
	})
	build.Set(1)
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
