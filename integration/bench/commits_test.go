//go:build integration

package bench

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration/cluster"
)

// BenchmarkCommits is what exactly once costs a NameNode: its calls for each commit, as it counts them itself, and the bytes of manifests
// and archives for each million events. Events are of many hours in turn, so that every file holds a scattered set of offsets.
func BenchmarkCommits(b *testing.B) {
	for _, c := range []struct {
		buckets int64
		roll    string
	}{
		{24, "{size: 1MiB}"},     // files are rolled one by one, as they fill
		{24, ""},                 // the defaults: all files are rolled by the stop
		{1000, "{size: 256KiB}"}, //
		{1000, ""},
	} {
		b.Run(fmt.Sprintf("buckets-%d/roll-%s", c.buckets, strings.Trim(c.roll, "{}")), func(b *testing.B) { commitCost(b, c.buckets, c.roll) })
	}
}

func commitCost(b *testing.B, buckets int64, roll string) {
	b.Helper()
	w := workload{Events: size(2_000_000, 200_000), Partitions: 1, Buckets: buckets}
	t := hdfsTarget(b)
	for b.Loop() {
		brokers := startBroker(b, brokerPlan{Work: w, Codec: "lz4"})
		dir := t.dir(b, "commits")
		plan := agentPlan{Brokers: brokers, Group: "commits", Path: dir + "/dt=%Y-%m-%d/hr=%H", Format: parquet, Roll: roll, Cluster: t.cluster}
		before := t.calls(b)
		land(b, plan, w.Events)
		after := t.calls(b)
		again := startAgent(b, plan) // claims, finds nothing new, stops: what is not a commit's
		again.until(b, lowOffset, w.Events)
		again.stop(b)
		idle := t.calls(b)

		r := t.verify(b, dir, w.Events)
		made := float64(r.Partitions[0].Seq + 1) // with the genesis, which the second start has not
		total := 0.0
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(after)) {
			if n := after[name] - before[name] - (idle[name] - after[name]); n > 0 {
				total += n
				parts = append(parts, fmt.Sprintf("%s %.0f", name, n))
			}
		}
		logBytes := t.logBytes(b, dir)
		b.Logf("%.0f commits of %d files, %.1f calls a commit, %.1f a file; log %d bytes; %s", made, r.Files, total/made, total/float64(r.Files), logBytes, strings.Join(parts, ", "))
		b.ReportMetric(total/made, "calls/commit")
		b.ReportMetric(total/float64(r.Files), "calls/file")
		b.ReportMetric(float64(logBytes)/float64(w.Events)*1e6, "logbytes/Mevents")
		b.ReportMetric(0, "ns/op")
	}
}

// calls are the NameNode's counts of calls since its start, without those of DataNodes. They are looked at through a cache of ten
// seconds; so one more call is made, the same each time, and it is waited for.
func (t *target) calls(b testing.TB) map[string]float64 {
	b.Helper()
	stale := t.counts(b)
	if err := t.fs.RemoveAll(b.Context(), t.base+"/nothing"); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for tick(ctx, time.Second) {
		if now := t.counts(b); !maps.Equal(now, stale) {
			return now
		}
	}
	b.Fatalf("the NameNode does not count a call: %v", ctx.Err())
	return nil
}

func (t *target) counts(b testing.TB) map[string]float64 {
	b.Helper()
	beans, err := t.cluster.JMX(b.Context(), cluster.NameNode, "Hadoop:service=NameNode,name=RpcDetailedActivityForPort8020")
	if err != nil {
		b.Fatal(err)
	}
	if len(beans) != 1 {
		b.Fatalf("the NameNode has %d beans of calls", len(beans))
	}
	counts := map[string]float64{}
	for name, v := range beans[0] {
		method, ok := strings.CutSuffix(name, "NumOps")
		n, isNumber := v.(float64)
		if ok && isNumber && !strings.HasPrefix(method, "Overall") && !ofDataNodes(method) { // each is there twice
			counts[method] = n
		}
	}
	return counts
}

func ofDataNodes(method string) bool {
	return slices.Contains([]string{"SendHeartbeat", "BlockReport", "BlockReceivedAndDeleted", "RegisterDatanode", "VersionRequest", "CacheReport"}, method)
}

// logBytes are those of manifests and archives.
func (t *target) logBytes(b testing.TB, dir string) (n int64) {
	b.Helper()
	log := path.Join(t.local(dir), ".penstock/lake", topic+"+0", "log")
	list, err := t.fs.List(b.Context(), log)
	if err != nil {
		b.Fatal(err)
	}
	for _, i := range list {
		n += i.Size
	}
	return n
}
