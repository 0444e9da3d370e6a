package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// maxHint is how long a hint's metadata may be. Kafka's default limit is 4,096 bytes.
const maxHint = 1000

// stream is one assigned partition. Its methods are called by the goroutine of the drain; fetchers are its own.
type stream struct {
	p    ingest.Partition
	c    *cluster
	cfg  *Config
	m    *member
	log  *slog.Logger
	met  *metrics
	part func() int64
	held *held

	life context.Context //nolint:containedctx // that of the assignment: fetching ahead goes on between two Reads
	all  sync.WaitGroup  // fetchers

	out  chan block // of the fetcher that runs; nil: none does
	want chan struct{}
	stop context.CancelFunc
	next ingest.Offset // what the fetcher's blocks go on with
	dec  decoder
	line line // for Check
}

var _ ingest.Stream = (*stream)(nil)

// Partition implements ingest.Stream.
func (s *stream) Partition() ingest.Partition { return s.p }

// Describe implements ingest.Stream.
func (s *stream) Describe(ctx context.Context) (ingest.LogInfo, error) {
	at, err := s.c.find(ctx, s.p, true)
	if err != nil {
		return ingest.LogInfo{}, wrap("describe "+s.p.String(), err)
	}
	start, end, err := s.c.bounds(ctx, s.p, s.isolation())
	if err != nil {
		return ingest.LogInfo{}, wrap("describe "+s.p.String(), err)
	}
	info := ingest.LogInfo{Cluster: s.c.clusterID(), Group: s.c.group, TopicID: at.topicID(), Start: start, End: end}
	config, err := s.c.config(ctx, s.p.Topic, configMaxAge)
	if err != nil {
		// Without the right to see it, retention is unknown, which only costs a warning in time.
		s.log.WarnContext(ctx, "retention is unknown", "partition", s.p.String(), "error", err)
		return info, nil
	}
	info.Retention = config.retention
	return info, nil
}

func (s *stream) isolation() sarama.IsolationLevel {
	if s.cfg.Isolation == "read_uncommitted" {
		return sarama.ReadUncommitted
	}
	return sarama.ReadCommitted
}

// Hint implements ingest.Stream.
func (s *stream) Hint(ctx context.Context) (ingest.Hint, bool, error) {
	var resp *sarama.OffsetFetchResponse
	err := s.c.coordinate(ctx, func(b *sarama.Broker) (err error) {
		req := sarama.NewOffsetFetchRequest(sarama.V2_5_0_0, s.c.group, map[string][]int32{s.p.Topic: {s.p.ID}}) // version 7, which all brokers since 2.5 know
		req.RequireStable = true
		if resp, err = b.FetchOffset(req); err != nil {
			return err
		}
		return codeError(resp.GroupError())
	})
	if errors.Is(err, sarama.ErrGroupIDNotFound) {
		return ingest.Hint{}, false, nil // nobody has joined or committed yet
	}
	if err != nil {
		return ingest.Hint{}, false, wrap("ask for the group's offset of "+s.p.String(), err)
	}
	got := resp.GetBlock(s.p.Topic, s.p.ID)
	if got == nil {
		return ingest.Hint{}, false, fmt.Errorf("ask for the group's offset of %s: the answer lacks the partition", s.p)
	}
	if err := codeError(got.Err); err != nil {
		return ingest.Hint{}, false, wrap("ask for the group's offset of "+s.p.String(), err)
	}
	if got.Offset < 0 {
		return ingest.Hint{}, false, nil
	}
	return ingest.Hint{Next: ingest.Offset(got.Offset), Metadata: got.Metadata}, true, nil
}

// Resolve implements ingest.Stream.
func (s *stream) Resolve(ctx context.Context, p ingest.Position) (ingest.Offset, error) {
	when := sarama.OffsetNewest
	switch p.At {
	case "earliest":
		when = sarama.OffsetOldest
	case "latest":
	case "time":
		when = p.Time.UnixMilli()
	default:
		return 0, ingest.Permanent(fmt.Errorf("resolve position: %q is neither earliest, latest nor time", p.At))
	}
	got, err := s.c.offset(ctx, s.p, when, s.isolation())
	if err == nil && got < 0 {
		// No event is that late: the end, where the first that is will come.
		return s.c.offset(ctx, s.p, sarama.OffsetNewest, s.isolation())
	}
	return got, err
}

// Check implements ingest.Stream.
func (s *stream) Check(ctx context.Context, m ingest.Mark) error {
	defer s.line.close()
	var err error
	for try := range 10 {
		var at place
		if at, err = s.c.find(ctx, s.p, try > 0); err == nil {
			err = checkMark(ctx, s.c, &s.line, markQuery{p: s.p, at: at, mark: m})
		}
		if err == nil || final(err) || ctx.Err() != nil {
			return err
		}
		pause(ctx, try)
	}
	return err
}

// Read implements ingest.Stream.
func (s *stream) Read(ctx context.Context, next ingest.Offset) (ingest.Batch, error) {
	if s.out == nil || s.next != next {
		s.restart(next) //nolint:contextcheck // the fetcher lives as long as the assignment, not as long as this Read
	}
	for {
		if err := ctx.Err(); err != nil {
			return ingest.Batch{}, err
		}
		if s.dec.empty() {
			if err := s.fill(ctx); err != nil {
				return ingest.Batch{}, err
			}
			continue
		}
		b, err := s.dec.batch(ctx)
		if err != nil {
			s.halt()
			return ingest.Batch{}, err
		}
		if !b.Empty() {
			s.count(&b)
			return b, nil
		}
	}
}

