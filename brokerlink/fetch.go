package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

const (
	// perEvent is what sarama's Record, our Event and a pointer take beside the bytes of an event.
	perEvent = 256
	// perHeader is the same for a header.
	perHeader = 104
	// smallestFetch is the least that is asked for at once. A broker returns at least one batch however little it is asked for.
	smallestFetch = 16 << 10
	// corruptTries is how often a batch that cannot be decoded is fetched, over new connections, before it is called corrupt.
	corruptTries = 3
)

// block is what one fetch brought: batches in order, or the error that ended the fetcher.
type block struct {
	batches []*sarama.Records
	aborted []*sarama.AbortedTransaction // by first offset
	next    ingest.Offset                // behind the last batch, empty ones included
	end     ingest.Offset                // what may be read at most, by this answer
	size    int64                        // decoded, with overhead
	err     error
}

// fetcher reads one partition ahead, on a connection of its own. One goroutine runs it; it holds one block while the stream works on
// another, and does not fetch before that one is taken.
type fetcher struct {
	c    *cluster
	cfg  *Config
	p    ingest.Partition
	log  *slog.Logger
	met  *metrics
	part func() int64 // bytes that this partition may hold now
	held *held
	want chan struct{} // the stream has nothing left
	out  chan block

	line   line
	expect int64   // size of the block that comes next, as far as the last one tells; counted as held while it is fetched
	wire   float64 // decoded size of a fetched byte, as a running average
	limit  int64   // bytes to ask for; 0: as many as part allows
	bad    int     // times in a row that the smallest fetch could not be decoded

	topic     sarama.Uuid  // what the partition belonged to when the stream began
	epoch     int32        // leader epoch of the last fetch; -1: none yet
	mark      *ingest.Mark // last event fetched
	good      time.Time    // last answer
	lastError string
	lastLog   time.Time
}

// run fetches from next on until ctx ends or an error that trying again does not mend; that one is its last block.
func (f *fetcher) run(ctx context.Context, next ingest.Offset) {
	defer f.line.close()
	for {
		if f.held.full() {
			// No reading ahead. A stream that has nothing left still gets its block: without it, it would never give memory back.
			select {
			case <-f.want:
			case <-ctx.Done():
				return
			}
		}
		f.held.add(f.expect) // else all partitions would find room for one more at the same time
		b := f.fetch(ctx, next)
		f.held.add(b.size - f.expect)
		f.expect = 0
		if b.next < b.end {
			f.expect = b.size
		}
		select {
		case f.out <- b:
		case <-ctx.Done():
			f.held.add(-b.size)
			return
		}
		if b.err != nil {
			return
		}
		next = b.next
	}
}

// fetch returns a block that brings the partition forward. Brokers that are away, leaders that move and topics that are
// deleted are waited for: the sink keeps what it has and rolls when it is due.
func (f *fetcher) fetch(ctx context.Context, next ingest.Offset) block {
	fresh := false
	for try := 0; ; try++ {
		if ctx.Err() != nil {
			return block{err: ctx.Err()}
		}
		begun := time.Now()
		b, err := f.once(ctx, next, fresh)
		if err == nil {
			f.good = time.Now()
			if b.next > next {
				return b
			}
			if time.Since(begun) < f.cfg.Fetch.MaxWait.Std()/2 {
				pause(ctx, 0) // a broker that does not hold the request
			}
			try, fresh = -1, false
			continue
		}
		if final(err) && (!refusedLogin(err) || time.Since(f.good) >= f.cfg.SessionTimeout.Std()) {
			return block{err: err}
		}
		f.note(ctx, err)
		fresh = true
		if !errors.Is(err, errAgain) {
			pause(ctx, try)
		}
	}
}

// errAgain wraps errors after which the next try differs from the last, so that there is nothing to wait for.
var errAgain = errors.New("trying again with other limits")

// final reports whether the stream has to hear of err.
func final(err error) bool {
	var corrupt *ingest.CorruptError
	var out *ingest.OutOfRangeError
	return errors.As(err, &corrupt) || errors.As(err, &out) || errors.Is(err, ingest.ErrReplaced) || permanent(err)
}

