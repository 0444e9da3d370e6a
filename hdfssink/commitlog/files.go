package commitlog

import (
	"context"
	"fmt"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// Published is a file that a sink has committed.
type Published struct {
	Partition ingest.Partition
	Life      int
	FileEntry
}

// Files visits what a sink has committed, by partition, life and commit, without claiming anything; safe while the sink runs. Files that an operator gave
// up are left out; one that is committed and not renamed yet is there. only is one partition; nil: all. The error of visit ends it.
func Files(ctx context.Context, fsys dfs.FS, stateDir string, only *ingest.Partition, visit func(Published) error) error {
	lives, err := listLives(ctx, fsys, stateDir, only)
	if err != nil {
		return fmt.Errorf("list the partitions in %s: %w", stateDir, err)
	}
	for _, p := range lives {
		l, err := readRunning(ctx, fsys, p)
		if err != nil {
			return fmt.Errorf("read the log in %s: %w", p.log(), err)
		}
		if l.newest == nil {
			continue // claimed, and nothing committed yet
		}
		part := ingest.Partition{Topic: l.newest.Topic, ID: l.newest.Partition}
		for _, f := range l.files {
			if l.missing[f.Final] {
				continue
			}
			if err := visit(Published{Partition: part, Life: l.newest.Life, FileEntry: f}); err != nil {
				return err
			}
		}
	}
	return nil
}
