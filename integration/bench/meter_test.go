//go:build integration

package bench

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cost is what some runs of one agent have cost.
type cost struct{ total, warm, peak series }

func (c *cost) add(m meter, cpu time.Duration, events int64) {
	c.total = append(c.total, perMillion(cpu, events))
	c.warm = append(c.warm, m.secondHalf(events))
	c.peak = append(c.peak, float64(m.p.peak>>20))
}

// over divides round by round.
func (s series) over(d series) (out series) {
	for i := range s {
		out = append(out, s[i]/d[i])
	}
	return out
}

// meter notes how far a process is and what it has cost until then.
type meter struct {
	p       *process
	samples []sample
}

type sample struct {
	cpu  time.Duration
	done int64
}

// run asks how far the process is, twice a second (which is a cost of its own, and alike for all), until it is at the end.
func (m *meter) run(b testing.TB, events int64, done func(ctx context.Context) int64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Minute)
	defer cancel()
	for tick(ctx, 500*time.Millisecond) {
		m.p.look()
		m.samples = append(m.samples, sample{cpu: cpuOf(m.p.cmd.Process.Pid), done: done(ctx)})
		if m.samples[len(m.samples)-1].done >= events {
			return
		}
		if procField(m.p.cmd.Process.Pid, "VmHWM:") == 0 {
			break
		}
	}
	b.Fatalf("%s is not through: %v\n%s", m.p.cmd.Path, ctx.Err(), m.p.tail())
}

// secondHalf is the cost of the events from the middle on, without start and stop.
func (m *meter) secondHalf(events int64) float64 {
	last := m.samples[len(m.samples)-1]
	for _, s := range m.samples {
		if s.done >= events/2 && s.done < last.done {
			return perMillion(last.cpu-s.cpu, last.done-s.done)
		}
	}
	return 0
}

// cpuOf is the CPU time of a living process: fields 14 and 15 of its stat, in hundredths of a second.
func cpuOf(pid int) time.Duration {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
