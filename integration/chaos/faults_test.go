//go:build integration

package chaos

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/integration/penstock"
)

// fault is something that happens to a running cluster. It returns the evidence that it did, once it is healed; an error when it did not
// happen, or when the agents do not get over it.
type fault struct {
	name           string
	short, nightly int // how often
	happen         func(r *run, ctx context.Context) (evidence string, err error)
}

func faults() []fault {
	return []fault{
		{"kill -9 of an agent", 4, 24, (*run).killAgent},
		{"zombie: SIGSTOP past take-over", 1, 3, (*run).zombie},
		{"an agent leaves and comes back", 1, 4, (*run).rebalance},
		{"DataNode killed", 1, 2, alone((*run).killDataNode)},
		{"NameNode restarted", 1, 2, alone((*run).restartNameNode)},
		{"broker restarted", 1, 2, alone((*run).restartBroker)},
		{"retention passes the group's hint", 1, 2, (*run).retention},
		{"KDC away for longer than a ticket lives", 1, 2, alone((*run).kdcOutage)},
	}
}

// alone has a fault that takes a server away wait until no other server is being restarted.
func alone(happen func(*run, context.Context) (string, error)) func(*run, context.Context) (string, error) {
	return func(r *run, ctx context.Context) (string, error) {
		select {
		case r.servers <- struct{}{}:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		defer func() { <-r.servers }()
		return happen(r, ctx)
	}
}

// killAgent kills one of the agents at a random moment, and starts it again: static membership gives it its partitions back.
func (r *run) killAgent(ctx context.Context) (string, error) {
	a := r.agents[r.random.IntN(len(r.agents))]
	if err := wait(ctx, time.Duration(r.random.Int64N(int64(5*time.Second)))); err != nil {
		return "", err
	}
	pid, err := a.kill()
	if err != nil {
		return "", err
	}
	// Whatever the moment was: what readers find is what the manifests name.
	if _, err := a.verify(ctx, "--files"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, pid %d", a.name, pid), a.start()
}

// zombie freezes an agent until another has taken all of its partitions over and committed, and lets it go on.
func (r *run) zombie(ctx context.Context) (string, error) {
	i := r.random.IntN(len(r.agents))
	a, other := r.agents[i], r.agents[1-i]
	err := r.until(ctx, a.name+" owns partitions", func(ctx context.Context) bool {
		// An agent that has just started, or lost its session, would miss nothing while it is frozen.
		return strings.Contains(penstock.Page(ctx, a.admin, "/status"), r.topic+"+")
	})
	if err != nil {
		return "", err
	}
	if err := a.signal(syscall.SIGSTOP); err != nil {
		return "", err
	}
	began, before := time.Now(), other.logged()
	err = r.until(ctx, other.name+" takes over", func(context.Context) bool { return other.said(before, "claimed") != "" })
	if err != nil {
		return "", err
	}
	if err := r.everyPartition(ctx); err != nil { // of which a had some
		return "", fmt.Errorf("while %s was frozen: %w", a.name, err)
	}
	frozen, since := time.Since(began), a.logged()
	if err := a.signal(syscall.SIGCONT); err != nil {
		return "", err
	}
	said := ""
	err = r.until(ctx, a.name+" finds out that it was frozen", func(context.Context) bool {
		said = a.said(since, "fenced", "group session lost")
		return said != ""
	})
	return fmt.Sprintf("%s was frozen for %v; then it said %q", a.name, frozen.Round(time.Second), said), err
}

// rebalance stops an agent in good order, lets the other have everything, and starts it again.
func (r *run) rebalance(ctx context.Context) (string, error) {
	i := r.random.IntN(len(r.agents))
	a, other := r.agents[i], r.agents[1-i]
	limited, cancel := context.WithTimeout(ctx, liveness)
	defer cancel()
	if err := a.stop(limited); err != nil {
		return "", err
	}
	since := other.logged()
	if err := r.everyPartition(ctx); err != nil {
		return "", err
	}
	if other.said(since, "claimed") == "" && other.said(0, "partitions assigned") == "" {
		return "", fmt.Errorf("%s has got no partitions", other.name)
	}
	if err := a.start(); err != nil {
		return "", err
	}
	began := a.logged()
	err := r.until(ctx, a.name+" gets partitions again", func(context.Context) bool { return a.said(began, "claimed") != "" })
	return a.name + " left and came back", err
}

// killDataNode kills one of two: blocks that are being written lose a replica, and new ones cannot have two. It is the one that is bounced:
// what was written while that one was away lies on the other alone, and nobody could read it without that.
func (r *run) killDataNode(ctx context.Context) (string, error) {
	const node = cluster.DataNode2
	if err := r.cluster.Kill(ctx, node); err != nil {
		return "", err
	}
	if up, err := r.cluster.Running(ctx, node); err != nil || up {
		return "", fmt.Errorf("%s runs after its kill: %v, %w", node, up, err)
	}
	if err := r.everyPartition(ctx); err != nil {
		return "", fmt.Errorf("without %s: %w", node, err)
	}
	return string(node), r.cluster.Run(ctx, node)
}

func (r *run) restartDataNode(ctx context.Context) (string, error) {
	return r.restart(ctx, cluster.DataNode2)
}

func (r *run) restartNameNode(ctx context.Context) (string, error) {
	return r.restart(ctx, cluster.NameNode)
}

// restartBroker restarts it between two requests of the producer: one that the broker had carried out for some of its partitions when it
// stopped was once carried out again for those, idempotent or not, and the agents landed both, as they must.
func (r *run) restartBroker(ctx context.Context) (string, error) {
	select {
	case r.sending <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { <-r.sending }()
	return r.restart(ctx, cluster.Kafka)
}

// restart restarts a server under the agents.
func (r *run) restart(ctx context.Context, s cluster.Service) (string, error) {
	before, err := r.cluster.Started(ctx, s)
	if err != nil {
		return "", err
	}
	if err := r.cluster.Restart(ctx, s); err != nil {
		return "", err
	}
	after, err := r.cluster.Started(ctx, s)
	if err != nil || !after.After(before) {
		return "", fmt.Errorf("%s runs since %v, and did before: %w", s, after, err)
	}
	return fmt.Sprintf("%s runs since %s", s, after.Format(time.TimeOnly)), nil
}

// retention sets the group's hint back and has the broker delete everything that is committed: whoever starts at the hint, or at what is
// left of it, loses or doubles events.
func (r *run) retention(ctx context.Context) (string, error) {
	limited, cancel := context.WithTimeout(ctx, liveness)
	defer cancel()
	for _, a := range r.agents {
		if err := a.stop(limited); err != nil {
			return "", err
		}
	}
	hints, err := r.admin.FetchOffsets(limited, r.topic)
	if err != nil {
		return "", err
	}
	back, low := kadm.Offsets{}, kadm.Offsets{}
	for p := range int32(partitions) {
		h, ok := hints.Lookup(r.topic, p)
		if !ok || h.At < 2 {
			return "", fmt.Errorf("partition %d has the hint %d: nothing to set back", p, h.At)
		}
		low.Add(h.Offset)
		h.At /= 2
		back.Add(h.Offset)
	}
	err = r.until(ctx, "the group is empty, and takes a hint of ours", func(ctx context.Context) bool {
		set, err := r.admin.CommitOffsets(ctx, r.topic, back)
		return err == nil && set.Error() == nil
	})
	if err != nil {
		return "", err
	}
	if _, err := r.admin.DeleteRecords(limited, low); err != nil {
		return "", err
	}
	starts, err := r.admin.ListStartOffsets(limited, r.topic)
	if err != nil {
		return "", err
	}
	var evidence []string
	for p := range int32(partitions) {
		start, _ := starts.Lookup(r.topic, p)
		hint, _ := back.Lookup(r.topic, p)
		if start.Offset <= hint.At {
			return "", fmt.Errorf("partition %d begins at %d, the hint is %d", p, start.Offset, hint.At)
		}
		evidence = append(evidence, fmt.Sprintf("%d of %d", hint.At, start.Offset))
	}
	for _, a := range r.agents {
		if err := a.start(); err != nil {
			return "", err
		}
	}
	return "hints and log starts: " + strings.Join(evidence, ", "), nil
}

// kdcOutage gives the agents short tickets, stops the KDC until those are over, and kills an agent meanwhile: it must log in again, and the
// other must take its partitions over connections that need new tickets.
func (r *run) kdcOutage(ctx context.Context) (string, error) {
	const life = 15 * time.Second
	if err := r.cluster.LimitTickets(ctx, "ingest", life); err != nil {
		return "", err
	}
	defer func() { _ = r.cluster.LimitTickets(context.WithoutCancel(ctx), "ingest", 0) }() // the next Start would notice
	for _, a := range r.agents {
		if _, err := a.kill(); err != nil {
			return "", err
		}
		if err := a.start(); err != nil {
			return "", err
		}
	}
	if err := r.everyPartition(ctx); err != nil {
		return "", err
	}
	a := r.agents[r.random.IntN(len(r.agents))]
	if err := r.cluster.Stop(ctx, cluster.KDC); err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := a.kill(); err != nil {
		return "", err
	}
	if err := a.start(); err != nil {
		return "", err
	}
	if err := wait(ctx, life+5*time.Second); err != nil {
		return "", err
	}
	page := penstock.Page(ctx, a.admin, "/status")
	away := time.Since(began)
	if err := r.cluster.Run(ctx, cluster.KDC); err != nil {
		return "", err
	}
	if !strings.Contains(page, "KDC") {
		return "", fmt.Errorf("%s has started without a KDC, and says nothing of it:\n%s", a.name, page)
	}
	if err := r.everyPartition(ctx); err != nil {
		return "", fmt.Errorf("after the KDC came back: %w", err)
	}
	return fmt.Sprintf("tickets live for %v, the KDC was away for %v", life, away.Round(time.Second)), nil
}
