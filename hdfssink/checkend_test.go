package hdfssink_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/formats"
)

var errEnd = errors.New("the end is missing")

// endings is lines without a footer that is worth reading: only the end of a file is looked at, and that of the first is found wrong.
type endings struct {
	lines
	looked *int
}

func (endings) Inspect(io.ReaderAt, int64) (formats.Info, error) {
	return formats.Info{}, errors.New("a file was read back as a whole")
}

func (e endings) CheckEnd(r io.ReaderAt, size int64) error {
	end := make([]byte, 1)
	if _, err := r.ReadAt(end, size-1); err != nil {
		return err
	}
	if *e.looked++; *e.looked == 1 || string(end) != "\n" {
		return errEnd
	}
	return nil
}

// TestFilesWithoutFooterAreCheckedAtTheirEnd: what is wrong there drops the file, as a footer does.
func TestFilesWithoutFooterAreCheckedAtTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looked := 0
		r := newRig(func(r *rig) { r.o.Format = endings{lines: lines{ext: "txt"}, looked: &looked} })
		r.log.Append(0, events(0, 100)...)
		s := r.sink(t)
		if err := drained(t, s, r.log.Stream(0), time.Second); !errors.Is(err, errEnd) || !strings.Contains(err.Error(), "check") {
			t.Fatalf("the drain ended with %v", err)
		}
		if n := len(r.published(t)); n != 0 {
			t.Errorf("%d events of a file that is not whole", n)
		}
		if err := drained(t, s, r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 100)
	})
}
