//go:build integration

package chaos

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/integration/oracle"
)

// sampler is a reader like any other: by Hadoop's own shell, under another name than the agents' staging.
type sampler struct {
	cluster *cluster.Cluster
	base    string
	random  *rand.Rand
	seen    map[string]sight
	looks   int
	passes  int
}

// sight is what a file was like when it was first seen.
type sight struct {
	size int64
	crc  uint32
}

func newSampler(c *cluster.Cluster, base string, seed uint64) *sampler {
	return &sampler{cluster: c, base: base, random: rand.New(rand.NewPCG(seed, 1)), seen: map[string]sight{}}
}

// errSampled: a reader has met what must not be. Every other error says that HDFS could not be read just then.
var errSampled = errors.New("a reader would have met this")

// watch makes passes until stop is closed. HDFS may be away at times; that is some fault at work.
func (s *sampler) watch(ctx context.Context, stop <-chan struct{}) error {
	for {
		if err := s.pass(ctx); errors.Is(err, errSampled) {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// pass lists what a glob of Parquet files would find, reads what is new, and some of the rest again.
func (s *sampler) pass(ctx context.Context) error {
	now, err := s.list(ctx)
	if err != nil {
		return err
	}
	for name, first := range s.seen {
		if size, there := now[name]; !there || size != first.size {
			return fmt.Errorf("%w: %s had %d bytes, and has %d now (it is there: %v)", errSampled, name, first.size, size, there)
		}
		if s.random.IntN(len(s.seen)) == 0 { // one, most of the time
			if err := s.look(ctx, name, now[name]); err != nil {
				return err
			}
		}
	}
	for name, size := range now {
		if _, known := s.seen[name]; known {
			continue
		}
		if err := s.look(ctx, name, size); err != nil {
			return err
		}
	}
	s.passes++
	return nil
}

// list returns the size of every file that ends in .parquet. None may lie in a hidden directory: plain globs find those too.
func (s *sampler) list(ctx context.Context) (map[string]int64, error) {
	text, err := s.cluster.HDFS(ctx, "ingest", "-ls", "-R", s.base)
	if err != nil {
		return nil, err
	}
	files := map[string]int64{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 || !strings.HasPrefix(f[0], "-") || !strings.HasSuffix(f[7], ".parquet") {
			continue
		}
		if slices.ContainsFunc(strings.Split(f[7], "/"), func(c string) bool { return strings.HasPrefix(c, ".") || strings.HasPrefix(c, "_") }) {
			return nil, fmt.Errorf("%w: %s is hidden from Hive, and not from a glob", errSampled, f[7])
		}
		if files[f[7]], err = strconv.ParseInt(f[4], 10, 64); err != nil {
			return nil, fmt.Errorf("parse %q: %w", line, err)
		}
	}
	return files, nil
}

// look reads a whole file: it has a footer, its rows can be read, and it is what it was.
func (s *sampler) look(ctx context.Context, name string, size int64) error {
	data, err := s.cluster.HDFS(ctx, "ingest", "-cat", name)
	if err != nil {
		return err
	}
	s.looks++
	if int64(len(data)) != size {
		return fmt.Errorf("%w: %s is listed with %d bytes and has %d", errSampled, name, size, len(data))
	}
	if err := oracle.ReadFile(name, []byte(data), func(oracle.Row) error { return nil }); err != nil {
		return fmt.Errorf("%w: %w", errSampled, err)
	}
	is := sight{size, crc32.ChecksumIEEE([]byte(data))}
	if first, known := s.seen[name]; known && first != is {
		return fmt.Errorf("%w: %s was %+v, and is %+v now", errSampled, name, first, is)
	}
	s.seen[name] = is
	return nil
}
