package commitlog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// Log is one sink's state. Safe for concurrent use with different partitions.
type Log struct {
	o    Options
	dir  string // State/Sink
	info sinkInfo
}

// sinkInfo is sink.json. It never changes:
//
//	{"format":1,"sink":"lake","cluster":"Zk3…","group":"penstock-clicks","made_by":{…},"made_at":"…"}
type sinkInfo struct {
	Format  int       `json:"format"` // 1
	Sink    string    `json:"sink"`
	Cluster string    `json:"cluster"`
	Group   string    `json:"group"`
	MadeBy  Owner     `json:"made_by"`
	MadeAt  time.Time `json:"made_at"`
}

// Open makes or checks <state>/<sink>/sink.json. A state that belongs to another cluster or group is a *RefusedError.
func Open(ctx context.Context, o Options) (*Log, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(o.Sink) {
		return nil, ingest.Permanent(fmt.Errorf("sink %q: a sink's name is 1 to 64 letters, digits, '.', '_' or '-' and begins with a letter or digit, since it begins its files' names", o.Sink))
	}
	if err := dfs.CheckName(o.State); err != nil {
		return nil, ingest.Permanent(fmt.Errorf("state directory of sink %s: %w", o.Sink, err))
	}
	o.defaults()
	l := &Log{o: o, dir: path.Join(o.State, o.Sink)}
	err := l.readSink(ctx)
	if errors.Is(err, fs.ErrNotExist) && o.DryRun {
		l.info, err = sinkInfo{Format: 1, Sink: o.Sink, Cluster: o.Cluster, Group: o.Group}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = l.makeSink(ctx); err == nil {
			err = l.readSink(ctx) // ours, or that of another first starter who was faster
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", l.dir, err)
	}
	return l, l.checkSink(o.Cluster, o.Group)
}

// Intact reports whether the state is still there.
func (l *Log) Intact(ctx context.Context) (bool, error) {
	return exists(ctx, l.o.FS, path.Join(l.dir, sinkFile))
}

func (o *Options) defaults() {
	if o.KeepEpochs <= 0 {
		o.KeepEpochs = 16
	}
	if o.ArchiveAfter <= 1 {
		o.ArchiveAfter = 1000
	}
	if o.Nonce == nil {
		o.Nonce = func() string {
			var b [8]byte
			rand.Read(b[:]) // never fails (crypto/rand)
			return hex.EncodeToString(b[:])
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func (l *Log) readSink(ctx context.Context) error {
	name := path.Join(l.dir, sinkFile)
	b, err := readFile(ctx, l.o.FS, name)
	if errors.Is(err, fs.ErrNotExist) {
		if there, lookErr := exists(ctx, l.o.FS, l.dir); lookErr != nil || !there {
			return errors.Join(err, lookErr)
		}
		// Both were just looked for: another first starter may have renamed its directory in between.
		if b, err = readFile(ctx, l.o.FS, name); errors.Is(err, fs.ErrNotExist) {
			return refused("no_sink_file", fmt.Sprintf("%s is there, but %s is not: something removed a part of the state", l.dir, sinkFile),
				"restore the directory from a snapshot; if it holds nothing but empty directories, remove it")
		}
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &l.info); err != nil {
		return refused("corrupt_sink_file", fmt.Sprintf("%s cannot be decoded: %v", name, err), "restore it from a snapshot: it never changes after it was made")
	}
	if l.info.Format != 1 || l.info.Sink != l.o.Sink {
		return refused("foreign_sink_file", fmt.Sprintf("%s has format %d and belongs to sink %q; this version reads format 1, and the sink is called %q", name, l.info.Format, l.info.Sink, l.o.Sink),
			"use the version of penstock that wrote it, or give the sink the name that it had")
	}
	return nil
}

// makeSink lets <state>/<sink> appear with sink.json in it, in one rename. Losing against another first starter is fine.
func (l *Log) makeSink(ctx context.Context) error {
	b, err := json.Marshal(sinkInfo{Format: 1, Sink: l.o.Sink, Cluster: l.o.Cluster, Group: l.o.Group, MadeBy: l.o.Owner, MadeAt: l.o.Now().UTC()})
	if err != nil {
		return fmt.Errorf("make %s: %w", sinkFile, err)
	}
	dir := path.Join(l.o.State, newMark+l.o.Nonce())
	if err := l.o.FS.MkdirAll(ctx, dir, 0); err != nil {
		return fmt.Errorf("make %s: %w", sinkFile, err)
	}
	if err := writeFile(ctx, l.o.FS, path.Join(dir, sinkFile), append(b, '\n')); err != nil {
		return err
	}
	err = l.o.FS.Rename(ctx, dir, l.dir)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, dfs.ErrNoAnswer) {
		if there, lookErr := exists(ctx, l.o.FS, l.dir); lookErr == nil && there {
			err = nil // whoever made it: it will be checked
		}
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", sinkFile, err)
	}
	return l.o.FS.RemoveAll(ctx, dir) // there only when another starter won
}

// checkSink refuses another cluster or group than those that the state was made for. Empty: not known, not checked.
func (l *Log) checkSink(cluster, group string) error {
	if cluster != "" && l.info.Cluster != "" && cluster != l.info.Cluster {
		return refused("other_cluster", fmt.Sprintf("state %s belongs to Kafka cluster %s, the channel is on cluster %s: their offsets have nothing to do with each other", l.dir, l.info.Cluster, cluster),
			"give the sink a name of its own for the new cluster (sinks: NAME), or point its channel back to the old one")
	}
	if group != "" && l.info.Group != "" && group != l.info.Group {
		return refused("other_group", fmt.Sprintf("state %s belongs to consumer group %s, the channel uses group %s: two groups on one state would fence each other for ever", l.dir, l.info.Group, group),
			fmt.Sprintf("set `group: %s` on the channel; a second pipeline from the same topic needs a channel with a group and a sink of its own", l.info.Group))
	}
	return nil
}

// refused makes a permanent *RefusedError.
func refused(code, what, remedy string) error {
	return ingest.Permanent(&RefusedError{Code: code, What: what, Remedy: remedy})
}

// command is a `penstock state` command for c's partition, as an operator can copy it.
func (c *Claim) command(verb, more string) string {
	return "`" + Command(verb, c.log.o.Arguments, c.p.sink, c.p.part, more) + "`"
}

// Command is the command line `penstock state verb` for one partition; arguments are those that every command of this agent
// needs, more are the verb's.
func Command(verb, arguments, sink string, p ingest.Partition, more string) string {
	words := []string{"penstock state", verb, arguments, "--sink", sink, "--topic", p.Topic, "--partition", strconv.Itoa(int(p.ID)), more}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// pause waits before look number try: not at all before the first (0 or less), then from 10 ms up to a second.
func pause(ctx context.Context, try int) error {
	if try <= 0 {
		return nil
	}
	t := time.NewTimer(min(time.Second, 5*time.Millisecond<<min(try, 10)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting to look again: %w", ctx.Err())
	}
}

// unsure reports whether a call may have been carried out although it failed, or cannot be asked about right now.
func unsure(err error) bool { return errors.Is(err, dfs.ErrNoAnswer) }

// again reports whether looking may be repeated after err.
func again(err error) bool {
	return errors.Is(err, dfs.ErrNoAnswer) || errors.Is(err, dfs.ErrUnavailable)
}

// mkdir makes a directory and its parents; an answer that was lost is asked for again, since making it twice is the same as once.
func mkdir(ctx context.Context, fsys dfs.FS, name string, perm fs.FileMode) error {
	for try := 0; ; try++ {
		err := fsys.MkdirAll(ctx, name, perm)
		if err == nil {
			return nil
		}
		if !unsure(err) {
			return fmt.Errorf("make directory: %w", err)
		}
		if err := pause(ctx, try); err != nil {
			return fmt.Errorf("make directory %s: %w", name, err)
		}
	}
}
