package hdfssink_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// damaging is a file system that says all is well with the first staged file and keeps something else.
type damaging struct {
	dfs.FS
	damage func([]byte) []byte
}

func (f *damaging) Create(ctx context.Context, name string, o dfs.CreateOptions) (dfs.File, error) {
	file, err := f.FS.Create(ctx, name, o)
	if err == nil && strings.HasSuffix(name, "/.staged-000001") {
		return damagedFile{file, f.damage}, nil
	}
	return file, err
}

type damagedFile struct {
	dfs.File
	damage func([]byte) []byte
}

func (f damagedFile) Write(b []byte) (int, error) {
	_, err := f.File.Write(f.damage(b))
	return len(b), err
}

// TestAFileThatIsNotWhatWasWritten: a clean close is not believed before length and footer are as they should be.
func TestAFileThatIsNotWhatWasWritten(t *testing.T) {
	for says, damage := range map[string]func([]byte) []byte{
		"bytes were written, but the file has": func(b []byte) []byte { return append([]byte("0\tevent-0\n"), b...) },
		"footer":                               func(b []byte) []byte { return bytes.Replace(b, []byte("END 10"), []byte("END 11"), 1) },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			r.log.Append(0, events(0, 20, spread(2))...)
			o := *r
			o.o.FS = &damaging{r.fs, damage}
			err := drained(t, o.sink(t), r.log.Stream(0), time.Second)
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("no word of %q: %v", says, err)
			}
			if n := len(r.published(t)); n != 10 {
				t.Errorf("%d events are published, want those of the other file", n)
			}
			if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
				t.Fatal(err)
			}
			r.exactly(t, 20)
		})
	}
}
