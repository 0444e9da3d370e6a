package commitlog

import (
	"context"
	"errors"
	"io/fs"

	"github.com/penstock-io/penstock/ingest"
)

// Lost looks whether somebody else has ended this claim: a *FencedError. For a caller whose staged file has failed in any way: losing
// the staging directory may be what was behind it. nil: it is still there, or cannot be looked at now.
func (c *Claim) Lost(ctx context.Context) error {
	if errors.Is(c.over, ingest.ErrFenced) {
		return c.over
	}
	if _, err := c.log.o.FS.Stat(ctx, c.Live()); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return c.fenced(ctx)
}
