//go:build integration

package bench

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// BenchmarkMemory is the highest resident set of an agent under its defaults (128 MiB files, 256 MiB for unwritten rows), and how large its
// files become: a budget that is kept by rolling early would show there.
func BenchmarkMemory(b *testing.B) {
	b.Run("partitions-100/local", func(b *testing.B) {
		manyPartitions(b, localTarget(b), size(36_000_000, 2_000_000))
	})
	b.Run("partitions-100/hdfs", func(b *testing.B) {
		manyPartitions(b, hdfsTarget(b), size(6_000_000, 1_000_000))
	})
	for _, partitions := range []int{1, 4} {
		b.Run(fmt.Sprintf("buckets-1000/partitions-%d", partitions), func(b *testing.B) { manyBuckets(b, partitions) })
	}
}

// manyPartitions drains a topic that has no end, until so many events were read. Its bodies do not compress, so that files fill in minutes: what
// is buffered are compressed pages, whatever they were before.
func manyPartitions(b *testing.B, t *target, events int64) {
	b.Helper()
	for b.Loop() {
		brokers := startBroker(b, brokerPlan{Work: workload{Partitions: 100}, Endless: true})
		dir := t.dir(b, "partitions")
		a := startAgent(b, agentPlan{Brokers: brokers, Group: "partitions", Path: dir, Format: parquet, Cluster: t.cluster})
		a.until(b, readEvents, events)
		full := t.sizes(b, dir) // before the stop, which rolls what is open
		a.stop(b)
		reportFiles(b, a, full, t.sizes(b, dir))
	}
}

// manyBuckets drains a workload whose events go to a thousand files in turn.
func manyBuckets(b *testing.B, partitions int) {
	b.Helper()
	w := workload{Events: size(4_000_000, 200_000), Partitions: partitions, Buckets: 1000}
	t := localTarget(b)
	for b.Loop() {
		brokers := startBroker(b, brokerPlan{Work: w, Codec: "lz4"})
		dir := t.dir(b, "buckets")
		a := startAgent(b, agentPlan{Brokers: brokers, Group: "buckets", Path: dir + "/dt=%Y-%m-%d/hr=%H", Format: parquet})
		a.until(b, readEvents, w.Events)
		full := t.sizes(b, dir)
		a.stop(b)
		t.verify(b, dir, w.Events)
		reportFiles(b, a, full, t.sizes(b, dir))
	}
}

func reportFiles(b *testing.B, a *agent, full, all series) {
	b.Helper()
	b.Logf("peak RSS %d MiB; MiB of %d files before the stop: %s; of %d after it: %s", a.peak>>20, len(full), full, len(all), all)
	b.ReportMetric(float64(a.peak>>20), "peak-MiB")
	b.ReportMetric(cmp.Or(full.median(), all.median()), "file-MiB")
	b.ReportMetric(0, "ns/op")
}

// sizes are the MiB of the published files.
func (t *target) sizes(b testing.TB, dir string) (s series) {
	b.Helper()
	t.walk(b, t.local(dir), func(name string, i dfs.Info) {
		if strings.HasSuffix(name, ".parquet") {
			s = append(s, float64(i.Size)/(1<<20))
		}
	})
	return s
}

// walk visits everything below dir that is not hidden.
func (t *target) walk(b testing.TB, dir string, visit func(name string, i dfs.Info)) {
	b.Helper()
	list, err := t.fs.List(context.WithoutCancel(b.Context()), dir)
	if err != nil {
		b.Fatal(err)
	}
	slices.SortFunc(list, func(x, y dfs.Info) int { return cmp.Compare(x.Name, y.Name) })
	for _, i := range list {
		name := filepath.Join(dir, i.Name)
		switch {
		case strings.HasPrefix(i.Name, "."):
		case i.Dir:
			t.walk(b, name, visit)
		default:
			visit(name, i)
		}
	}
}
