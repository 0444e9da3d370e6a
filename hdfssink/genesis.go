package hdfssink

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// startWindow is how long after a sink's first start the key `start` still decides for partitions without state: members of a
// group do not get their partitions at the same moment. What has no state after that appeared later, and starts at its beginning.
const startWindow = time.Hour

// genesis commits where a partition without state starts.
func (d *drain) genesis(ctx context.Context) error {
	first, err := d.startOffset(ctx)
	if err != nil {
		return fmt.Errorf("find the start of %s: %w", d.part, err)
	}
	if err := d.claim.Genesis(ctx, first, nil); err != nil {
		return err
	}
	d.hint(ctx)
	return nil
}

func (d *drain) startOffset(ctx context.Context) (ingest.Offset, error) {
	st := d.claim.State()
	if st.Start != nil {
		return *st.Start, nil
	}
	p, err := d.startPosition(ctx, st.Life)
	if err != nil {
		return 0, err
	}
	first, err := d.stream.Resolve(ctx, p)
	if err == nil {
		d.log.Info("partition without state", "starts_at", p.At, "time", p.Time, "offset", first)
	}
	return first, err
}

// startPosition turns the key `start` into a position for this partition. "latest" is the moment of the sink's first start, so
// that what arrives while some partitions wait for their first claim is not passed over.
func (d *drain) startPosition(ctx context.Context, life int) (ingest.Position, error) {
	earliest := ingest.Position{At: "earliest"}
	if d.s.start.At == "earliest" || life > 1 {
		return earliest, nil
	}
	info, err := d.s.o.FS.Stat(ctx, path.Join(d.s.state, d.s.o.Name, "sink.json"))
	if err != nil {
		return earliest, fmt.Errorf("look when the sink was first started: %w", err)
	}
	switch {
	case d.s.o.Now().Sub(info.ModTime) > startWindow:
		return earliest, nil
	case d.s.start.At == "latest":
		return ingest.Position{At: "time", Time: info.ModTime}, nil
	default:
		return d.s.start, nil
	}
}
