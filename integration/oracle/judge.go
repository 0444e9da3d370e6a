package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// Row is one row of a file as a reader found it. Rows of a file come one after the other, in the file's order.
type Row struct {
	File      string
	Topic     string
	Partition int32
	Offset    int64
	Body      []byte // the reader's, until Add returns
}

// Judge compares what files hold with a ledger. Not safe for concurrent use.
type Judge struct {
	ledger *Ledger
	topic  string
	seen   [][]uint8 // by producer and sequence number
	log    map[int32][]place
	file   string
	last   place // of file
	files  map[string]bool
	report Report
}

// place is where in its partition an event was.
type place struct {
	partition int32
	offset    int64
	producer  int
	seq       uint64
}

// Report is the verdict. First holds the first examples of each kind of finding.
type Report struct {
	Files      int   // distinct, with at least one row
	Rows       int64 // in all
	Lost       Finding
	Doubled    Finding // an event beyond its first copy, or two events at one offset
	Disordered Finding // within a file: offsets not ascending, or two partitions; within a partition: a producer's numbers not ascending with the offset
	Foreign    Finding // nobody sent it
	Corrupt    Finding // sent with another body
}

// Finding is one kind of wrong.
type Finding struct {
	N     int64
	First []string
}

func (f *Finding) add(format string, args ...any) {
	if f.N++; f.N <= 20 {
		f.First = append(f.First, fmt.Sprintf(format, args...))
	}
}

// NewJudge expects every event of the ledger once, in one topic.
func NewJudge(l *Ledger, topic string) *Judge {
	j := &Judge{ledger: l, topic: topic, log: map[int32][]place{}, files: map[string]bool{}}
	for _, sums := range l.sums {
		j.seen = append(j.seen, make([]uint8, len(sums)))
	}
	return j
}

// Add takes one row. It never fails; the error is there for readers that want to be told to stop.
func (j *Judge) Add(r Row) error {
	j.report.Rows++
	var id struct {
		Producer *int    `json:"producer"`
		Seq      *uint64 `json:"seq"`
	}
	if err := json.Unmarshal(r.Body, &id); err != nil || id.Producer == nil || id.Seq == nil {
		j.report.Foreign.add("%s: %s+%d@%d: the body names no producer and number: %.80q", r.File, r.Topic, r.Partition, r.Offset, r.Body)
		return nil //nolint:nilerr // it is in the report
	}
	at := place{r.Partition, r.Offset, *id.Producer, *id.Seq}
	if r.Topic != j.topic || at.producer < 0 || at.producer >= len(j.seen) || at.seq >= uint64(len(j.seen[at.producer])) {
		j.report.Foreign.add("%s: %s+%d@%d: producer %d has not sent %d to this topic", r.File, r.Topic, r.Partition, r.Offset, at.producer, at.seq)
		return nil
	}
	j.within(r.File, at)
	if crc32.Checksum(r.Body, castagnoli()) != j.ledger.sums[at.producer][at.seq] {
		j.report.Corrupt.add("%s: %s: not the body that was sent", r.File, at)
	}
	if n := &j.seen[at.producer][at.seq]; *n > 0 {
		j.report.Doubled.add("%s: %s: seen before", r.File, at)
	} else {
		*n = 1
	}
	j.log[r.Partition] = append(j.log[r.Partition], at)
	return nil
}

// within checks the order in a file, and that its rows are of one partition.
func (j *Judge) within(file string, at place) {
	switch {
	case file != j.file && j.files[file]:
		j.report.Disordered.add("%s: read in two pieces", file) // the reader's fault; the order cannot be judged
	case file != j.file:
	case at.partition != j.last.partition:
		j.report.Disordered.add("%s: %s and %s in one file", file, j.last, at)
	case at.offset <= j.last.offset:
		j.report.Disordered.add("%s: %s comes after %s", file, at, j.last)
	}
	j.file, j.last, j.files[file] = file, at, true
}

// Report is the verdict over all rows so far.
func (j *Judge) Report() Report {
	r := j.report
	r.Files = len(j.files)
	for producer, seen := range j.seen {
		for seq, n := range seen {
			if n == 0 {
				r.Lost.add("producer %d, number %d", producer, seq)
			}
		}
	}
	for _, log := range j.log {
		slices.SortStableFunc(log, func(a, b place) int { return cmp.Compare(a.offset, b.offset) })
		last := map[int]place{}
		for i, at := range log {
			if i > 0 && log[i-1].offset == at.offset && (log[i-1].producer != at.producer || log[i-1].seq != at.seq) {
				r.Doubled.add("%s and %s are at one offset", log[i-1], at)
			}
			if before, ok := last[at.producer]; ok && before.seq > at.seq {
				r.Disordered.add("%s lies behind %s", at, before)
			}
			last[at.producer] = at
		}
	}
	return r
}

func (p place) String() string {
	return fmt.Sprintf("producer %d, number %d (partition %d, offset %d)", p.producer, p.seq, p.partition, p.offset)
}

// Err is nil when every event was there once, whole and in order.
func (r Report) Err() error {
	var b strings.Builder
	for _, f := range []struct {
		name string
		Finding
	}{{"lost", r.Lost}, {"doubled", r.Doubled}, {"out of order", r.Disordered}, {"foreign", r.Foreign}, {"corrupt", r.Corrupt}} {
		if f.N > 0 {
			fmt.Fprintf(&b, "\n%d %s:\n\t%s", f.N, f.name, strings.Join(f.First, "\n\t"))
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("%d rows in %d files are not every event once:%s", r.Rows, r.Files, b.String())
}