// fill waits for the next block.
func (s *stream) fill(ctx context.Context) error {
	s.release()
	select {
	case s.want <- struct{}{}:
	default:
	}
	select {
	case b := <-s.out:
		select {
		case <-s.want: // it was not needed
		default:
		}
		if b.err != nil {
			s.halt()
			return b.err
		}
		s.dec.put(b, s.next)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return s.life.Err()
	}
}

// restart begins to fetch at next and forgets what was read ahead.
func (s *stream) restart(next ingest.Offset) {
	s.halt()
	ctx, cancel := context.WithCancel(s.life)
	out, want := make(chan block), make(chan struct{}, 1)
	s.out, s.want, s.stop, s.next = out, want, cancel, next
	s.dec = decoder{p: s.p, committed: s.isolation() == sarama.ReadCommitted, compacted: s.explain, pos: next, block: block{next: next}, events: s.dec.events, heads: s.dec.heads}
	f := &fetcher{
		c: s.c, cfg: s.cfg, p: s.p, log: s.log, met: s.met, part: s.part, held: s.held, want: want, out: out, wire: 2, epoch: -1,
		line: line{t: s.c.t, wait: s.cfg.Fetch.MaxWait.Std() + s.c.t.requestTimeout},
	}
	s.all.Go(func() { f.run(ctx, next) })
}

// halt ends the fetcher, if one runs.
func (s *stream) halt() {
	s.release()
	if s.out == nil {
		return
	}
	s.stop()
	s.out = nil
}

// release gives back the memory of the block in use.
func (s *stream) release() {
	s.held.add(-s.dec.block.size)
	s.dec.block = block{next: s.dec.pos}
	s.dec.at = 0
}

// close ends everything and waits for it; called after the drain has returned.
func (s *stream) close() {
	s.halt()
	s.line.close()
	s.all.Wait()
	s.met.lag.DeleteLabelValues(s.p.Topic, strconv.Itoa(int(s.p.ID)))
}

func (s *stream) count(b *ingest.Batch) {
	s.next = b.Next
	s.met.events.Add(float64(len(b.Events)))
	n := 0
	for i := range b.Events {
		n += len(b.Events[i].Key) + len(b.Events[i].Body)
	}
	s.met.bytes.Add(float64(n))
	if s.dec.empty() {
		s.met.lag.WithLabelValues(s.p.Topic, strconv.Itoa(int(s.p.ID))).Set(float64(max(s.dec.block.end-b.Next, 0)))
	}
}

// explain reports whether compaction may have removed offsets. A policy that was changed lately is asked for anew.
func (s *stream) explain(ctx context.Context, _, _ ingest.Offset) (bool, error) {
	config, err := s.c.config(ctx, s.p.Topic, configMaxAge)
	if err == nil && !config.compacted {
		config, err = s.c.config(ctx, s.p.Topic, 0)
	}
	return config.compacted, err
}

// Commit implements ingest.Stream. It carries member and generation, so that the coordinator refuses a member that it has
// given up.
func (s *stream) Commit(ctx context.Context, h ingest.Hint) error {
	if len(h.Metadata) > maxHint {
		return fmt.Errorf("commit hint of %s: metadata of %d bytes, %d are allowed", s.p, len(h.Metadata), maxHint)
	}
	err := s.commit(ctx, h)
	result := "ok"
	if err != nil {
		result = "failed"
	}
	s.met.hints.WithLabelValues(result).Inc()
	return wrap(fmt.Sprintf("commit hint %d of %s", h.Next, s.p), err)
}

func (s *stream) commit(ctx context.Context, h ingest.Hint) error {
	who, ok := s.m.membership()
	if !ok {
		return errNoMember
	}
	return s.c.coordinate(ctx, func(b *sarama.Broker) error {
		req := &sarama.OffsetCommitRequest{
			Version: 8, ConsumerGroup: s.c.group, ConsumerGroupGeneration: who.generation, ConsumerID: who.id, GroupInstanceId: who.instance,
		}
		req.AddBlockWithLeaderEpoch(s.p.Topic, s.p.ID, int64(h.Next), -1, 0, h.Metadata)
		resp, err := b.CommitOffset(req)
		if err != nil {
			return err
		}
		for _, codes := range resp.Errors {
			for _, code := range codes {
				if err := codeError(code); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Confirm implements ingest.Stream: it waits for a heartbeat of this member that was sent and accepted after the call, while
// the partition is still this member's.
func (s *stream) Confirm(ctx context.Context) error {
	for try := 0; ; try++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s.life.Err() != nil {
			return context.Cause(s.life) //nolint:contextcheck // the assignment is over
		}
		err := s.m.confirm(ctx)
		if err == nil && s.life.Err() == nil {
			return nil
		}
		if permanent(err) || errors.Is(err, sarama.ErrFencedInstancedId) {
			return wrap("confirm membership", err)
		}
		pause(ctx, try)
	}
}
