package oracle

import (
	"fmt"
	"hash/crc32"
)

// Ledger is what was sent: of each producer, numbers from 0 without gaps, and a checksum of each body. It is not safe for
// concurrent use.
type Ledger struct {
	sums [][]uint32 // by producer and sequence number
}

// NewLedger is empty, for producers 0 to producers-1.
func NewLedger(producers int) *Ledger { return &Ledger{sums: make([][]uint32, producers)} }

// Sent enters an event that the broker has acknowledged, or that the sender will not rest until it has.
func (l *Ledger) Sent(producer int, seq uint64, body []byte) error {
	if want := uint64(len(l.sums[producer])); seq != want {
		return fmt.Errorf("producer %d sent number %d, and %d is next: its numbers must have no gaps", producer, seq, want)
	}
	l.sums[producer] = append(l.sums[producer], crc32.Checksum(body, castagnoli()))
	return nil
}

// Events is how many were sent.
func (l *Ledger) Events() int64 {
	var n int64
	for _, s := range l.sums {
		n += int64(len(s))
	}
	return n
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // the same table each time
