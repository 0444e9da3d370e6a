//go:build integration

package bench

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/ingest"
)

// consumePlan reads a topic to its end and throws the events away: what reading costs on its own.
type consumePlan struct {
	Brokers []string
	Group   string
	Events  int64
}

func playConsume(ctx context.Context, p consumePlan) error {
	ch, err := openTopic(p.Brokers, p.Group)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var left atomic.Int64
	left.Store(p.Events)
	return ch.Drain(ctx, func(ctx context.Context, s ingest.Stream) error {
		for next := ingest.Offset(0); ; {
			batch, err := s.Read(ctx, next)
			if err != nil {
				return err
			}
			next = batch.Next
			if left.Add(-int64(len(batch.Events))) <= 0 {
				cancel()
			}
		}
	})
}

// openTopic makes a channel as a configuration without further keys does.
func openTopic(brokers []string, group string) (*brokerlink.Channel, error) {
	c := brokerlink.DefaultConfig()
	c.Topics, c.Group = []string{topic}, group
	for _, addr := range brokers {
		hp, err := conf.ParseHostPort(addr)
		if err != nil {
			return nil, err
		}
		c.Brokers = append(c.Brokers, hp)
	}
	return brokerlink.New(c, brokerlink.Options{Name: "bench"})
}

// consume returns the CPU time of reading, that of starting the process and joining the group included.
func consume(b testing.TB, p consumePlan) time.Duration {
	b.Helper()
	return role(b, "consume", p).finish(b)
}

// encodePlan encodes a workload into nothing: what encoding costs on its own.
type encodePlan struct{ Work workload }

type encodeSays struct{ CPU time.Duration }

// playEncode makes events, some at a time, and counts the CPU of encoding them only. As in the agent, each partition has an encoder and
// a goroutine, so that the cores' caches are as contended as there.
func playEncode(ctx context.Context, p encodePlan) error {
	format, err := parquetfile.New(parquetfile.DefaultConfig())
	if err != nil {
		return err
	}
	lanes := make([]*lane, p.Work.Partitions)
	for i := range lanes {
		lanes[i] = &lane{format: format, part: ingest.Partition{Topic: topic, ID: int32(i)}, feed: p.Work.feed(i)}
	}
	var says encodeSays
	for left := p.Work.each(); left > 0 && ctx.Err() == nil; left -= laneEvents {
		for _, l := range lanes {
			l.load(int(min(left, laneEvents)))
		}
		runtime.GC() // the encoder's garbage is counted where it is made, not where events are
		before, err := ownCPU()
		if err != nil {
			return err
		}
		if err := together(lanes, left <= laneEvents); err != nil {
			return err
		}
		after, err := ownCPU()
		if err != nil {
			return err
		}
		says.CPU += after - before
	}
	return say(says)
}

func together(lanes []*lane, last bool) error {
	errs := make(chan error, len(lanes))
	var all sync.WaitGroup
	for _, l := range lanes {
		all.Go(func() { errs <- l.encode(last) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	laneEvents = 25_000 // 12 MB of bodies: more than fits into a cache
	fileSize   = 128 << 20
)

// lane is one partition's encoder and the events that come next.
type lane struct {
	format formats.Format
	part   ingest.Partition
	feed   *feed
	enc    formats.Encoder
	events []ingest.Event
}

// load makes events in the memory of those before.
func (l *lane) load(n int) {
	if l.events == nil {
		l.events = make([]ingest.Event, laneEvents)
	}
	l.events = l.events[:n]
	for i := range l.events {
		e := &l.events[i]
		e.Body, e.Key = e.Body[:0], e.Key[:0]
		l.feed.next(e)
	}
}

func (l *lane) encode(last bool) error {
	for i := range l.events {
		if l.enc == nil {
			enc, err := l.format.NewEncoder(io.Discard, formats.Context{Partition: l.part})
			if err != nil {
				return err
			}
			l.enc = enc
		}
		if err := l.enc.Append(&l.events[i]); err != nil {
			return err
		}
		if i%1000 == 999 && l.enc.Size() >= fileSize {
			if err := l.close(); err != nil {
				return err
			}
		}
	}
	if last && l.enc != nil {
		return l.close()
	}
	return nil
}

func (l *lane) close() error {
	err := l.enc.Close(nil)
	l.enc = nil
	return err
}

// encode returns the CPU time of encoding.
func encode(b testing.TB, w workload) time.Duration {
	b.Helper()
	p := role(b, "encode", encodePlan{Work: w})
	var says encodeSays
	p.hear(b, &says)
	p.finish(b)
	return says.CPU
}
