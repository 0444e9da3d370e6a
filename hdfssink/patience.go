package hdfssink

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// How long a partition keeps its open files while something that it needs is away. After that its drain ends, and its caller shows
// the error and tries again from the last commit.
const (
	createPatience = 2 * time.Minute
	commitPatience = 5 * time.Minute
	readPatience   = 2 * time.Minute

	pauseMin = 100 * time.Millisecond
	pauseMax = 10 * time.Second
)

// patiently calls f until it succeeds, fails for good, or patience or ctx end. Only for calls that may be repeated when the file
// system is away or an answer is lost.
func patiently(ctx context.Context, patience time.Duration, f func() error) error {
	end := time.Now().Add(patience)
	for wait := pauseMin; ; wait = min(2*wait, pauseMax) {
		err := f()
		if err == nil || (!errors.Is(err, dfs.ErrUnavailable) && !errors.Is(err, dfs.ErrNoAnswer)) {
			return err
		}
		if !time.Now().Add(wait).Before(end) || !sleep(ctx, wait) {
			return err
		}
	}
}

// sleep waits for d, less up to half of it at random, and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d - rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}
