package hdfssink_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/ingest"
)

// TestStagedFilesOutliveAnUnknownOutcome: the manifest's rename is carried out, its answer is lost, and whoever looks is refused. The manifest is in the
// log, so its staged files must stay where the next claim finds them.
func TestStagedFilesOutliveAnUnknownOutcome(t *testing.T) {
	for _, loss := range []fault.Loss{fault.WithEffect, fault.LateEffect} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			r.log.Append(0, events(0, 100, spread(3))...)
			lost, refused := 0, 0
			isManifest := func(name string) bool { return strings.HasSuffix(name, "/log/0000000001.json") }
			o := r.owner("a", fault.Plan{
				Lose: func(c fault.Call) fault.Loss {
					if lost == 0 && c.Op == "rename" && isManifest(c.To) {
						lost++
						return loss
					}
					return fault.NoLoss
				},
				Fail: func(c fault.Call) error {
					if lost > 0 && refused == 0 && isManifest(c.Name) {
						refused++
						return dfs.ErrRefused
					}
					return nil
				},
			})
			if err := drained(t, o.sink(t), r.log.Stream(0), time.Second); err == nil || lost != 1 || refused != 1 {
				t.Fatalf("lost %d, refused %d, %v", lost, refused, err)
			}
			if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
				t.Fatal(err)
			}
			r.exactly(t, 100)
		})
	}
}

// TestAnUnknownOutcomeOfAFencedOwner: who does not know whether its commit is in the log, and has lost the partition meanwhile, must not claim
// it again by itself.
func TestAnUnknownOutcomeOfAFencedOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.log.Append(0, events(0, 100, spread(3))...)
		lost, refused := 0, 0
		isManifest := func(name string) bool { return strings.HasSuffix(name, "/log/0000000001.json") }
		o := r.owner("a", fault.Plan{
			Before: func(c fault.Call) {
				if lost == 1 && refused == 0 && isManifest(c.Name) {
					if err := drained(t, r.owner("b", fault.Plan{}).sink(t), r.log.Stream(0), time.Second); err != nil {
						t.Error(err)
					}
				}
			},
			Lose: func(c fault.Call) fault.Loss {
				if lost == 0 && c.Op == "rename" && isManifest(c.To) {
					lost++
					return fault.NoEffect
				}
				return fault.NoLoss
			},
			Fail: func(c fault.Call) error {
				if lost == 1 && refused == 0 && isManifest(c.Name) {
					refused++
					return dfs.ErrRefused
				}
				return nil
			},
		})
		err := drained(t, o.sink(t), r.log.Stream(0), time.Second)
		if !errors.Is(err, ingest.ErrFenced) || refused != 1 {
			t.Errorf("refused %d times: %v", refused, err)
		}
		r.exactly(t, 100)
	})
}
