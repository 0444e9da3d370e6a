package ingesttest_test

import (
	"testing"

	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/ingesttest"
)

func TestLogIsAStream(t *testing.T) {
	ingesttest.StreamSuite(t, func(*testing.T) ingesttest.Fixture {
		l := ingesttest.NewLog("clicks", 1)
		return ingesttest.Fixture{
			Stream:       func(*testing.T) ingest.Stream { return l.Stream(0) },
			Produce:      func(_ *testing.T, events ...ingest.Event) { l.Append(0, events...) },
			DeleteBefore: func(_ *testing.T, start ingest.Offset) { l.DeleteBefore(0, start) },
		}
	})
}
