package brokerlink_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/ingest"
)

// packed is a batch from raw with its events compressed.
func packed(t *testing.T, b []byte, codec string) []byte {
	t.Helper()
	const head = 61
	var out bytes.Buffer
	var err error
	kind := byte(0)
	switch codec {
	case "gzip":
		kind = 1
		w := gzip.NewWriter(&out)
		_, err = w.Write(b[head:])
		err = errors.Join(err, w.Close())
	case "lz4":
		kind = 3
		w := lz4.NewWriter(&out)
		_, err = w.Write(b[head:])
		err = errors.Join(err, w.Close())
	case "zstd":
		kind = 4
		var w *zstd.Encoder
		if w, err = zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedBestCompression)); err == nil {
			_, err = w.Write(b[head:])
			err = errors.Join(err, w.Close())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	p := append(bytes.Clone(b[:head]), out.Bytes()...)
	p[22] = kind
	binary.BigEndian.PutUint32(p[8:], uint32(len(p)-12))
	binary.BigEndian.PutUint32(p[17:], crc32.Checksum(p[21:], crc32.MakeTable(crc32.Castagnoli)))
	return p
}

// TestBatchWithMoreEventsThanBytes: equal events compress to less than a byte each.
func TestBatchWithMoreEventsThanBytes(t *testing.T) {
	const n = 100_000
	var records []byte
	for i := range n {
		r := binary.AppendVarint([]byte{0, 0}, int64(i)) // attributes, timestamp, offset
		r = append(r, 1, 4, 'o', 'k', 0)                 // no key, two bytes, no headers
		records = append(binary.AppendVarint(records, int64(len(r))), r...)
	}
	full := packed(t, raw(2, n+1, n, records), "zstd")
	if len(full) >= n {
		t.Fatalf("the batch takes %d bytes: it shows nothing", len(full))
	}
	for name, batches := range map[string][][]byte{
		"alone": {full}, "behind another": {batch(0, 1, 0, 1), full}, "before another": {full, batch(n+2, n+3, n+2, n+3)},
	} {
		t.Run(name, func(t *testing.T) {
			b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
			end := ingest.Offset(n + 2)
			serve(b, int64(end), batches...)
			withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
				first := ingest.Offset(2)
				got, gaps, err := read(ctx, s, first, end)
				if err != nil || len(got) != n || len(gaps) > 0 || string(got[n-1].Body) != "ok" {
					return fmt.Errorf("%d events, gaps %v: %w", len(got), gaps, err)
				}
				mark := ingest.Mark{Offset: end - 1, LeaderEpoch: -1, CRC: got[n-1].CRC() + 1}
				if err := s.Check(ctx, mark); !errors.Is(err, ingest.ErrReplaced) {
					return fmt.Errorf("another event's mark: %w", err)
				}
				return nil
			})
		})
	}
}
