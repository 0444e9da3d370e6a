//go:build integration

package native_test

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

const benchSize = 64 << 20

// BenchmarkPut is Java's writer, `hdfs dfs -put`, in a JVM that is warm, for comparison.
func BenchmarkPut(b *testing.B) {
	c, _, dir := start(b)
	data := bytes.Repeat([]byte("0123456789abcde\n"), benchSize/16)
	b.SetBytes(benchSize)
	for i := 0; b.Loop(); i++ {
		if _, err := c.HDFSWith(b.Context(), bytes.NewReader(data), "ingest", "-put", "-", dir+"/"+strconv.Itoa(i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20/16)
	for _, writers := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("%dwriters", writers), func(b *testing.B) {
			_, f, dir := start(b)
			b.SetBytes(int64(benchSize * writers))
			for i := 0; b.Loop(); i++ {
				var all sync.WaitGroup
				for n := range writers {
					all.Go(func() {
						w, err := f.Create(b.Context(), fmt.Sprintf("%s/%d-%d", dir, i, n), dfs.CreateOptions{})
						if err != nil {
							b.Error(err)
							return
						}
						for range benchSize >> 20 {
							if _, err := w.Write(data); err != nil {
								b.Error(err)
								break
							}
						}
						if err := w.Close(b.Context()); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
			}
		})
	}
}
