package hdfssink

import (
	"context"
	"sync"
)

// Budget is the memory that unwritten rows may hold in all writers of an agent. When it gets tight (three quarters), the
// partition with the largest buffered row group is asked to flush it into its staged file; where there is none of a useful size any
// more, the partition that holds most rolls files early. When it is used up, those who read wait. Safe for concurrent use.
type Budget struct {
	mu       sync.Mutex
	limit    int64
	used     int64
	accounts map[*account]struct{}
	changed  chan struct{} // closed and replaced whenever a waiter may have a reason to look again
}

// minFlush is the smallest row group worth a flush: smaller ones make files that are slow to read.
const minFlush = 1 << 20

// NewBudget makes a budget of so many bytes.
func NewBudget(limit int64) *Budget {
	return &Budget{limit: limit, accounts: map[*account]struct{}{}, changed: make(chan struct{})}
}

// Used is what all writers hold now.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// relief is what a partition is asked to do about memory.
type relief uint8

const (
	reliefNone relief = iota
	reliefFlush
	reliefRoll
)

// account is one partition's share. Used by its drain.
type account struct {
	b       *Budget
	used    int64
	largest int64 // buffered bytes of the file that has most
	want    relief
	wake    func() // ends the drain's Read; nil while it is not reading
}

func (b *Budget) open() *account {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := &account{b: b}
	b.accounts[a] = struct{}{}
	return a
}

func (a *account) close() {
	a.tell(0, 0)
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	delete(a.b.accounts, a)
}

// report tells what the partition holds and returns what it shall do about it, once.
func (a *account) report(used, largest int64) relief {
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += used - a.used
	a.used, a.largest = used, largest
	r := a.want
	a.want = reliefNone
	if r == reliefNone {
		b.balance()
		r, a.want = a.want, reliefNone
	}
	b.broadcast()
	return r
}

// reading says how to end the Read that follows; the answer is false when there is something to do first.
func (a *account) reading(wake func()) bool {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.wake = wake
	return a.want == reliefNone
}

// read says that the Read is over.
func (a *account) read() {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.wake = nil
}

// tell is report by a partition that has just done what it was asked to do.
func (a *account) tell(used, largest int64) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.b.used += used - a.used
	a.used, a.largest = used, largest
	a.b.broadcast()
}

// wait blocks while the budget is used up and nothing is asked of this partition. It returns what is asked of it.
func (a *account) wait(ctx context.Context) (r relief, waited bool) {
	for {
		r, over, changed := a.look()
		if r != reliefNone || !over {
			return r, waited
		}
		waited = true
		select {
		case <-ctx.Done():
			return reliefNone, waited
		case <-changed:
		}
	}
}

// look is one look of wait. Those who wait keep the balance, too: everybody may be waiting.
func (a *account) look() (r relief, over bool, changed <-chan struct{}) {
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	over = b.used > b.limit
	if over && b.balance() {
		b.broadcast()
	}
	r, a.want = a.want, reliefNone
	return r, over, b.changed
}

// balance asks partitions for relief until what they promise is enough, and reports whether it asked anybody. mu is held.
func (b *Budget) balance() (asked bool) {
	excess := b.used - b.limit/4*3
	for a := range b.accounts {
		excess -= a.promised()
	}
	for excess > 0 {
		a := b.victim()
		if a == nil {
			return asked
		}
		asked = true
		a.want = reliefRoll
		if a.largest >= minFlush {
			a.want = reliefFlush
		}
		excess -= a.promised()
		if a.wake != nil {
			a.wake()
		}
	}
	return asked
}

func (a *account) promised() int64 {
	switch a.want {
	case reliefFlush:
		return a.largest
	case reliefRoll:
		return max(a.used/4, 1)
	default:
		return 0
	}
}

// victim is the partition with the largest row group, or the one that holds most where no group is worth flushing; nobody as
// long as others have not done yet what they were asked.
func (b *Budget) victim() *account {
	var group, all *account
	asked := false
	for a := range b.accounts {
		asked = asked || a.want != reliefNone
		if a.want != reliefNone || a.used == 0 {
			continue
		}
		if a.largest >= minFlush && (group == nil || a.largest > group.largest) {
			group = a
		}
		if all == nil || a.used > all.used {
			all = a
		}
	}
	if group != nil || asked {
		return group
	}
	return all
}

func (b *Budget) broadcast() {
	close(b.changed)
	b.changed = make(chan struct{})
}
