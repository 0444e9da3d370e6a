//go:build !race

package parquetfile_test

import (
	"testing"

	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
)

// TestTypedAllocations is TestAllocations with a schema, whose columns are more for arrow. The race detector makes sync.Pool, which has the decoders,
// throw away what it is given at random.
func TestTypedAllocations(t *testing.T) {
	f, _, _ := typedFormat(t, []byte(jsonevents.Schema), nil)
	allocations(t, f, 0.1)
}
