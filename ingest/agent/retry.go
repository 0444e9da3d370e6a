package agent

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/status"
)

func randomFloat() float64 { return rand.Float64() }

// drainPartition calls sink.Drain until ctx ends. Each call recovers, so trying again is always safe; how long to wait before
// depends only on what the last call said.
func (a *Agent) drainPartition(ctx context.Context, p Pipeline, s ingest.Stream) error {
	node := a.o.Status.Child(p.Name).Child(s.Partition().String())
	defer node.Remove()
	log := a.o.Logger.With("sink", p.Name, "topic", s.Partition().Topic, "partition", s.Partition().ID)
	failures, blocked := 0, false
	w := &watched{Stream: s}
	for {
		settled := a.settle(node, w, failures, blocked)
		err := p.Sink.Drain(ctx, w)
		if settled() {
			failures = 0
		}
		blocked = ingest.IsBlocked(err)
		if ctx.Err() != nil {
			if _, ended := ingest.EndingOf(ctx); ended && err != nil {
				log.Warn("last commit failed; its events will be read again", "reason", context.Cause(ctx), "error", err)
				if errors.Is(context.Cause(ctx), ingest.ErrStopping) {
					a.abandoned.Store(true)
				}
			}
			return nil // logged: there is nobody left to act on it
		}
		failures++
		wait := a.backoff(failures)
		switch {
		case err == nil:
			// A sink has no reason to return while its context lives; treat it like a failure rather than spin.
			node.Set(status.Retrying, "the sink ended by itself")
		case errors.Is(err, ingest.ErrFenced) && !ingest.IsPermanent(err):
			log.Warn("fenced: another owner has claimed this partition", "error", err)
			node.Set(status.Retrying, err.Error())
		case ingest.IsPermanent(err):
			log.Error("partition stopped", "error", err, "look_again_in", a.o.LookAgain)
			node.Set(status.Failed, err.Error())
			wait = a.jittered(a.o.LookAgain)
		default:
			log.Warn("drain failed; trying again", "error", err, "attempt", failures)
			node.Set(status.Retrying, err.Error())
		}
		pause(ctx, wait)
		if errors.Is(err, ingest.ErrFenced) {
			a.confirm(ctx, s, log)
		}
	}
}

// confirm returns when the coordinator has accepted this member after it was fenced, or ctx has ended. Without that, a claim would
// take the partition from whom it belongs to.
func (a *Agent) confirm(ctx context.Context, s ingest.Stream, log *slog.Logger) {
	for try := 1; ctx.Err() == nil; try++ {
		err := s.Confirm(ctx)
		if err == nil {
			return
		}
		log.Warn("the coordinator does not confirm this member; the partition is not claimed until it does", "error", err)
		pause(ctx, a.backoff(try))
	}
}

// settle sets the node to OK: at once when nothing has failed yet, otherwise when the call has lasted longer than the longest
// pause, or has committed. After an error that blocks what was read, only a commit counts: by the time of the next one the
// call may have lasted for an hour. The returned function stops the wait and says whether the call had settled.
func (a *Agent) settle(node *status.Node, w *watched, failures int, blocked bool) (settled func() bool) {
	if failures == 0 {
		node.Set(status.OK, "")
		return func() bool { return true }
	}
	over := false
	w.onCommit = func() {
		if !over {
			over = true
			node.Set(status.OK, "")
		}
	}
	if blocked && w.owes {
		return func() bool { return over }
	}
	t := time.AfterFunc(a.o.RetryMax, func() { node.Set(status.OK, "") })
	return func() bool { return !t.Stop() || over }
}

// watched is a stream that knows whether events were read and not committed since. Used by the drain's goroutine.
type watched struct {
	ingest.Stream

	owes     bool
	hint     ingest.Hint // the last
	onCommit func()      // nil: nobody waits for it
}

// Read implements ingest.Stream.
func (w *watched) Read(ctx context.Context, next ingest.Offset) (ingest.Batch, error) {
	b, err := w.Stream.Read(ctx, next)
	w.owes = w.owes || len(b.Events) > 0
	return b, err
}

// Commit implements ingest.Stream. A hint comes after each commit, and tells of it even when it is not taken; one that is offered again tells
// nothing new.
func (w *watched) Commit(ctx context.Context, h ingest.Hint) error {
	if h != w.hint {
		if w.owes, w.hint = false, h; w.onCommit != nil {
			w.onCommit()
		}
	}
	return w.Stream.Commit(ctx, h)
}

// backoff doubles from RetryMin to RetryMax, less up to half of it at random, so that partitions do not try again in step.
func (a *Agent) backoff(failures int) time.Duration {
	d := a.o.RetryMax
	if failures < 20 {
		d = min(d, a.o.RetryMin<<(failures-1))
	}
	return a.jittered(d)
}

func (a *Agent) jittered(d time.Duration) time.Duration {
	return d - time.Duration(a.o.Jitter()*float64(d)/2)
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
