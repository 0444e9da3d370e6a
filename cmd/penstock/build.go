package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest/agent"
	"github.com/penstock-io/penstock/kerberos"
	"github.com/penstock-io/penstock/registry"
)

// settings are what a plant needs beside its configuration.
type settings struct {
	config   string // path of the configuration; empty: none
	instance string // --instance; empty: this host's name
	log      *slog.Logger
	metrics  *prometheus.Registry // nil: no metrics
}

// plant is everything that a configuration names, put together. Nothing in it runs, and nothing was asked of the network.
type plant struct {
	settings
	doc    *conf.Document
	owner  commitlog.Owner
	logins map[string]*kerberos.Login
	files  map[string]fileSystem // by hadoop name; "" is this machine's
	budget *hdfssink.Budget
	lines  []line
}

// line is one channel and the sink that drains it.
type line struct {
	channelName, sinkName string
	channelConfig         *brokerlink.Config
	sinkConfig            *hdfssink.Config
	channel               *brokerlink.Channel
	sink                  *hdfssink.Sink
	check                 func(context.Context) (string, error) // asks for what the decoders need; nil: nothing
	fs                    dfs.FS
}

// newPlant puts the components of a configuration together.
func newPlant(ctx context.Context, doc *conf.Document, o settings) (*plant, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("ask for this host's name: %w", err)
	}
	p := &plant{
		settings: o, doc: doc, owner: commitlog.Owner{Host: host, PID: os.Getpid(), Start: time.Now()},
		logins: map[string]*kerberos.Login{}, files: map[string]fileSystem{}, budget: hdfssink.NewBudget(doc.Memory.Bytes()),
	}
	for name, id := range doc.Kerberos {
		if p.logins[name], err = newLogin(id, o.log.With("kerberos", name)); err != nil { //nolint:contextcheck // reads files, and asks DNS for this host's name at most
			return nil, fmt.Errorf("kerberos.%s: %w", name, err)
		}
	}
	for _, s := range doc.Sinks {
		if err := p.addLine(ctx, s); err != nil {
			p.close()
			return nil, fmt.Errorf("sinks.%s: %w", s.Name, err)
		}
	}
	return p, nil
}

func newLogin(id *conf.Identity, log *slog.Logger) (*kerberos.Login, error) {
	who, err := identity(id)
	if err != nil {
		return nil, err
	}
	who.Log = log
	return kerberos.NewLogin(who)
}

func identity(id *conf.Identity) (kerberos.Identity, error) {
	keytab, err := id.Keytab.Path()
	if err != nil {
		return kerberos.Identity{}, withCode(exitConfig, fmt.Errorf("keytab: %w", err))
	}
	krb5, err := id.Krb5Conf.Path()
	if err != nil {
		return kerberos.Identity{}, withCode(exitConfig, fmt.Errorf("krb5_conf: %w", err))
	}
	return kerberos.Identity{Principal: id.Principal, Keytab: keytab, Cache: id.Cache, Krb5Conf: krb5}, nil
}

func (p *plant) addLine(ctx context.Context, s *conf.Component) error {
	sc, ok := s.Config.(*hdfssink.Config)
	if !ok {
		return fmt.Errorf("type %q has no constructor", s.Type)
	}
	l := line{sinkName: s.Name, channelName: s.Channels[0], sinkConfig: sc}
	var err error
	if l.fs, err = p.fileSystem(ctx, sc); err != nil {
		return err
	}
	if err = p.addSink(&l); err != nil {
		return err
	}
	for _, c := range p.doc.Channels {
		if c.Name != l.channelName {
			continue
		}
		if l.channelConfig, ok = c.Config.(*brokerlink.Config); !ok {
			return fmt.Errorf("channels.%s: type %q has no constructor", c.Name, c.Type)
		}
		if l.channel, err = p.newChannel(c.Name, s.Name, *l.channelConfig); err != nil {
			return fmt.Errorf("channels.%s: %w", c.Name, err)
		}
	}
	p.lines = append(p.lines, l)
	return nil
}

func (p *plant) addSink(l *line) error {
	c := l.sinkConfig
	m, err := newFormat(c.Format, registry.Options{Kerberos: p.credential, Logger: p.log.With("sink", l.sinkName)})
	if err != nil {
		return err
	}
	if m.source != nil {
		l.check = m.source.Check
	}
	o := hdfssink.Options{
		Name: l.sinkName, FS: l.fs, Format: m.format, DeadLetters: m.deadLetters, Owner: p.owner, Budget: p.budget, Logger: p.log, Arguments: p.arguments(),
	}
	if p.metrics != nil {
		o.Registerer = p.metrics
	}
	if err := m.findFields(c, &o); err != nil {
		return withCode(exitConfig, err)
	}
	l.sink, err = hdfssink.New(*c, o)
	return err
}

// credential finds an identity of the configuration.
func (p *plant) credential(name string) (kerberos.Credential, error) {
	l, ok := p.logins[name]
	if !ok {
		return nil, fmt.Errorf("there is no identity kerberos.%s", name)
	}
	return l, nil
}

func (p *plant) newChannel(name, sink string, c brokerlink.Config) (*brokerlink.Channel, error) {
	instance := p.owner.Host + "-" + sink
	if p.instance != "" {
		instance = p.instance + "-" + sink
	}
	o := brokerlink.Options{
		Name: name, Instance: instance, Logger: p.log.With("channel", name), Kerberos: p.credential,
	}
	if p.metrics != nil {
		o.Registerer = p.metrics
	}
	ch, err := brokerlink.New(c, o)
	if err != nil {
		return nil, withCode(exitConfig, err)
	}
	return ch, nil
}

// arguments are those that every `penstock state` command for this configuration needs.
func (p *plant) arguments() string {
	file, err := filepath.Abs(p.config)
	if err != nil || p.config == "" {
		return ""
	}
	return "-c " + file
}

// pipelines and services are what the agent runs.
func (p *plant) pipelines() []agent.Pipeline {
	var out []agent.Pipeline
	for _, l := range p.lines {
		out = append(out, agent.Pipeline{Name: l.sinkName, Channel: l.channel, Sink: l.sink})
	}
	return out
}

func (p *plant) services() []agent.Service {
	var out []agent.Service
	for name, l := range p.logins {
		out = append(out, agent.Service{Name: "kerberos." + name, Run: l.Run})
	}
	return out
}

// close lets go of the file systems.
func (p *plant) close() {
	for name, fs := range p.files {
		if err := fs.Close(); err != nil {
			p.log.Warn("closing a file system failed", "hadoop", name, "error", err)
		}
	}
}

// openPlant is newPlant for commands that look at a configuration's states and run nothing.
func openPlant(ctx context.Context, config string) (*plant, error) {
	doc, err := loadConfig(config)
	if err != nil {
		return nil, err
	}
	return newPlant(ctx, doc, settings{config: config, log: slog.New(slog.DiscardHandler)})
}
