package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/ingest/status"
	"github.com/penstock-io/penstock/kerberos"
)

// watch brings what the agent cannot know into the status tree: an agent without a ticket is about to stand still, and one whose
// brokers are away has no partition that could say so.
type watch struct {
	plant  *plant
	root   *status.Node
	joined map[string]bool   // channels that have been members of their group
	tokens time.Time         // when those were looked at last
	last   map[string]string // what was set, since setting it again would count as another attempt
}

func newWatch(ctx context.Context, p *plant, root *status.Node) *watch {
	w := &watch{plant: p, root: root, joined: map[string]bool{}, last: map[string]string{}}
	w.look(ctx)
	return w
}

func (w *watch) run(ctx context.Context) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (w *watch) look(ctx context.Context) {
	if time.Since(w.tokens) >= lookAtTokens {
		w.tokens = time.Now()
		w.plant.eachToken(ctx, w.token)
	}
	for name, l := range w.plant.logins {
		w.login("kerberos."+name, l.Status())
	}
	for i := range w.plant.lines {
		l := &w.plant.lines[i]
		w.channel("channels."+l.channelName, l.channelConfig.Group, l.channel.Standing())
	}
}

func (w *watch) login(name string, s kerberos.Status) {
	switch {
	case s.Err != nil && s.Ready():
		w.set(name, status.Retrying, fmt.Sprintf("ticket until %s; renewing it failed: %v", s.Expiry.UTC().Format(time.RFC3339), s.Err))
	case s.Err != nil:
		w.set(name, status.Failed, s.Err.Error())
	case s.Ready():
		w.set(name, status.OK, "")
	default:
		w.set(name, status.Starting, "logging in")
	}
}

func (w *watch) channel(name, group string, s brokerlink.Standing) {
	switch {
	case s.Joined && s.Err != nil:
		w.joined[name] = true
		w.set(name, status.Retrying, s.Err.Error())
	case s.Joined:
		w.joined[name] = true
		w.set(name, status.OK, "")
	case w.joined[name]:
		w.set(name, status.Retrying, s.Err.Error())
	case s.Err != nil:
		w.set(name, status.Starting, s.Err.Error())
	default:
		w.set(name, status.Starting, "joining group "+group)
	}
}

func (w *watch) set(name string, s status.State, reason string) {
	if what := s.String() + " " + reason; w.last[name] != what {
		w.last[name] = what
		w.root.Child(name).Set(s, reason)
	}
}

// tellSignals logs what the agent makes of signals.
func tellSignals(ctx, stop, hard context.Context, log *slog.Logger) error {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	stopped := stop.Done()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-reload:
			log.Warn("SIGHUP: the configuration is read at start only; restart the agent to change it")
		case <-stopped:
			stopped = nil
			log.Info("stop asked for", "reason", context.Cause(stop))
		case <-hard.Done():
			log.Warn("stop asked for again: open files are abandoned, their events will be read again", "reason", context.Cause(hard))
			return nil
		}
	}
}

// notifySystemd tells systemd, where there is one, that the agent serves, what it does, that it is alive, and that it stops. It runs until
// the last commit. An agent that cannot tell goes on: only systemd can judge that.
func notifySystemd(ctx, stop context.Context, root *status.Node, log *slog.Logger) error {
	failed := false
	tell := func(state ...string) {
		if _, err := daemon.SdNotify(false, strings.Join(state, "\n")); err != nil && !failed {
			failed = true
			log.Warn("systemd cannot be told", "error", err)
		}
	}
	every := 5 * time.Second
	if watchdog, err := daemon.SdWatchdogEnabled(false); err == nil && watchdog > 0 {
		every = min(every, watchdog/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	tell(daemon.SdNotifyReady, "STATUS="+oneLine(root.Snapshot()))
	stopped := stop.Done()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-stopped:
			stopped = nil
			tell(daemon.SdNotifyStopping, "STATUS=rolling and committing open files")
		case <-tick.C:
			// The tree's lock is what every component reports under: an agent that hangs there is not alive.
			tell(daemon.SdNotifyWatchdog, "STATUS="+oneLine(root.Snapshot()))
		}
	}
}

// oneLine is the status for systemctl status.
func oneLine(s status.Snapshot) string {
	why := s.Unready(time.Now(), 0)
	switch len(why) {
	case 0:
		partitions := 0
		for _, sink := range s.Children {
			partitions += len(sink.Children)
		}
		return fmt.Sprintf("draining %d partitions, all OK", partitions)
	case 1:
		return firstLine(why[0])
	}
	return fmt.Sprintf("%s (and %d more)", firstLine(why[0]), len(why)-1)
}
