package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// pulse sends the heartbeats of one generation, also while revoked partitions are being finished and while the agent stops.
type pulse struct {
	m      *member
	cancel context.CancelFunc
	done   chan struct{}
	result chan error // one: why the generation is over

	mu   sync.Mutex
	last time.Time // when the coordinator last answered
}

// pulse starts them. They do not end with ctx: the member stays one until its drains have returned.
func (m *member) pulse(ctx context.Context) *pulse {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &pulse{m: m, cancel: cancel, done: make(chan struct{}), result: make(chan error, 1), last: time.Now()}
	go p.run(ctx)
	return p
}

func (p *pulse) stop() {
	p.cancel()
	<-p.done
}

func (p *pulse) contact() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *pulse) run(ctx context.Context) {
	defer close(p.done)
	tick := time.NewTicker(p.m.cfg.Heartbeat.Std())
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := p.m.heartbeat(ctx, &p.m.beat)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			said = ""
			p.mu.Lock()
			p.last = time.Now()
			p.mu.Unlock()
		case errors.Is(err, sarama.ErrRebalanceInProgress):
			p.report(errRejoin)
		case lostMembership(err), fatal(err):
			p.report(err)
			return
		case time.Since(p.contact()) > p.m.cfg.SessionTimeout.Std():
			p.report(fmt.Errorf("%w: no heartbeat was answered for %s: %w", errNoMember, p.m.cfg.SessionTimeout, err))
			return
		case err.Error() != said:
			said = err.Error() // once, not at every heartbeat
			p.m.log.WarnContext(ctx, "heartbeat failed", "group", p.m.c.group, "error", err)
		}
	}
}

// report is heard once.
func (p *pulse) report(err error) {
	select {
	case p.result <- err:
	default:
	}
}

// heartbeat sends one under the present membership.
func (m *member) heartbeat(ctx context.Context, n *line) error {
	who, ok := m.membership()
	if !ok {
		return errNoMember
	}
	addr, err := m.c.findCoordinator(ctx)
	if err != nil {
		return err
	}
	err = n.do(ctx, addr, func(b *sarama.Broker) error {
		resp, err := b.Heartbeat(&sarama.HeartbeatRequest{
			Version: 4, GroupId: m.c.group, GenerationId: who.generation, MemberId: who.id, GroupInstanceId: who.instance,
		})
		if err != nil {
			return err
		}
		return codeError(resp.Err)
	})
	return m.coordinatorError(addr, err)
}

// confirm returns nil when the coordinator accepts a heartbeat that is sent now.
func (m *member) confirm(ctx context.Context) error {
	n := line{t: m.c.t, wait: m.c.t.requestTimeout}
	defer n.close()
	return m.heartbeat(ctx, &n)
}
