package hdfssink_test

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDrainPublishesEverythingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.o.Logger = testLogger(t)
		r.log.Append(0, events(0, 1000, spread(3))...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 1000)
		if n := len(r.files()); n != 3 {
			t.Errorf("%d files: %v", n, r.files())
		}
		h, ok := r.log.Hint(0)
		if !ok || h.Next != 1000 {
			t.Errorf("hint: %+v %v", h, ok)
		}
	})
}
