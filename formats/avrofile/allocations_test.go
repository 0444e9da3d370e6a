//go:build !race

package avrofile_test

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/ingest"
)

// TestAllocations: nothing is allocated for an event, neither of JSON nor of a datum. The race detector makes sync.Pool, which has the writers,
// throw away what it is given at random; so does a collection, and none runs here.
func TestAllocations(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	s, fromJSON, events, datums := clicks(t, "snappy")
	for name, c := range map[string]struct {
		f      formats.Format
		events []ingest.Event
	}{
		"json": {fromJSON, events}, "datums": {typed(t, "snappy", bodies.Datums(s)), datums}, "raw": {newFormat(t, nil), events},
	} {
		fill(t, c.f, c.events)
		least := float64(len(c.events))
		for range 5 { // whatever else runs in the process only adds
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			fill(t, c.f, c.events)
			runtime.ReadMemStats(&after)
			least = min(least, float64(after.Mallocs-before.Mallocs))
		}
		if per := least / float64(len(c.events)); per > 0.02 {
			t.Errorf("%s: %.3f allocations per event", name, per)
		}
	}
}
