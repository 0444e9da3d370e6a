package hdfssink

import (
	"context"
	"testing"
	"testing/synctest"
)

const mib = 1 << 20

func TestBudgetAsksForTheLargestRowGroup(t *testing.T) {
	b := NewBudget(100 * mib)
	small, large := b.open(), b.open()
	if r := small.report(30*mib, 5*mib); r != reliefNone {
		t.Fatalf("asked for %v while there is room", r)
	}
	woken := false
	if r := large.report(40*mib, 20*mib); r != reliefNone {
		t.Fatalf("asked for %v while there is room", r)
	}
	if !large.reading(func() { woken = true }) {
		t.Fatal("something is wanted already")
	}
	if r := small.report(40*mib, 5*mib); r != reliefNone {
		t.Fatalf("the smaller one is asked for %v", r)
	}
	if !woken {
		t.Error("the largest was not woken")
	}
	large.read()
	if r := large.report(40*mib, 20*mib); r != reliefFlush {
		t.Errorf("the largest is asked for %v", r)
	}
	large.tell(20*mib, 3*mib)
	if b.Used() != 60*mib {
		t.Errorf("used %d", b.Used())
	}
}

func TestBudgetRollsWhenNoGroupIsWorthAFlush(t *testing.T) {
	b := NewBudget(100 * mib)
	a := b.open()
	if r := a.report(90*mib, mib/2); r != reliefRoll {
		t.Errorf("asked for %v", r)
	}
}

// TestBudgetWhileEverybodyWaits: nobody reports any more, and still the memory has to come from somewhere.
func TestBudgetWhileEverybodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100 * mib)
		accounts := []*account{b.open(), b.open(), b.open()}
		for _, a := range accounts {
			a.tell(80*mib, 2*mib)
		}
		for _, a := range accounts {
			go func() {
				for used := int64(80 * mib); ; {
					r, _ := a.wait(t.Context())
					switch r {
					case reliefNone:
						return
					case reliefFlush:
						used -= 2 * mib
					case reliefRoll:
						used -= used / 4
					}
					a.tell(used, min(used, 2*mib))
				}
			}()
		}
		synctest.Wait()
		if b.Used() > 100*mib {
			t.Errorf("everybody waits, and %d bytes are in use", b.Used())
		}
	})
}

func TestBudgetMakesReadersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100 * mib)
		holder, reader := b.open(), b.open()
		holder.reading(func() {})
		holder.report(120*mib, 60*mib)
		reader.report(mib, mib/2)
		var waited bool
		done := false
		go func() {
			_, waited = reader.wait(t.Context())
			done = true
		}()
		synctest.Wait()
		if done {
			t.Fatal("the reader did not wait")
		}
		holder.tell(10*mib, mib)
		synctest.Wait()
		if !done || !waited {
			t.Errorf("done %v, waited %v", done, waited)
		}
		holder.tell(120*mib, 60*mib)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if r, _ := reader.wait(ctx); r != reliefNone {
			t.Errorf("asked for %v", r)
		}
		holder.close()
		if b.Used() != mib {
			t.Errorf("used %d after the holder left", b.Used())
		}
	})
}
