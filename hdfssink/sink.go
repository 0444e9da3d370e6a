package hdfssink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"path"
	"sync"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// Options are what a sink needs beside its Config.
type Options struct {
	Name         string // of the sink: prefix of its file names
	FS           dfs.FS // where the path and the state are
	Format       formats.Format
	DeadLetters  formats.Format // its encoders are formats.DeadLetterEncoders
	Interceptors []ingest.Interceptor
	Owner        commitlog.Owner
	Budget       *Budget // shared by all sinks of the agent; nil: 256 MiB of its own
	Logger       *slog.Logger
	Registerer   Registerer
	NewFieldTime func() FieldTime  // for event_time.from: field …; called once for each drain
	NewFields    func() PathFields // for %{field:…} in the path; called once for each drain
	Arguments    string            // of the `penstock state` commands in messages, such as "-c /etc/penstock/clicks.yaml"
	Now          func() time.Time  // for times that become data and for limits; nil: time.Now
	Nonce        func() string     // random and path-safe; nil: crypto/rand

	KeepEpochs, ArchiveAfter int // see commitlog.Options; 0: the defaults
}

// Sink empties streams into files of a distributed file system, exactly once. Safe for concurrent use with different partitions.
type Sink struct {
	c        Config
	o        Options
	path     *pathTemplate
	clock    eventClock
	policy   rollPolicy
	start    ingest.Position
	state    string // without scheme
	metrics  *metrics
	fencings fencings

	mu    sync.Mutex
	log   *commitlog.Log // opened by the first Drain: only a stream knows cluster and group
	group string         // the same
}

// New makes a sink. c has been validated. Nothing is asked of the file system before the first Drain.
func New(c Config, o Options) (*Sink, error) {
	c.Complete()
	t, err := c.template()
	if err != nil {
		return nil, err
	}
	clock, err := parseEventTime(c.EventTime)
	if err != nil {
		return nil, fmt.Errorf("event_time.from: %w", err)
	}
	if len(c.EventTime.Field()) > 0 && o.NewFieldTime == nil {
		return nil, errors.New("event_time.from: nothing reads fields")
	}
	if len(t.fields) > 0 && o.NewFields == nil {
		return nil, errors.New("path: nothing reads fields")
	}
	start, err := parseStart(c.Start)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	if o.Budget == nil {
		o.Budget = NewBudget(256 << 20)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Nonce == nil {
		o.Nonce = rand.Text
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(o.Registerer, o.Name)
	if err != nil {
		return nil, fmt.Errorf("register metrics of sink %s: %w", o.Name, err)
	}
	_, _, state := SplitPath(c.State)
	return &Sink{
		c: c, o: o, path: t, clock: clock, policy: c.policy(), start: start, state: path.Clean(state), metrics: m,
		fencings: fencings{seen: map[ingest.Partition][]fencing{}},
	}, nil
}

// Drain implements ingest.Sink. Its errors: ingest.ErrFenced (call the stream's Confirm, then Drain again), permanent ones
// (ingest.IsPermanent) that name the command which mends them, and passing ones.
func (s *Sink) Drain(ctx context.Context, stream ingest.Stream) error {
	err := s.drain(ctx, stream)
	if by, ok := errors.AsType[*commitlog.FencedError](err); ok {
		s.metrics.partition(stream.Partition()).fenced.Inc()
		if s.fencings.note(by, s.o.Now()) >= maxFencings {
			return ingest.Permanent(s.twoOwners(by, err))
		}
	}
	return advise(err)
}

// openLog makes or checks the sink's state. One caller does it for all.
func (s *Sink) openLog(ctx context.Context, info ingest.LogInfo) (*commitlog.Log, error) {
	s.mu.Lock()
	log := s.log
	s.mu.Unlock()
	if log != nil {
		// Somebody may have removed all of it since. A claim would make a part of it again, which no command could read.
		if there, err := log.Intact(ctx); err != nil || there {
			return log, err
		}
	}
	// Two partitions may both come here; opening twice is harmless, waiting under a lock is not.
	log, err := commitlog.Open(ctx, commitlog.Options{
		FS: s.o.FS, State: s.state, Sink: s.o.Name, Cluster: info.Cluster, Group: info.Group,
		Owner: s.o.Owner, Config: s.fingerprint(), KeepEpochs: s.o.KeepEpochs, ArchiveAfter: s.o.ArchiveAfter,
		Nonce: s.o.Nonce, Now: s.o.Now, Arguments: s.o.Arguments, DirPerm: s.c.Permissions.Dir.FileMode(), Logger: s.o.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("open the state of sink %s in %s: %w", s.o.Name, s.state, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.group = log, info.Group
	return log, nil
}

func (s *Sink) groupName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.group
}

// fingerprint changes when what the sink makes of events may have changed.
func (s *Sink) fingerprint() string {
	h := fnv.New64a()
	fmt.Fprintln(h, s.c.Path, s.c.Zone, s.c.Round, s.c.EventTime, s.c.MissingHeader, s.o.Format.Name(), s.o.Format.Ext(), s.o.Format.SchemaID(), len(s.o.Interceptors))
	return fmt.Sprintf("%016x", h.Sum64())
}

const (
	maxFencings   = 5
	fencingWindow = 10 * time.Minute
)

// fencings remembers who took which partition. One take-over is a rebalance; five by the same owner are two owners that do not
// know of each other.
type fencings struct {
	mu   sync.Mutex
	seen map[ingest.Partition][]fencing
}

type fencing struct {
	at time.Time
	by string
}

// note adds a fencing and returns how many there were by the same owner lately.
func (f *fencings) note(e *commitlog.FencedError, now time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var recent []fencing
	n := 1
	for _, old := range f.seen[e.Partition] {
		if now.Sub(old.at) >= fencingWindow {
			continue
		}
		recent = append(recent, old)
		if old.by == e.By {
			n++
		}
	}
	f.seen[e.Partition] = append(recent, fencing{now, e.By})
	return n
}
