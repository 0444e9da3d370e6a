package commitlog_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
)

// TestMisspelledPartitionsGetNoState: a claim would make one, and whoever lists the state later would wonder.
func TestMisspelledPartitionsGetNoState(t *testing.T) {
	w, l := drained(t)
	op := commitlog.Operation{Partition: ingest.Partition{Topic: "cilcks", ID: 3}, User: "eve"}
	for name, do := range map[string]func(context.Context, commitlog.Operation) error{
		"accept-gap": func(ctx context.Context, op commitlog.Operation) error {
			_, err := l.AcceptGap(ctx, op, ingest.Range{First: 0, Next: 5})
			return err
		},
		"accept-topic": func(ctx context.Context, op commitlog.Operation) error {
			_, err := l.AcceptTopic(ctx, op, nil)
			return err
		},
		"accept-missing": func(ctx context.Context, op commitlog.Operation) error {
			_, err := l.AcceptMissing(ctx, op)
			return err
		},
		"reset": func(ctx context.Context, op commitlog.Operation) error {
			_, err := l.Reset(ctx, op, nil)
			return err
		},
	} {
		for _, op.DryRun = range []bool{true, false} {
			if err := do(t.Context(), op); err == nil || !strings.Contains(err.Error(), "misspelled") {
				t.Errorf("%s, dry run %v: %v", name, op.DryRun, err)
			}
		}
	}
	all, err := commitlog.List(t.Context(), w.fs, stateBase, sinkName)
	if err != nil || len(all) != 1 || all[0].Topic != w.part.Topic {
		t.Errorf("state: %+v, %v", all, err)
	}
}

// TestGapsNeedAGenesis: a gap before it would decide where the partition starts.
func TestGapsNeedAGenesis(t *testing.T) {
	w, l := drained(t)
	op := commitlog.Operation{Partition: w.part, User: "eve", Reason: "made again"}
	if _, err := l.AcceptTopic(t.Context(), op, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.AcceptGap(t.Context(), op, ingest.Range{First: 0, Next: 5}); err == nil || !strings.Contains(err.Error(), "life 2 has no manifest") {
		t.Errorf("accept-gap in a life that has not begun: %v", err)
	}
}

func TestADryRunMakesNoState(t *testing.T) {
	f := mem.New(mem.Options{})
	l, err := commitlog.Open(t.Context(), commitlog.Options{FS: f, State: stateBase, Sink: sinkName, Cluster: "kafka-1", Group: "penstock", DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := l.Adopt(t.Context(), commitlog.Operation{Partition: ingest.Partition{Topic: "clicks", ID: 3}, User: "eve", DryRun: true}, 7, nil)
	if err != nil || ch.Now != 7 || !ch.DryRun {
		t.Errorf("%+v, %v", ch, err)
	}
	if _, err := f.Stat(t.Context(), stateBase); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dry run has left something: %v", err)
	}
}
