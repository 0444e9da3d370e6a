//go:build integration

package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/integration/oracle"
	"github.com/penstock-io/penstock/integration/readers"
)

// TestExactlyOnce runs the plan and counts.
func TestExactlyOnce(t *testing.T) {
	events, step, nightly := int64(60_000), int64(1_500), os.Getenv("PENSTOCK_NIGHTLY") != ""
	if nightly {
		events, step = 1_000_000, 20_000
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("PENSTOCK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("PENSTOCK_SEED=%d", seed)
	r := newRun(t, seed)
	ledger := r.play(events, step, nightly)
	if t.Failed() {
		return
	}
	r.judge(ledger, events)
}

// play has events sent, read and committed while the plan is carried out, and returns what was sent.
func (r *run) play(events, step int64, nightly bool) *oracle.Ledger {
	p, err := newProducer(r.topic, r.cluster.Conf().KafkaPlain, r.sending)
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.client.Close()
	for _, a := range r.agents {
		if err := a.start(); err != nil {
			r.t.Fatal(err)
		}
	}
	enough, over := make(chan struct{}), make(chan struct{})
	group, ctx := errgroup.WithContext(r.t.Context())
	group.Go(func() error {
		return p.send(ctx, events, 4*step, enough, func(sent int64) int64 { return sent - r.done.Load() })
	})
	group.Go(func() error { return r.sampler.watch(ctx, over) })
	group.Go(func() error { return r.look(ctx, over) })
	if nightly {
		group.Go(func() error { return r.bounce(ctx, enough) })
	}
	group.Go(func() error {
		defer close(over)
		if err := r.carryOut(ctx, step, nightly); err != nil {
			return err
		}
		close(enough)
		var low int64
		err := r.until(ctx, "everything that was sent is committed", func(ctx context.Context) bool {
			low = r.proven(ctx)
			return p.sent.Load() >= events && low == p.sent.Load()
		})
		if hints, sum, hintErr := r.committed(ctx); err != nil || hintErr != nil || sum != low {
			r.t.Logf("%d events sent, %d proven, %d hinted: %v, %v", p.sent.Load(), low, sum, hints, hintErr)
		}
		return err
	})
	if err := group.Wait(); err != nil {
		r.t.Errorf("%v", err)
	}
	return p.ledger
}

// proven is how many events are committed by what the manifests say; -1: they could not be read just now.
func (r *run) proven(ctx context.Context) (sum int64) {
	proof, err := r.agents[0].verify(ctx, "--log")
	if err != nil {
		return -1
	}
	for _, p := range proof.Partitions {
		sum += p.Low
	}
	return sum
}

// look keeps an eye on what is committed, for the producer.
func (r *run) look(ctx context.Context, stop <-chan struct{}) error {
	for {
		_, _, _ = r.committed(ctx) // the broker may be away
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// carryOut lets the faults happen, in random order, each after events were committed since the one before.
func (r *run) carryOut(ctx context.Context, step int64, nightly bool) error {
	var todo []fault
	for _, f := range faults() {
		n := f.short
		if nightly {
			n = f.nightly
		}
		for range n {
			todo = append(todo, f)
		}
	}
	r.random.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	began := time.Now()
	for i, f := range todo {
		if err := r.progress(ctx, step); err != nil {
			return fmt.Errorf("before %s: %w", f.name, err)
		}
		evidence, err := f.happen(r, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		r.t.Logf("%4.0fs  %2d of %d  %s: %s", time.Since(began).Seconds(), i+1, len(todo), f.name, evidence)
	}
	return r.progress(ctx, step)
}

// bounce restarts a DataNode every 60 seconds until enough is closed.
func (r *run) bounce(ctx context.Context, enough <-chan struct{}) error {
	for n := 0; ; n++ {
		select {
		case <-enough:
			if n == 0 {
				return fmt.Errorf("no DataNode was bounced: the run was too short")
			}
			r.t.Logf("a DataNode was bounced %d times", n)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Minute):
		}
		if _, err := alone((*run).restartDataNode)(r, ctx); err != nil {
			return fmt.Errorf("bounce: %w", err)
		}
	}
}

// judge stops the agents and counts what is visible, by two readers; the sink's own proof must agree.
func (r *run) judge(ledger *oracle.Ledger, atLeast int64) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*liveness)
	defer cancel()
	for _, a := range r.agents {
		if err := a.stop(ctx); err != nil {
			r.t.Fatal(err)
		}
	}
	var last error
	err := r.until(ctx, "the sampler gets through once more", func(ctx context.Context) bool {
		last = r.sampler.pass(ctx)
		return last == nil || errors.Is(last, errSampled)
	})
	if err != nil || last != nil {
		r.t.Fatalf("the last look at every file: %v, %v", last, err)
	}
	dir := r.download()
	sent := ledger.Events()
	python, err := readers.Python(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for name, read := range map[string]func(yield func(oracle.Row) error) error{
		"xitongsys/parquet-go": func(yield func(oracle.Row) error) error { return oracle.ReadFiles(r.t.Context(), dir, yield) },
		"DuckDB": func(yield func(oracle.Row) error) error {
			return oracle.ReadWithDuckDB(r.t.Context(), python, dir, yield)
		},
	} {
		judge := oracle.NewJudge(ledger, r.topic)
		if err := read(judge.Add); err != nil {
			r.t.Errorf("%s: %v", name, err)
			continue
		}
		report := judge.Report()
		if err := report.Err(); err != nil || report.Rows != sent || report.Files != len(r.sampler.seen) {
			r.t.Errorf("%s: %d rows in %d files; %d were sent, %d files were seen: %v", name, report.Rows, report.Files, sent, len(r.sampler.seen), err)
		}
	}
	proof, err := r.agents[0].verify(r.t.Context(), "--read")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range proof.Partitions {
		if p.Dead+p.Filtered+p.Gaps != 0 {
			r.t.Errorf("verify knows of dead letters, filters or gaps, and there were none: %+v", p)
		}
	}
	if proof.Rows != sent || sent < atLeast || len(r.sampler.seen) == 0 || r.sampler.passes == 0 {
		r.t.Errorf("verify counts %d rows, %d were sent, at least %d were to be; the sampler saw %d files in %d passes",
			proof.Rows, sent, atLeast, len(r.sampler.seen), r.sampler.passes)
	}
	r.t.Logf("%d events sent, %d rows in %d files; %d looks in %d passes of the sampler", sent, proof.Rows, proof.Files, r.sampler.looks, r.sampler.passes)
}

// download copies all that is below base, hidden or not, to where this machine sees it.
func (r *run) download() string {
	dir := filepath.Join(r.cluster.Conf().Dir, r.topic) // the containers know it under the same name
	r.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if _, err := r.cluster.HDFS(r.t.Context(), "ingest", "-get", r.base, dir); err != nil {
		r.t.Fatal(err)
	}
	return dir
}
