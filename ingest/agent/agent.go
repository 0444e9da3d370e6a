// Package agent runs pipelines: it drains each channel into its sink, tries again what failed, reports states, and stops in
// good order. It knows no component by name.
//
//	Run ─┬─ service.Run (logins, admin)                                     one goroutine each
//	     └─ channel.Drain ── for each partition ── drainPartition ── sink.Drain, again and again
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/status"
)

// Pipeline is a channel and the sink that empties it.
type Pipeline struct {
	Name    string // the sink's name in the configuration
	Channel ingest.Channel
	Sink    ingest.Sink
}

// Service runs beside the pipelines until its context ends: a Kerberos login, the admin listener. Services stop after the
// pipelines, which may need them for their last commit. An error of a service ends the agent.
type Service struct {
	Name string
	Run  func(ctx context.Context) error
}

// Options are the agent's settings; New fills in the defaults.
type Options struct {
	Logger      *slog.Logger
	Status      *status.Node
	StopTimeout time.Duration  // for the last commits after a stop was asked for; default 60 s
	RetryMin    time.Duration  // first pause after a failure; default 200 ms
	RetryMax    time.Duration  // longest pause; default 30 s
	LookAgain   time.Duration  // pause after a permanent failure: somebody may have mended it; default 60 s
	Jitter      func() float64 // in [0, 1); default math/rand
}

// ErrAbandoned is what Run returns when it was told to stop and not everything was committed in time. Nothing is lost: it is
// read again.
var ErrAbandoned = errors.New("stopped before everything was committed")

// Agent runs pipelines.
type Agent struct {
	o         Options
	pipelines []Pipeline
	services  []Service
	abandoned atomic.Bool // a last commit failed
}

// New makes an agent. Nothing runs before Run.
func New(pipelines []Pipeline, services []Service, o Options) *Agent {
	return &Agent{o: o.withDefaults(), pipelines: pipelines, services: services}
}

// Run runs everything until stop ends; then the sinks commit what they have, within StopTimeout and while hard lives,
// and Run returns nil, or ErrAbandoned. It returns earlier, with the error, when a channel or a service cannot go on.
func (a *Agent) Run(stop, hard context.Context) error {
	services, endServices := context.WithCancel(context.WithoutCancel(hard))
	defer endServices()
	sg, sctx := errgroup.WithContext(services)
	for _, s := range a.services {
		sg.Go(func() error { return a.runService(sctx, s) })
	}

	grace, endGrace := context.WithCancel(hard)
	defer endGrace()
	ctx, end := context.WithCancelCause(context.WithoutCancel(stop))
	defer end(nil)
	begin := sync.OnceFunc(func() {
		a.o.Logger.Info("stopping: rolling and committing open files", "stop_timeout", a.o.StopTimeout)
		a.o.Status.Set(status.Stopping, "stopping")
		timer := time.AfterFunc(a.o.StopTimeout, endGrace)
		context.AfterFunc(grace, func() { timer.Stop() })
		end(&ingest.Ending{Reason: ingest.ErrStopping, Grace: grace})
	})
	a.o.Status.Set(status.OK, "")
	defer context.AfterFunc(stop, begin)()
	defer context.AfterFunc(sctx, begin)() // a service failed

	err := a.runPipelines(ctx, begin)
	endServices()
	err = errors.Join(err, sg.Wait())
	a.o.Status.Set(status.Stopped, "")
	if err == nil && a.abandoned.Load() {
		return ErrAbandoned
	}
	return err
}

func (a *Agent) runService(ctx context.Context, s Service) error {
	err := s.Run(ctx)
	if err == nil || ctx.Err() != nil {
		return nil //nolint:nilerr // what a service says when it is told to end is of no interest
	}
	return fmt.Errorf("%s: %w", s.Name, err)
}

// runPipelines returns when every channel has. A channel that fails ends the others in good order: an agent that runs half of its
// configuration would look healthy to whoever started it.
func (a *Agent) runPipelines(ctx context.Context, begin func()) error {
	var g errgroup.Group
	for _, p := range a.pipelines {
		node := a.o.Status.Child(p.Name)
		node.Set(status.OK, "")
		g.Go(func() error {
			err := p.Channel.Drain(ctx, func(ctx context.Context, s ingest.Stream) error {
				return a.drainPartition(ctx, p, s)
			})
			if err == nil || ctx.Err() != nil {
				node.Set(status.Stopped, "")
				return nil //nolint:nilerr // a channel that was told to end has nothing to report but that
			}
			node.Set(status.Failed, err.Error())
			begin()
			return fmt.Errorf("channel of sink %s: %w", p.Name, err)
		})
	}
	return g.Wait()
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Status == nil {
		o.Status = status.New("agent")
	}
	o.StopTimeout = orDefault(o.StopTimeout, time.Minute)
	o.RetryMin = orDefault(o.RetryMin, 200*time.Millisecond)
	o.RetryMax = orDefault(o.RetryMax, 30*time.Second)
	o.LookAgain = orDefault(o.LookAgain, time.Minute)
	if o.Jitter == nil {
		o.Jitter = randomFloat
	}
	return o
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}
