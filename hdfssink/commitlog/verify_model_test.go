package commitlog_test

import (
	"path"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
)

// verify asks the product's own proof, over the whole log. What readers have taken away is missing; nothing else may be wrong.
func (w *world) verify(t *testing.T) {
	t.Helper()
	r, err := commitlog.Verify(t.Context(), w.fs, path.Join(stateBase, sinkName), commitlog.VerifyOptions{Level: commitlog.LevelRead})
	if err != nil {
		t.Error(err)
		return
	}
	if len(r.Broken)+len(r.Damaged)+len(r.Foreign) > 0 || len(r.Missing) > 0 && len(w.read) == 0 || len(r.Partitions) != 1 || r.Partitions[0].Low != w.events {
		t.Error(r)
	}
}
