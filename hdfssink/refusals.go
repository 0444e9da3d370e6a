package hdfssink

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// twoOwners says that another agent that is not in our group drains the same partition into the same state.
func (s *Sink) twoOwners(by *commitlog.FencedError, err error) error {
	who := "an unknown owner"
	if f := strings.SplitN(by.By, ",", 3); len(f) == 3 {
		who = fmt.Sprintf("host %s, pid %s (started %s)", f[0], f[1], f[2])
	}
	return fmt.Errorf("%w\n\tto do: %s has taken this partition %d times in %s although the group has given it to this agent: stop one of the two, "+
		"or give it a group and a sink of its own (this sink: %s, group %s, state %s)", err, who, maxFencings, fencingWindow, s.o.Name, s.groupName(), s.state)
}

// advise adds what to do to errors that stay until somebody does it, but which the next try finds mended by itself.
func advise(err error) error {
	switch {
	case ingest.IsPermanent(err):
		return err
	case errors.Is(err, fs.ErrPermission):
		return ingest.Blocked(fmt.Errorf("%w\n\tto do: give the sink's user write permission on that directory (hdfs dfs -setfacl, or a Ranger policy); nothing is lost, the events are read again", err))
	case errors.Is(err, dfs.ErrQuota):
		return ingest.Blocked(fmt.Errorf("%w\n\tto do: raise the quota (hdfs dfsadmin -setSpaceQuota, -setQuota) or free space; nothing is lost, the events are read again", err))
	}
	return err
}

// command is a line that an operator can copy.
func (s *Sink) command(verb string, p ingest.Partition, args string) string {
	return commitlog.Command(verb, s.o.Arguments, s.o.Name, p, args)
}

// retentionGap refuses to go on behind events that retention has deleted.
func (s *Sink) retentionGap(e *ingest.OutOfRangeError) error {
	return ingest.Permanent(&commitlog.RefusedError{
		Code: "retention_gap",
		What: fmt.Sprintf("%s: the log begins at offset %d, but %d is next: the source has deleted %d offsets that were not read (sink %s, on_gap: stop): %v",
			e.Partition, e.Start, e.Next, e.Start-e.Next, s.o.Name, e),
		Remedy: fmt.Sprintf("accept the loss with `%s`, or set on_gap: accept",
			s.command("accept-gap", e.Partition, fmt.Sprintf("--from %d --to %d", e.Next, e.Start))),
	})
}

// replaced refuses a log that is not the one which was read before.
func (s *Sink) replaced(p ingest.Partition, err error) error {
	return ingest.Permanent(&refusal{err, commitlog.RefusedError{
		Code:   "topic_replaced",
		What:   fmt.Sprintf("%s: the topic was made again or truncated: %v (sink %s)", p, err, s.o.Name),
		Remedy: fmt.Sprintf("if that was meant, start a new life of the partition with `%s`: the new log is read from its beginning, and what was published stays", s.command("accept-topic", p, "")),
	}})
}

// unreadable refuses to skip what cannot be read.
func (s *Sink) unreadable(p ingest.Partition, from, to ingest.Offset, err error) error {
	return ingest.Permanent(&refusal{err, commitlog.RefusedError{
		Code: "unreadable_log",
		What: fmt.Sprintf("%s: cannot read on at offset %d: %v (sink %s)", p, from, err, s.o.Name),
		Remedy: fmt.Sprintf("look at the log with kafka-dump-log.sh; to go on without these events: `%s`",
			s.command("accept-gap", p, fmt.Sprintf("--from %d --to %d", from, to))),
	}})
}

// refusal is a RefusedError that still matches what caused it.
type refusal struct {
	cause error
	commitlog.RefusedError
}

func (r *refusal) Error() string { return r.RefusedError.Error() }

func (r *refusal) Unwrap() []error { return []error{r.cause, &r.RefusedError} }

// readRefusal makes of an error that Read returned what the operator has to decide; nil: the error is a passing one.
func (s *Sink) readRefusal(p ingest.Partition, next ingest.Offset, err error) error {
	var corrupt *ingest.CorruptError
	switch {
	case errors.Is(err, ingest.ErrReplaced):
		return s.replaced(p, err)
	case errors.As(err, &corrupt):
		return s.unreadable(p, corrupt.Offset, corrupt.Offset+1, err)
	case errors.Is(err, ingest.ErrUnexplainedGap):
		return s.unreadable(p, next, next+1, err)
	case ingest.IsPermanent(err):
		return err
	}
	return nil
}

// acceptedGap is the gap that the policy on_gap: accept makes of deleted events, with its evidence.
func acceptedGap(e *ingest.OutOfRangeError, now time.Time) ingest.Gap {
	return ingest.Gap{
		Range: ingest.Range{First: e.Next, Next: e.Start}, Reason: ingest.GapRetention,
		Evidence: fmt.Sprintf("on_gap: accept; the log held [%d, %d) at %s", e.Start, e.End, now.UTC().Format(time.RFC3339)),
	}
}
