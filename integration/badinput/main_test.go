//go:build integration

package badinput

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/integration/penstock"
)

// TestMain builds the agent once, as `make build` does, and has the tests wait side by side: they are agents that look again
// after a minute, and hardly use the machine.
func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "penstock-badinput-")
	if err != nil {
		panic(err)
	}
	code := 1
	if binary, err := penstock.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else if err := os.Setenv(binaryVar, binary); err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binaryVar tells tests where the binary is.
const binaryVar = "PENSTOCK_BADINPUT_BINARY"

// running is the cluster, started or found once.
var running = sync.OnceValues(func() (*cluster.Cluster, error) { return cluster.Start(context.Background()) })
