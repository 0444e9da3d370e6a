package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/agent"
	"github.com/penstock-io/penstock/ingest/status"
)

// channel gives out one partition until its context ends, or fails at once.
type channel struct {
	stream ingest.Stream
	err    error
}

func (c channel) Drain(ctx context.Context, drain ingest.DrainFunc) error {
	if c.err != nil {
		return c.err
	}
	if err := drain(ctx, c.stream); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

type stream struct {
	ingest.Stream
	confirmed int
	refusals  int
}

func (*stream) Partition() ingest.Partition { return ingest.Partition{Topic: "clicks", ID: 3} }
func (*stream) Read(context.Context, ingest.Offset) (ingest.Batch, error) {
	return ingest.Batch{Events: make([]ingest.Event, 1)}, nil
}
func (*stream) Commit(context.Context, ingest.Hint) error { return nil }
func (s *stream) Confirm(context.Context) error {
	if s.refusals > 0 {
		s.refusals--
		return errors.New("the coordinator does not know this member")
	}
	s.confirmed++
	return nil
}

// script is a sink whose n-th Drain returns what the n-th step does; behind the last it blocks until its context ends.
type script struct {
	steps []func(ctx context.Context) error

	mu     sync.Mutex
	starts []time.Duration // of each call, since the first
	begin  time.Time
}

func (s *script) calls() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.starts)
}

func (s *script) Drain(ctx context.Context, _ ingest.Stream) error {
	s.mu.Lock()
	if len(s.starts) == 0 {
		s.begin = time.Now()
	}
	s.starts = append(s.starts, time.Since(s.begin))
	n := len(s.starts)
	s.mu.Unlock()
	if n <= len(s.steps) {
		return s.steps[n-1](ctx)
	}
	<-ctx.Done()
	return nil
}

func fail(err error) func(context.Context) error { return func(context.Context) error { return err } }

func options(root *status.Node) agent.Options {
	return agent.Options{Status: root, RetryMin: time.Second, RetryMax: 8 * time.Second, StopTimeout: 10 * time.Second, Jitter: func() float64 { return 0 }}
}

// run starts an agent and returns its end: stop asks it to stop, hard is the second signal.
func run(t *testing.T, c ingest.Channel, s ingest.Sink, o agent.Options, services ...agent.Service) (stop, hard context.CancelFunc, wait func() error) {
	t.Helper()
	sctx, stop := context.WithCancel(t.Context())
	hctx, hard := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- agent.New([]agent.Pipeline{{Name: "lake", Channel: c, Sink: s}}, services, o).Run(sctx, hctx)
	}()
	return stop, hard, func() error { return <-done }
}

func TestFailuresAreTriedAgainWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := status.New("agent")
		broken := errors.New("namenode away")
		s := &script{steps: []func(context.Context) error{fail(broken), fail(broken), fail(broken), fail(broken), fail(broken), fail(broken)}}
		stop, _, wait := run(t, channel{stream: &stream{}}, s, options(root))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 23 * time.Second}
		if d := cmp.Diff(want, s.calls()); d != "" {
			t.Errorf("starts (-want +got):\n%s", d)
		}
		n := root.Snapshot().Children[0].Children[0]
		if n.State != status.Retrying || n.Reason != "namenode away" || n.Name != "clicks+3" {
			t.Errorf("state while retrying: %+v", n)
		}
		time.Sleep(time.Minute) // the seventh call lasts
		synctest.Wait()
		if n := root.Snapshot().Children[0].Children[0]; n.State != status.OK {
			t.Errorf("state after a call that lasts: %+v", n)
		}
		stop()
		if err := wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := len(root.Snapshot().Children[0].Children); n != 0 {
			t.Errorf("%d partitions left in the tree after the end", n)
		}
	})
}

func TestFencedSinkClaimsAgainOnlyAfterConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &stream{}
		var confirmedBefore int
		s := &script{steps: []func(context.Context) error{
			fail(fmt.Errorf("commit: %w", ingest.ErrFenced)),
			func(ctx context.Context) error { confirmedBefore = st.confirmed; <-ctx.Done(); return nil },
		}}
		stop, _, wait := run(t, channel{stream: st}, s, options(status.New("agent")))
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if err := wait(); err != nil {
			t.Error(err)
		}
		if len(s.calls()) != 2 || confirmedBefore != 1 {
			t.Errorf("%d calls, %d confirmations before the second; want 2 and 1", len(s.calls()), confirmedBefore)
		}
	})
}

