//go:build integration

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/textfile"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/local"
	"github.com/penstock-io/penstock/ingest"
)

const module = "github.com/penstock-io/penstock"

// framesPlan is a drain in which every allocation is recorded.
type framesPlan struct {
	Brokers []string
	Path    string
	Text    bool
	Events  int64
	HDFS    *hdfsLogin // nil: this machine
}

// owner is whose code allocated: the module of the innermost frame that is not of the standard library. So what our code makes
// fmt, time or a map allocate is ours; what it makes sarama or arrow allocate is theirs.
type owner struct {
	Module  string
	Objects int64
	Places  []string // the largest, "function objects"
}

// playFrames is channel and sink as the agent puts them together, with the profiler at every allocation.
func playFrames(ctx context.Context, p framesPlan) error {
	runtime.MemProfileRate = 1
	ch, err := openTopic(p.Brokers, "frames")
	if err != nil {
		return err
	}
	sink, err := newSink(ctx, p)
	if err != nil {
		return err
	}
	stop, end := context.WithCancelCause(ctx)
	var left atomic.Int64
	left.Store(p.Events)
	err = ch.Drain(stop, func(ctx context.Context, s ingest.Stream) error {
		return sink.Drain(ctx, &countdown{Stream: s, left: &left, end: func() { end(&ingest.Ending{Reason: ingest.ErrStopping, Grace: ctx}) }})
	})
	if err != nil {
		return err
	}
	owners, err := allocations()
	if err != nil {
		return err
	}
	return say(owners)
}

func newSink(ctx context.Context, p framesPlan) (*hdfssink.Sink, error) {
	var fs dfs.FS
	var err error
	if p.HDFS == nil {
		fs, err = local.New("/")
	} else {
		fs, err = p.HDFS.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	o := hdfssink.Options{Name: "lake", FS: fs, Owner: commitlog.Owner{Host: "bench", PID: os.Getpid(), Start: time.Now()}}
	if o.DeadLetters, err = parquetfile.DeadLetters(parquetfile.DefaultConfig()); err != nil {
		return nil, err
	}
	if p.Text {
		o.Format, err = textfile.New(textfile.DefaultConfig())
	} else {
		o.Format, err = parquetfile.New(parquetfile.DefaultConfig())
	}
	if err != nil {
		return nil, err
	}
	c := hdfssink.DefaultConfig()
	c.Path = p.Path + "/dt=%Y-%m-%d/hr=%H"
	return hdfssink.New(c, o)
}

// countdown ends the drain when all events were read.
type countdown struct {
	ingest.Stream
	left *atomic.Int64
	end  func()
}

func (c *countdown) Read(ctx context.Context, next ingest.Offset) (ingest.Batch, error) {
	b, err := c.Stream.Read(ctx, next)
	if c.left.Add(-int64(len(b.Events))) <= 0 {
		c.end()
	}
	return b, err
}

// allocations reads the profile. Two collections make it complete.
func allocations() ([]owner, error) {
	runtime.GC()
	runtime.GC()
	n, _ := runtime.MemProfile(nil, true)
	records := make([]runtime.MemProfileRecord, n+1000)
	n, ok := runtime.MemProfile(records, true)
	if !ok {
		return nil, errors.New("the heap profile grew while it was read")
	}
	sums, places := map[string]int64{}, map[string]map[string]int64{}
	for i := range records[:n] {
		frame := innermost(records[i].Stack())
		m := moduleOf(frame)
		if places[m] == nil {
			places[m] = map[string]int64{}
		}
		sums[m] += records[i].AllocObjects
		places[m][frame] += records[i].AllocObjects
	}
	var out []owner
	for m, objects := range sums {
		o := owner{Module: m, Objects: objects}
		for frame, objects := range places[m] {
			o.Places = append(o.Places, fmt.Sprintf("%9d %s", objects, frame))
		}
		slices.Sort(o.Places)
		slices.Reverse(o.Places)
		o.Places = o.Places[:min(len(o.Places), 8)]
		out = append(out, o)
	}
	slices.SortFunc(out, func(x, y owner) int { return int(y.Objects - x.Objects) })
	return out, nil
}

// innermost is the innermost function that is not of the standard library; empty: there is none (the runtime, goroutines of net/http).
func innermost(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if first, _, _ := strings.Cut(f.Function, "/"); strings.Contains(first, ".") && strings.Contains(f.Function, "/") {
			return f.Function
		}
		if !more {
			return ""
		}
	}
}

func moduleOf(function string) string {
	if function == "" {
		return "standard library alone"
	}
	slash := strings.LastIndexByte(function, '/')
	pkg, _, _ := strings.Cut(function[slash+1:], ".")
	parts := strings.Split(function[:slash+1]+pkg, "/")
	return strings.Join(parts[:min(len(parts), 3)], "/")
}

// TestOurFramesAllocateLittle: what our own code allocates, its libraries left out, is little for each event, start and commits included.
func TestOurFramesAllocateLittle(t *testing.T) {
	t.Run("local/parquet", func(t *testing.T) { ourFrames(t, localTarget(t), 24, false) })
	t.Run("local/text", func(t *testing.T) { ourFrames(t, localTarget(t), 24, true) })
	// Each file of HDFS costs some hundred objects for the calls of the NameNode; so not 96 files of a megabyte here.
	t.Run("hdfs/parquet", func(t *testing.T) { ourFrames(t, hdfsTarget(t), 1, false) })
}

func ourFrames(t *testing.T, to *target, buckets int64, text bool) {
	t.Helper()
	w := workload{Events: 1_000_000, Partitions: 4, Buckets: buckets}
	brokers := startBroker(t, brokerPlan{Work: w, Codec: "lz4"})
	p := role(t, "frames", framesPlan{Brokers: brokers, Path: to.dir(t, "frames"), Text: text, Events: w.Events, HDFS: to.login()})
	var owners []owner
	p.hear(t, &owners)
	p.finish(t)
	ours := int64(-1)
	for _, o := range owners {
		t.Logf("%-40s %.4f objects per event", o.Module, float64(o.Objects)/float64(w.Events))
		if o.Module == module {
			ours = o.Objects
			t.Log("\n" + strings.Join(o.Places, "\n"))
		}
	}
	if ours < 0 {
		t.Fatal("nothing of ours is in the profile: it was not recorded")
	}
	if per := float64(ours) / float64(w.Events); per > 0.05 {
		t.Errorf("our own frames: %.4f allocations per event, 0.05 are allowed", per)
	}
}
