package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/ingest/status"
	"github.com/penstock-io/penstock/kerberos"
)

// TestSystemdIsTold reads what the agent sends: ready at the start, then signs of life, at last that it stops.
func TestSystemdIsTold(t *testing.T) {
	at := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", at)
	t.Setenv("WATCHDOG_USEC", "3000")
	root := status.New("penstock")
	root.Set(status.OK, "")
	sink := root.Child("lake")
	sink.Set(status.OK, "")
	sink.Child("clicks+0").Set(status.OK, "")
	stop, endStop := context.WithCancel(t.Context())
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- notifySystemd(ctx, stop, root, slog.New(slog.DiscardHandler)) }()

	next := func() string {
		buffer := make([]byte, 4096)
		n, err := l.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	until := func(pattern string) {
		want := regexp.MustCompile("^" + pattern + "$")
		for got := next(); !want.MatchString(got); got = next() {
			if !strings.HasPrefix(got, "WATCHDOG=1\n") {
				t.Fatalf("told %q before %q", got, pattern)
			}
		}
	}
	until("READY=1\nSTATUS=draining 1 partitions, all OK")
	until("WATCHDOG=1\nSTATUS=draining 1 partitions, all OK")
	sink.Child("clicks+0").Set(status.Failed, "no permission on /data\n\tto do: ask for it")
	root.Child("rest").Set(status.Failed, "quota")
	until("WATCHDOG=1\nSTATUS=penstock/lake/clicks\\+0: Failed since [^ ]+: no permission on /data \\(and 1 more\\)")
	endStop()
	until("STOPPING=1\nSTATUS=rolling and committing open files")
	until("WATCHDOG=1\nSTATUS=.*") // the last commits may take longer than the watchdog waits
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestWatch: what channels and logins say becomes states; saying it again is no other attempt.
func TestWatch(t *testing.T) {
	root := status.New("penstock")
	root.Set(status.OK, "")
	w := newWatch(t.Context(), &plant{}, root)
	away, gone := errors.New("no broker answers"), errors.New("topic clicks does not exist")
	type seen struct {
		State    status.State
		Reason   string
		Attempts int
	}
	channel := func(s brokerlink.Standing) seen {
		w.channel("channels.clicks", "g", s)
		c := root.Snapshot().Children[0]
		return seen{c.State, c.Reason, c.Attempts}
	}
	got := []seen{
		channel(brokerlink.Standing{}), channel(brokerlink.Standing{Err: away}), channel(brokerlink.Standing{Joined: true}),
		channel(brokerlink.Standing{Err: away}), channel(brokerlink.Standing{Err: away}),
		channel(brokerlink.Standing{Joined: true}), channel(brokerlink.Standing{Joined: true, Err: gone}),
	}
	want := []seen{
		{status.Starting, "joining group g", 0},
		{status.Starting, "no broker answers", 0},
		{status.OK, "", 0},
		{status.Retrying, "no broker answers", 1},
		{status.Retrying, "no broker answers", 1},
		{status.OK, "", 0},
		{status.Retrying, "topic clicks does not exist", 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("channel (-want +got):\n%s", d)
	}
	w.login("kerberos.ingest", kerberos.Status{})
	if s := root.Snapshot().Children[1]; s.State != status.Starting {
		t.Errorf("a login that has not been tried: %+v", s)
	}
	w.login("kerberos.ingest", kerberos.Status{Err: kerberos.ErrKDCUnreachable})
	if s := root.Snapshot().Children[1]; s.State != status.Failed || s.Reason != "KDC unreachable" {
		t.Errorf("a login that failed: %+v", s)
	}
}

// holder is a file system with a token.
type holder struct {
	fileSystem
	token.Owner
	err error
	no  bool
}

func (h *holder) DelegationToken(context.Context) (token.Owner, bool, error) {
	return h.Owner, !h.no, h.err
}

// TestTokens: the end of a delegation token is known before it comes.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &holder{Owner: token.Owner{Name: "etl", Max: time.Now().Add(90 * time.Minute)}}
		p := &plant{files: map[string]fileSystem{"prod ns1": h, "lab ": &holder{no: true}, "": nil}}
		root := status.New("penstock")
		w := newWatch(t.Context(), p, root)
		metrics := prometheus.NewRegistry()
		metrics.MustRegister(newTokenMetrics(p))
		for _, c := range []struct {
			after  time.Duration
			err    error
			state  status.State
			reason string
		}{
			{0, nil, status.OK, ""},
			{29 * time.Minute, nil, status.OK, ""},
			{2 * time.Minute, nil, status.Retrying, "the delegation token of etl cannot be renewed beyond"},
			{time.Minute, errors.New("no delegation token"), status.Failed, "no delegation token"},
		} {
			<-time.After(c.after) // synthetic time
			h.err = c.err
			w.look(t.Context())
			all := root.Snapshot().Children
			if len(all) != 1 || all[0].Name != "tokens.prod ns1" || all[0].State != c.state || !strings.HasPrefix(all[0].Reason, c.reason) {
				t.Errorf("%s later: %+v; want %s", c.after, all, c.state)
			}
			families, err := metrics.Gather()
			if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 1 {
				t.Fatalf("%v, %v", families, err)
			}
			want := float64(h.Max.Unix())
			if c.err != nil {
				want = 0
			}
			if got := families[0].GetMetric()[0].GetGauge().GetValue(); got != want {
				t.Errorf("%s later: %f; want %f", c.after, got, want)
			}
		}
	})
}

// TestMetricNames: dashboards and alerts find everything under one prefix.
func TestMetricNames(t *testing.T) {
	doc, err := conf.Load("../../conf/examples/local-text.yaml", kinds())
	if err != nil {
		t.Fatal(err)
	}
	metrics := newRegistry()
	p, err := newPlant(t.Context(), doc, settings{log: slog.New(slog.DiscardHandler), metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	metrics.MustRegister(newLoginMetrics(p.logins), newTokenMetrics(p), newReadyMetric(status.New("penstock")))
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, f := range families {
		switch name := f.GetName(); {
		case strings.HasPrefix(name, "penstock_"):
			ours++
		case !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_"):
			t.Errorf("metric %s", name)
		}
		if f.GetHelp() == "" {
			t.Errorf("metric %s has no help", f.GetName())
		}
	}
	if ours < 8 {
		t.Errorf("%d metrics of ours", ours)
	}
}