// TestFencedSinkWaitsForAConfirmation: an answer is not yet a confirmation, and being fenced too often is no reason to do without.
func TestFencedSinkWaitsForAConfirmation(t *testing.T) {
	for name, err := range map[string]error{"fenced": ingest.ErrFenced, "fenced too often": ingest.Permanent(ingest.ErrFenced)} {
		synctest.Test(t, func(t *testing.T) {
			st := &stream{refusals: 3}
			confirmedBefore := -1
			s := &script{steps: []func(context.Context) error{
				fail(fmt.Errorf("commit: %w", err)),
				func(ctx context.Context) error { confirmedBefore = st.confirmed; <-ctx.Done(); return nil },
			}}
			stop, _, wait := run(t, channel{stream: st}, s, options(status.New("agent")))
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			stop()
			if err := wait(); err != nil {
				t.Error(err)
			}
			if len(s.calls()) != 2 || confirmedBefore != 1 || st.refusals != 0 {
				t.Errorf("%s: %d calls, %d confirmations before the second, %d refusals left; want 2, 1 and 0", name, len(s.calls()), confirmedBefore, st.refusals)
			}
		})
	}
}

func TestPermanentFailureIsLookedAtRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := status.New("agent")
		s := &script{steps: []func(context.Context) error{fail(ingest.Permanent(errors.New("manifest 7 is corrupt")))}}
		stop, _, wait := run(t, channel{stream: &stream{}}, s, options(root))
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := root.Snapshot().Children[0].Children[0]; n.State != status.Failed || len(s.calls()) != 1 {
			t.Errorf("after 59 s: %+v, %d calls; want Failed and 1", n, len(s.calls()))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(s.calls()) != 2 {
			t.Errorf("%d calls after a minute, want 2", len(s.calls()))
		}
		stop()
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestBlockedUntilACommit: the sink may not publish where its files go. Its next life reads for a long time before it comes to that again, so only a
// commit shows that somebody has helped.
func TestBlockedUntilACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := status.New("agent")
		sink := &reader{}
		stop, _, wait := run(t, channel{stream: &stream{}}, sink, options(root))
		is := func(at time.Duration, want status.State) {
			t.Helper()
			time.Sleep(at)
			synctest.Wait()
			if n := root.Snapshot().Children[0].Children[0]; n.State != want {
				t.Errorf("%+v, want %v", n, want)
			}
		}
		is(5*time.Minute, status.OK)
		is(6*time.Minute, status.Retrying)
		is(3*time.Minute, status.Retrying)
		is(5*time.Minute, status.Retrying) // in the third life, which commits after ten minutes
		is(2*time.Minute, status.OK)
		stop()
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

// reader is a sink that reads an event and needs ten minutes until it would commit it. The first two commits are refused.
type reader struct{ lives int }

func (s *reader) Drain(ctx context.Context, from ingest.Stream) error {
	if _, err := from.Read(ctx, 0); err != nil {
		return err
	}
	s.lives++
	select {
	case <-ctx.Done():
		return nil
	case <-time.After([]time.Duration{10 * time.Minute, time.Second, 10 * time.Minute}[s.lives-1]):
	}
	if s.lives < 3 {
		return ingest.Blocked(errors.New("permission denied"))
	}
	if err := from.Commit(ctx, ingest.Hint{Next: 1}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func TestStopGivesGrace(t *testing.T) {
	for _, c := range []struct {
		name   string
		second bool // a second signal after 1 s
		want   time.Duration
	}{{"until the stop timeout", false, 10 * time.Second}, {"until a second signal", true, time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reason error
				s := &script{steps: []func(context.Context) error{func(ctx context.Context) error {
					<-ctx.Done()
					e, ok := ingest.EndingOf(ctx)
					if !ok {
						return context.Cause(ctx)
					}
					reason = e.Reason
					<-e.Grace.Done() // a commit that hangs
					return e.Grace.Err()
				}}}
				services := 0
				service := agent.Service{Name: "login", Run: func(ctx context.Context) error { services++; <-ctx.Done(); services--; return ctx.Err() }}
				stop, hard, wait := run(t, channel{stream: &stream{}}, s, options(status.New("agent")), service)
				synctest.Wait()
				begin := time.Now()
				stop()
				if c.second {
					time.Sleep(time.Second)
					synctest.Wait()
					hard()
				}
				if err := wait(); !errors.Is(err, agent.ErrAbandoned) {
					t.Errorf("Run: %v, want %v", err, agent.ErrAbandoned)
				}
				if got := time.Since(begin); got != c.want || !errors.Is(reason, ingest.ErrStopping) {
					t.Errorf("ended after %v with reason %v; want %v, %v", got, reason, c.want, ingest.ErrStopping)
				}
				if services != 0 {
					t.Error("the service outlived Run")
				}
			})
		})
	}
}

func TestAFailedChannelOrServiceEndsTheAgent(t *testing.T) {
	refused := errors.New("refused")
	synctest.Test(t, func(t *testing.T) {
		_, _, wait := run(t, channel{err: refused}, &script{}, options(status.New("agent")))
		if err := wait(); !errors.Is(err, refused) {
			t.Errorf("channel failed, Run said %v", err)
		}
		_, _, wait = run(t, channel{stream: &stream{}}, &script{}, options(status.New("agent")),
			agent.Service{Name: "admin", Run: func(context.Context) error { return refused }})
		if err := wait(); !errors.Is(err, refused) {
			t.Errorf("service failed, Run said %v", err)
		}
	})
}
