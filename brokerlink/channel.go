package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/kerberos"
)

// Options are what a channel needs from its agent.
type Options struct {
	Name       string                                         // of the channel, a label of its metrics
	Instance   string                                         // static membership, when the configuration names none; empty: a dynamic member
	Kerberos   func(name string) (kerberos.Credential, error) // finds an identity of the configuration; nil: there are none
	Logger     *slog.Logger                                   // nil: silent
	Registerer Registerer                                     // nil: no metrics
}

// Channel makes topics a channel. It is made by New and used by one Drain at a time.
type Channel struct {
	cfg      Config
	t        *transport
	log      *slog.Logger
	met      *metrics
	instance *string
	draining atomic.Bool
	assigned atomic.Int64
	held     held
	standing atomic.Pointer[Standing]
}

var _ ingest.Channel = (*Channel)(nil)

// New checks the configuration; it reads no files and asks no broker.
func New(cfg Config, o Options) (*Channel, error) {
	if err := conf.Check(&cfg); err != nil {
		return nil, err
	}
	setBounds()
	login, err := newAuthenticator(cfg.SASL, o.Kerberos)
	if err != nil {
		return nil, err
	}
	ch := &Channel{cfg: cfg, log: o.Logger, met: newMetrics(o.Name)}
	ch.held.most, ch.held.gauge = cfg.Fetch.Memory.Bytes(), ch.met.buffered
	if ch.log == nil {
		ch.log = slog.New(slog.DiscardHandler)
	}
	if err := ch.met.register(o.Registerer); err != nil {
		return nil, fmt.Errorf("register metrics of channel %s: %w", o.Name, err)
	}
	if cfg.Instance == "" {
		cfg.Instance = o.Instance
	}
	if cfg.Instance != "" {
		if !validInstance(cfg.Instance) {
			return nil, fmt.Errorf("instance %q is no name for a member of a group: use at most 249 letters, digits, '.', '_' and '-'", cfg.Instance)
		}
		ch.instance = &cfg.Instance
	}
	ch.t = &transport{
		dialTimeout: cfg.DialTimeout.Std(), requestTimeout: cfg.RequestTimeout.Std(), clientID: cfg.ClientID, tls: cfg.TLS, login: login,
		refused: ch.met.authFailures.Inc,
	}
	return ch, nil
}

// Drain implements ingest.Channel. It returns when ctx ends (nil) or when somebody has to act: a refused login, missing
// rights, a topic that does not exist, another member with the same instance. Brokers that are away are waited for.
//
// A static member does not leave the group, so that a restart within session_timeout gets the same partitions without a rebalance.
func (ch *Channel) Drain(ctx context.Context, drain ingest.DrainFunc) error {
	if !ch.draining.CompareAndSwap(false, true) {
		return errors.New("channel is drained already: a channel has one sink")
	}
	defer ch.draining.Store(false)
	c := newCluster(ch.t, ch.seeds(), ch.cfg.Group)
	defer c.close()
	pattern, err := ch.cfg.pattern()
	if err != nil {
		return err
	}
	m := &member{
		c: c, cfg: &ch.cfg, log: ch.log, met: ch.met, instance: ch.instance, pattern: pattern, standing: &ch.standing,
		strategy: sarama.NewBalanceStrategyCooperativeSticky(),
		join:     line{t: ch.t, wait: ch.cfg.RebalanceTimeout.Std() + ch.cfg.RequestTimeout.Std()},
		beat:     line{t: ch.t, wait: min(ch.cfg.RequestTimeout.Std(), ch.cfg.SessionTimeout.Std())},
		who:      membership{generation: -1, instance: ch.instance},
	}
	m.owned = &assignment{
		drain: drain, timeout: ch.cfg.RebalanceTimeout.Std(), log: ch.log, count: &ch.assigned, met: ch.met,
		running: map[ingest.Partition]*running{}, late: map[ingest.Partition]*running{},
		open: func(ctx context.Context, p ingest.Partition) *stream {
			return &stream{p: p, c: c, cfg: &ch.cfg, m: m, log: ch.log, met: ch.met, part: ch.part, held: &ch.held, life: ctx, line: line{t: ch.t, wait: ch.t.requestTimeout}}
		},
	}
	err = m.run(ctx)
	// What still runs ends with ctx, under the grace that ctx's own Ending gives; meanwhile the group must count us in.
	p := m.pulse(ctx)
	m.owned.finish()
	p.stop()
	m.beat.close()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	m.leave(last)
	return err
}

func (ch *Channel) seeds() []string {
	seeds := make([]string, 0, len(ch.cfg.Brokers))
	for _, b := range ch.cfg.Brokers {
		seeds = append(seeds, b.String())
	}
	return seeds
}

// part is the equal share of fetch.memory that one partition has.
func (ch *Channel) part() int64 {
	return ch.cfg.Fetch.Memory.Bytes() / max(ch.assigned.Load(), 1)
}
