//go:build integration

package bench

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

const (
	parquet = "{type: parquet, compression: zstd}"
	text    = "{type: text}"
)

// size is the full size, or a small one with -short.
func size(full, short int64) int64 {
	if testing.Short() {
		return short
	}
	return full
}

// rounds is how often runs take turns. PENSTOCK_BENCH_ROUNDS says another number, for a machine that is shared.
func rounds(b testing.TB, full int) int {
	b.Helper()
	given := os.Getenv("PENSTOCK_BENCH_ROUNDS")
	if given == "" {
		return int(size(int64(full), 2))
	}
	n, err := strconv.Atoi(given)
	if err != nil {
		b.Fatalf("PENSTOCK_BENCH_ROUNDS: %v", err)
	}
	return n
}

// BenchmarkEndToEnd is the agent, Kafka to files, beside what reading and encoding the same events cost alone.
func BenchmarkEndToEnd(b *testing.B) {
	b.Run("local", func(b *testing.B) { endToEnd(b, localTarget(b)) })
	b.Run("hdfs", func(b *testing.B) { endToEnd(b, hdfsTarget(b)) })
}

func endToEnd(b *testing.B, t *target) {
	b.Helper()
	w := workload{Events: size(1_000_000, 100_000), Partitions: 4, Buckets: 1}
	for b.Loop() {
		brokers := startBroker(b, brokerPlan{Work: w, Codec: "lz4"})
		var ratios, reading, encoding, whole series
		for round := range rounds(b, 7) {
			name := fmt.Sprintf("round-%d", round)
			a := consume(b, consumePlan{Brokers: brokers, Group: "consume-" + name, Events: w.Events})
			e := encode(b, w)
			dir := t.dir(b, name)
			cpu, _ := land(b, agentPlan{Brokers: brokers, Group: name, Path: dir + "/dt=%Y-%m-%d/hr=%H", Format: parquet, Cluster: t.cluster}, w.Events)
			t.verify(b, dir, w.Events)
			reading, encoding, whole = append(reading, perMillion(a, w.Events)), append(encoding, perMillion(e, w.Events)), append(whole, perMillion(cpu, w.Events))
			ratios = append(ratios, (a+e).Seconds()/cpu.Seconds())
		}
		b.Logf("CPU s per million events: reading %s, encoding %s, agent %s; ratio %s", reading, encoding, whole, ratios)
		b.ReportMetric(ratios.median(), "ratio")
		b.ReportMetric(whole.median(), "cpu-s/Mevents")
		b.ReportMetric(0, "ns/op")
	}
}

func perMillion(cpu time.Duration, events int64) float64 {
	return cpu.Seconds() / float64(events) * 1e6
}

// series are the values of some rounds.
type series []float64

func (s series) sorted() series { return slices.Sorted(slices.Values(s)) }

func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	return s.sorted()[len(s)/2]
}

// String is minimum / median / maximum, and all values where they are few.
func (s series) String() string {
	if len(s) == 0 {
		return "nothing"
	}
	o := s.sorted()
	text := fmt.Sprintf("%.2f / %.2f / %.2f", o[0], s.median(), o[len(o)-1])
	if len(s) > 1 && len(s) <= 10 {
		text += fmt.Sprintf(" %.2f", []float64(s))
	}
	return text
}
