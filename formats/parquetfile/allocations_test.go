//go:build !race

package parquetfile_test

import "testing"

// TestTypedAllocations is TestAllocations with a schema, whose columns are more for arrow. The race detector makes sync.Pool, which has the decoders,
// throw away what it is given at random.
func TestTypedAllocations(t *testing.T) {
	f, _, _ := typedFormat(t, []byte(clicksSchema), nil)
	allocations(t, f, 0.1)
}
