package ingest

import (
	"context"
	"errors"
	"fmt"
)

// Sentinel errors; compare with errors.Is.
var (
	// ErrFenced: another owner has claimed the partition. Not a failure: claim again only after Stream.Confirm.
	ErrFenced = errors.New("fenced by another owner")
	// ErrRevoked: the partition was given to another member of the group (reason of an Ending).
	ErrRevoked = errors.New("partition revoked")
	// ErrSessionLost: the group does not count us as a member any more (reason of an Ending). Trying to commit is right: the fence decides.
	ErrSessionLost = errors.New("group session lost")
	// ErrStopping: the agent stops (reason of an Ending).
	ErrStopping = errors.New("agent stopping")
	// ErrReplaced: the log is not the one that was read before: the topic was made again, or truncated.
	ErrReplaced = errors.New("log was replaced or truncated")
	// ErrUnexplainedGap: offsets are missing and nothing in the log says why.
	ErrUnexplainedGap = errors.New("offsets missing without evidence")
)

// Ending is the cause with which a drain's context ends when the partition is given up in good order.
type Ending struct {
	Reason error           // ErrRevoked, ErrSessionLost or ErrStopping
	Grace  context.Context //nolint:containedctx // the one value that the ended context cannot carry: until when the last commit may run
}

func (e *Ending) Error() string { return e.Reason.Error() }
func (e *Ending) Unwrap() error { return e.Reason }

// EndingOf returns the Ending with which ctx ended, if it has ended with one.
func EndingOf(ctx context.Context) (*Ending, bool) {
	var e *Ending
	ok := errors.As(context.Cause(ctx), &e)
	return e, ok
}

// OutOfRangeError says that a log does not hold the wanted offset.
type OutOfRangeError struct {
	Partition  Partition
	Next       Offset // what was wanted
	Start, End Offset // what the log holds
}

func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("%s: offset %d is not in the log, which holds [%d, %d)", e.Partition, e.Next, e.Start, e.End)
}

// CorruptError says that a batch of the log cannot be decoded.
type CorruptError struct {
	Partition Partition
	Offset    Offset // where the batch begins
	Err       error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s@%d: batch cannot be decoded: %v", e.Partition, e.Offset, e.Err)
}
func (e *CorruptError) Unwrap() error { return e.Err }

// permanent marks an error that no retry can mend.
type permanent struct{ err error }

func (p permanent) Error() string { return p.err.Error() }
func (p permanent) Unwrap() error { return p.err }

// Permanent marks err as one that stays until somebody acts: the partition is Failed, and tried again only rarely, to see
// whether somebody has. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// blocked marks an error that only somebody's help mends, and only the next commit shows to be mended.
type blocked struct{ err error }

func (b blocked) Error() string { return b.err.Error() }
func (b blocked) Unwrap() error { return b.err }

// Blocked marks err as one that stays until somebody acts (rights, a quota) although trying again soon is right: a life that lasts
// shows nothing then, since it may be long until it comes to what failed. Blocked(nil) is nil.
func Blocked(err error) error {
	if err == nil {
		return nil
	}
	return blocked{err}
}

// IsBlocked reports whether err was marked by Blocked.
func IsBlocked(err error) bool {
	var b blocked
	return errors.As(err, &b)
}

// IsPermanent reports whether err was marked by Permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}
