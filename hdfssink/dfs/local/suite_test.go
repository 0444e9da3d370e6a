package local_test

import (
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/dfstest"
)

func TestSuite(t *testing.T) {
	dfstest.Suite(t, func(t *testing.T) dfs.FS {
		f, _ := open(t)
		return f
	})
}
