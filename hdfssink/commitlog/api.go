package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// Errors of a Claim beside ingest.ErrFenced; compare with errors.Is.
var (
	// ErrNotCommitted: the manifest is surely not in the log and never will be. The claim is as good as before: Commit may be called
	// again, with the same files or without some of them.
	ErrNotCommitted = errors.New("not committed")
	// ErrTarget comes with ErrNotCommitted when a file's final name or its directory was refused: the other files may fare better.
	ErrTarget = errors.New("a file cannot be published there")
	// ErrUnfinished: the manifest is in the log, but not all of its files have their final names yet. Finish may be called again; a
	// new claim does the same.
	ErrUnfinished = errors.New("committed, but not all files are published yet")
)

// Options say where the log is and who writes it.
type Options struct {
	FS             dfs.FS
	State          string // base directory of all sinks' states
	Sink           string // id of the sink: prefix of its file names, and the name of its directory in State
	Cluster, Group string // checked against sink.json; empty (operator commands): not checked, but needed to make one
	Owner          Owner
	Config         string // fingerprint of the owner's configuration, in each manifest
	KeepEpochs     int    // newest epochs kept of each partition; default 16
	ArchiveAfter   int    // manifests per archive, archives per archive of archives; default 1000
	Nonce          func() string
	Now            func() time.Time
	DryRun         bool        // a state that is not there yet is not made
	Arguments      string      // of the commands in messages, such as "-c /etc/penstock/clicks.yaml"
	DirPerm        fs.FileMode // for the directories of published files; 0: the file system's default
	Logger         *slog.Logger
}

// Owner is who claims: for people, never for decisions.
type Owner struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Start time.Time `json:"start"`
}

// RefusedError says that the state and what was asked do not fit together and that only an operator can decide. It is permanent
// (ingest.IsPermanent).
type RefusedError struct {
	Code   string // stable, snake_case: "hint_without_state", "topic_replaced", "corrupt_manifest", "foreign_file", …
	What   string // what is wrong, where, and why it matters
	Remedy string // what to do; the exact `penstock state …` command where there is one
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s\n\tto do: %s", e.What, e.Remedy) }

// FencedError is ingest.ErrFenced with what is known about the other owner.
type FencedError struct {
	Partition ingest.Partition
	Epoch     int64  // ours
	ByEpoch   int64  // theirs; 0: not known
	By        string // "host,pid,start" of the other owner; empty: not known
}

func (e *FencedError) Error() string {
	if e.ByEpoch == 0 {
		return fmt.Sprintf("%s: %v (our epoch was %d)", e.Partition, ingest.ErrFenced, e.Epoch)
	}
	return fmt.Sprintf("%s: %v: epoch %d of %s came after our epoch %d", e.Partition, ingest.ErrFenced, e.ByEpoch, e.By, e.Epoch)
}

// Unwrap makes errors.Is(err, ingest.ErrFenced) true.
func (e *FencedError) Unwrap() error { return ingest.ErrFenced }

// ClaimRequest says what is claimed, and what the channel knows of it. Hint must have been read before the call.
type ClaimRequest struct {
	Partition ingest.Partition
	Log       ingest.LogInfo
	Hint      ingest.Hint
	HasHint   bool
}

// group is the hint, nil: there is none.
func (r *ClaimRequest) group() *ingest.Hint {
	if !r.HasHint {
		return nil
	}
	return &r.Hint
}

// State is what the newest manifest says. Read-only.
type State struct {
	Exists     bool           // false: Genesis is due
	Life       int            // 1, or more after `state accept-topic` or `state reset`
	Start      *ingest.Offset // !Exists and Life > 1: where the operator wants this life to start; nil: at the log's beginning
	Seq        int64          // of the newest manifest
	First, Low ingest.Offset
	Ahead      *roaring64.Bitmap // offsets >= Low that are done; never nil; do not modify
	Mark       ingest.Mark       // of an event before Low
	HasMark    bool
	TopicID    string
}

// Done reports whether an offset is published, dead-lettered, filtered or a gap already.
func (s *State) Done(o ingest.Offset) bool {
	return o < s.Low || s.Ahead.Contains(uint64(o)) // offsets are never negative
}

// Commit is what one manifest adds to the log. The sets of its files, Filtered and Gaps must be disjoint, from each other and from
// what is done already.
type Commit struct {
	Files    []File
	Filtered *roaring64.Bitmap // dropped by rule; nil: none
	Gaps     []ingest.Gap
	Mark     func(low ingest.Offset) (ingest.Mark, bool) // newest mark before low, asked once when low is known; nil: none
	Reason   string                                      // "roll", "idle", "revoked", …
	User     string                                      // of an operator's command
}

// File is one staged file that is complete: closed without error, length and footer checked.
type File struct {
	Staged           string // base name inside Claim.Live(); begins with a dot
	Final            string // absolute path
	ID               dfs.FileID
	Size, Rows       int64
	MinTime, MaxTime int64 // of its events' timestamps, ms
	Schema           string
	CRC              uint32 // CRC-32C of all bytes
	Offsets          *roaring64.Bitmap
	Dead             bool // holds dead letters
}