// pause waits longer with each try, up to five seconds.
func pause(ctx context.Context, try int) {
	t := time.NewTimer(jitter(min(50*time.Millisecond<<min(try, 10), 5*time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// note counts and logs an error; the same one again only once in a minute.
func (f *fetcher) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	f.met.fetchErrors.WithLabelValues(reason(err)).Inc()
	if text := err.Error(); text != f.lastError || time.Since(f.lastLog) > time.Minute {
		f.lastError, f.lastLog = text, time.Now()
		f.log.WarnContext(ctx, "fetch failed, trying again", "partition", f.p.String(), "error", err)
	}
}

// reason is a label with few values.
func reason(err error) string {
	var connect *ConnectError
	switch {
	case errors.As(err, &connect):
		return "connect"
	case errors.Is(err, errAgain):
		return "decode"
	case wrongLeader(err):
		return "leader"
	case broken(err):
		return "connection"
	default:
		return "code"
	}
}

// once makes one fetch at the leader.
func (f *fetcher) once(ctx context.Context, next ingest.Offset, fresh bool) (block, error) {
	at, err := f.c.find(ctx, f.p, fresh)
	if err != nil {
		return block{}, wrap("find the leader of "+f.p.String(), err)
	}
	if err := f.sameTopic(at); err != nil {
		return block{}, err
	}
	if f.epoch >= 0 && at.epoch != f.epoch && f.mark != nil {
		// Another leader may have a shorter or another log: what was read must be there.
		if err := checkMark(ctx, f.c, &f.line, markQuery{p: f.p, at: at, mark: *f.mark}); err != nil {
			return block{}, err
		}
	}
	f.epoch = at.epoch
	begun := time.Now()
	limit := f.ask()
	var resp *sarama.FetchResponse
	err = f.line.do(ctx, at.addr, func(b *sarama.Broker) (err error) {
		resp, err = b.Fetch(fetchRequest(fetchQuery{p: f.p, at: at, offset: next, limit: limit, wait: f.cfg.Fetch.MaxWait.Std(), isolation: f.isolation()}))
		return err
	})
	if err != nil {
		if undecodable(err) && ctx.Err() == nil {
			return block{}, f.shrink(next, limit, err)
		}
		return block{}, wrap("fetch "+f.p.String(), err)
	}
	f.met.throttled.Add(resp.ThrottleTime.Seconds())
	got, err := blockOf(resp, f.p)
	if err != nil {
		return block{}, f.refused(ctx, next, err)
	}
	b, err := f.take(got, next, limit)
	if err == nil && len(b.batches) > 0 {
		f.met.fetches.Observe(time.Since(begun).Seconds())
	}
	return b, err
}

func (f *fetcher) isolation() sarama.IsolationLevel {
	if f.cfg.Isolation == "read_uncommitted" {
		return sarama.ReadUncommitted
	}
	return sarama.ReadCommitted
}

// sameTopic compares the topic's id with the one of the first fetch.
func (f *fetcher) sameTopic(at place) error {
	none := sarama.Uuid{}
	if f.topic == none {
		f.topic = at.topic
	}
	if at.topic != none && at.topic != f.topic {
		return fmt.Errorf("%w: topic %s was deleted and made again: its id was %s and is %s now", ingest.ErrReplaced, f.p.Topic, f.topic, at.topic)
	}
	return nil
}

// ask returns how many bytes to fetch: half of what the partition may hold, since one block waits while another is in use.
func (f *fetcher) ask() int64 {
	if f.limit > 0 {
		return f.limit
	}
	fits := int64(float64(f.part()) / 2 / max(f.wire, 1))
	return min(max(fits, smallestFetch), f.cfg.Fetch.Bytes.Bytes())
}

// shrink reacts to an answer that cannot be decoded. sarama decodes a response as a whole, so the next fetch asks for
// its first batch alone: either that one is good, or it is the one.
func (f *fetcher) shrink(next ingest.Offset, limit int64, err error) error {
	if limit > 1 {
		f.limit = 1
		return fmt.Errorf("%w: %s@%d: %w", errAgain, f.p, next, err)
	}
	if f.bad++; f.bad < corruptTries {
		return fmt.Errorf("%s@%d: %w", f.p, next, err)
	}
	return &ingest.CorruptError{Partition: f.p, Offset: next, Err: err}
}

// grow is used when not even one batch fitted, which brokers since 0.10.1 avoid.
func (f *fetcher) grow(next ingest.Offset, limit, need int64) error {
	most := f.cfg.Fetch.MaxBatch.Bytes()
	if limit >= most {
		return &ingest.CorruptError{Partition: f.p, Offset: next, Err: fmt.Errorf("batch is larger than %s on the wire: raise fetch.max_batch", f.cfg.Fetch.MaxBatch)}
	}
	f.limit = min(max(limit*2, need), most)
	return fmt.Errorf("%w: %s@%d: the batch is larger than %d bytes", errAgain, f.p, next, limit)
}

// refused handles an error code for the partition.
func (f *fetcher) refused(ctx context.Context, next ingest.Offset, err error) error {
	if !errors.Is(err, sarama.ErrOffsetOutOfRange) {
		return wrap("fetch "+f.p.String(), err)
	}
	at, ferr := f.c.find(ctx, f.p, true)
	if ferr != nil {
		return ferr
	}
	if err := f.sameTopic(at); err != nil {
		return err
	}
	start, end, berr := f.c.bounds(ctx, f.p, sarama.ReadUncommitted)
	if berr != nil {
		return berr
	}
	if next >= start && next <= end {
		// The leader moved between the answers, or a new one has not caught up with what it may tell.
		return fmt.Errorf("fetch %s: offset %d is said to be out of range, and the log holds [%d, %d)", f.p, next, start, end)
	}
	return &ingest.OutOfRangeError{Partition: f.p, Next: next, Start: start, End: end}
}

// take turns an answer into a block.
func (f *fetcher) take(got *sarama.FetchResponseBlock, next ingest.Offset, limit int64) (block, error) {
	b := block{next: next, end: ingest.Offset(got.HighWaterMarkOffset), aborted: got.AbortedTransactions}
	if f.isolation() == sarama.ReadCommitted && got.LastStableOffset >= 0 {
		b.end = ingest.Offset(got.LastStableOffset)
	}
	for _, r := range got.RecordsSet {
		batch := r.RecordBatch
		if batch == nil {
			return block{}, &ingest.CorruptError{Partition: f.p, Offset: next, Err: errors.New("message format v0 or v1, which Kafka 4 does not serve either: rewrite the topic, or read it with an older tool")}
		}
		if batch.PartialTrailingRecord {
			break
		}
		b.batches = append(b.batches, r)
		b.size += sizeOf(batch)
		b.next = ingest.Offset(batch.LastOffset() + 1)
	}
	if len(b.batches) == 0 {
		return f.nothing(got, b, limit)
	}
	f.learn(&b, limit)
	slices.SortFunc(b.aborted, func(x, y *sarama.AbortedTransaction) int { return int(min(max(x.FirstOffset-y.FirstOffset, -1), 1)) })
	last := b.batches[len(b.batches)-1].RecordBatch
	if n := len(last.Records); n > 0 {
		var e ingest.Event
		fill(&e, last, last.Records[n-1])
		f.mark = &ingest.Mark{Offset: e.Offset, LeaderEpoch: last.PartitionLeaderEpoch, CRC: e.CRC()}
	}
	return b, nil
}

// nothing handles an answer without a whole batch: nothing new, a batch that was cut off, or batches that compaction has
// emptied, which sarama leaves out.
func (f *fetcher) nothing(got *sarama.FetchResponseBlock, b block, limit int64) (block, error) {
	hidden := hiddenOf(got)
	switch {
	case hidden.damaged:
		// The batch is whole and its checksum is right, yet its events end too early.
		return block{}, f.shrink(b.next, 1, errors.New("the events in the batch are cut short"))
	case got.Partial || hidden.partial > 0:
		return block{}, f.grow(b.next, limit, hidden.partial)
	case hidden.next > int64(b.next):
		b.next = ingest.Offset(hidden.next)
		return b, nil
	}
	f.bad = 0
	return b, nil
}

// learn adapts how much to ask for.
func (f *fetcher) learn(b *block, limit int64) {
	f.bad = 0
	if f.limit > 0 {
		// After a damaged or a large batch: back to normal step by step.
		if f.limit *= 4; f.limit >= smallestFetch {
			f.limit = 0
		}
		return
	}
	if b.size > limit/2 {
		// A full answer tells how much larger events are in memory.
		f.wire = 0.7*f.wire + 0.3*max(float64(b.size)/float64(limit), 1)
	}
}

// sizeOf estimates what a decoded batch holds in memory.
func sizeOf(b *sarama.RecordBatch) int64 {
	n := int64(len(b.Records)) * perEvent
	for _, r := range b.Records {
		n += int64(len(r.Key) + len(r.Value))
		for _, h := range r.Headers {
			n += int64(len(h.Key)+len(h.Value)) + perHeader
		}
	}
	return n
}

// fetchQuery is one partition to fetch.
type fetchQuery struct {
	p         ingest.Partition
	at        place
	offset    ingest.Offset
	limit     int64
	wait      time.Duration
	isolation sarama.IsolationLevel
}

// maxResponse is below sarama's bound for any answer, 100 MiB.
const maxResponse = 96 << 20

func fetchRequest(q fetchQuery) *sarama.FetchRequest {
	limit := int32(q.limit)
	req := &sarama.FetchRequest{
		Version: fetchVersion, MaxWaitTime: int32(q.wait.Milliseconds()), MinBytes: 1,
		MaxBytes:  maxResponse,                                 // the partition's own limit decides
		Isolation: q.isolation, SessionID: 0, SessionEpoch: -1, // -1: no fetch session
	}
	req.AddBlock(q.p.Topic, q.p.ID, int64(q.offset), limit, q.at.epoch)
	return req
}

func blockOf(resp *sarama.FetchResponse, p ingest.Partition) (*sarama.FetchResponseBlock, error) {
	if resp.ErrorCode != 0 {
		return nil, sarama.KError(resp.ErrorCode)
	}
	b := resp.GetBlock(p.Topic, p.ID)
	if b == nil {
		return nil, errors.New("the answer lacks the partition " + p.Topic + "-" + strconv.Itoa(int(p.ID)))
	}
	return b, codeError(b.Err)
}
