package hdfssink_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
)

// discard is a format that keeps nothing of an event but its size: what is left is the sink's own work.
type discard struct{}

func (discard) Name() string     { return "discard" }
func (discard) Ext() string      { return "txt" }
func (discard) SchemaID() string { return "1" }

func (discard) NewEncoder(w io.Writer, _ formats.Context) (formats.Encoder, error) {
	return &discardEncoder{w: w}, nil
}

func (discard) Inspect(r io.ReaderAt, size int64) (formats.Info, error) {
	b := make([]byte, size)
	_, err := r.ReadAt(b, 0)
	var rows int64
	fmt.Sscan(string(b), &rows)
	return formats.Info{Rows: rows}, err
}

type discardEncoder struct {
	w          io.Writer
	rows, size int64
}

func (e *discardEncoder) Append(ev *ingest.Event) error {
	e.rows++
	e.size += int64(len(ev.Body)) / 8 // what compression would leave
	return nil
}
func (e *discardEncoder) Buffered() int64 { return e.size % (1 << 20) }
func (e *discardEncoder) Size() int64     { return e.size }
func (e *discardEncoder) Flush() error    { return nil }
func (e *discardEncoder) Abandon()        {}
func (e *discardEncoder) Close(map[string]string) error {
	_, err := fmt.Fprintf(e.w, "%-20d", e.rows)
	return err
}

// flood is a stream without end, made of one batch.
type flood struct {
	ingest.Stream
	events  []ingest.Event
	marks   []ingest.Mark
	buckets int64
	left    int64
	done    func()
}

func newFlood(s ingest.Stream, n, buckets int64, done func()) *flood {
	f := &flood{Stream: s, buckets: buckets, left: n, done: done, marks: make([]ingest.Mark, 1)}
	body := []byte(strings.Repeat("x", 480))
	for range 1000 {
		f.events = append(f.events, ingest.Event{Body: body, Key: []byte("k")})
	}
	return f
}

func (f *flood) Read(ctx context.Context, next ingest.Offset) (ingest.Batch, error) {
	if f.left <= 0 {
		f.done()
		<-ctx.Done()
		return ingest.Batch{}, ctx.Err()
	}
	n := min(f.left, int64(len(f.events)))
	f.left -= n
	for i := range f.events[:n] {
		o := next + ingest.Offset(i)
		f.events[i].Offset = o
		f.events[i].Timestamp = start.UnixMilli() + int64(uint64(o)*2654435761%uint64(f.buckets))*3600_000
	}
	f.marks[0].Offset = next + ingest.Offset(n) - 1
	return ingest.Batch{Range: ingest.Range{First: next, Next: next + ingest.Offset(n)}, Events: f.events[:n], Marks: f.marks}, nil
}

// BenchmarkAppend is the whole drain over a file system in memory, with an encoder that does nothing: from Read to the last commit.
func BenchmarkAppend(b *testing.B) {
	for _, buckets := range []int64{1, 24, 1000} {
		b.Run(fmt.Sprintf("buckets-%d", buckets), func(b *testing.B) {
			b.ReportAllocs()
			flooded(b, int64(b.N), buckets, nil)
		})
	}
}

// TestDrainAllocatesNothingForEvents: what a life allocates does not grow with its events.
func TestDrainAllocatesNothingForEvents(t *testing.T) {
	const n = 200_000
	for _, buckets := range []int64{1, 24} {
		life := func(n int64) float64 {
			return testing.AllocsPerRun(1, func() { floodedOver(t, mem.New(mem.Options{}), n, buckets, nil) })
		}
		if per := (life(n) - life(1000)) / n; per > 0.05 {
			t.Errorf("%d buckets: %.3f allocations for each event", buckets, per)
		}
	}
}

// BenchmarkMillion is a million events with 128 MiB files: the size of the commit log, and calls of the file system per commit.
func BenchmarkMillion(b *testing.B) {
	for _, buckets := range []int64{1, 24, 1000} {
		b.Run(fmt.Sprintf("buckets-%d", buckets), func(b *testing.B) {
			for b.Loop() {
				fs := flooded(b, 1_000_000, buckets, func(c *hdfssink.Config) { c.Roll.Size, c.BlockSize = 8*conf.MiB, 128*conf.MiB })
				logBytes, commits, files := 0, 0, 0
				fs.Walk("/data", func(name string, i dfs.Info, data []byte) {
					switch {
					case i.Dir:
					case strings.Contains(name, "/log/"):
						logBytes += len(data)
						commits++
					case strings.HasSuffix(name, ".txt"):
						files++
					}
				})
				b.ReportMetric(float64(logBytes), "logbytes/Mevents")
				b.ReportMetric(float64(commits), "manifests")
				b.ReportMetric(float64(files), "files")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// BenchmarkCallsPerCommit counts what a roll-over of one file and of 24 asks of the NameNode.
func BenchmarkCallsPerCommit(b *testing.B) {
	for _, buckets := range []int64{1, 24} {
		b.Run(fmt.Sprintf("files-%d", buckets), func(b *testing.B) {
			for b.Loop() {
				base, more := 0, 0
				for i, n := range []int64{0, 10 * buckets * 100} {
					calls := 0
					fs := fault.New(mem.New(mem.Options{}), fault.Plan{Log: func(c fault.Call) {
						if c.Op != "write" {
							calls++
						}
					}})
					floodedOver(b, fs, n, buckets, nil)
					if i == 0 {
						base = calls
					} else {
						more = calls
					}
				}
				b.ReportMetric(float64(more-base), "calls/commit")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

func flooded(b *testing.B, n, buckets int64, edit func(c *hdfssink.Config)) *mem.FS {
	b.Helper()
	fs := mem.New(mem.Options{})
	floodedOver(b, fs, n, buckets, edit)
	return fs
}

func floodedOver(b testing.TB, fs dfs.FS, n, buckets int64, edit func(c *hdfssink.Config)) {
	b.Helper()
	r := newRig(func(r *rig) { r.o.FS, r.o.Format, r.c.Path = fs, discard{}, "/data/dt=%Y-%m-%d/hr=%H" })
	if edit != nil {
		edit(&r.c)
	}
	s, err := hdfssink.New(r.c, r.o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(b.Context())
	grace, end := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer end()
	stream := newFlood(r.log.Stream(0), n, buckets, func() { cancel(&ingest.Ending{Reason: ingest.ErrStopping, Grace: grace}) })
	if err := s.Drain(ctx, stream); err != nil {
		b.Fatal(err)
	}
}
