package main

import (
	"fmt"
	"io"
	"time"
)

// progress shows how far something is: a line that rewrites itself on a terminal, a line every few seconds elsewhere.
type progress struct {
	w     io.Writer
	total int64
	tty   bool
	begin time.Time
	last  time.Time
	done  int64 // at last
}

func newProgress(w io.Writer, total int64) *progress {
	now := time.Now()
	return &progress{w: w, total: total, tty: isTerminal(w), begin: now, last: now}
}

// show reports done; it writes only as often as somebody would read.
func (p *progress) show(done int64) {
	every := 3 * time.Second
	if p.tty {
		every = 200 * time.Millisecond
	}
	now := time.Now()
	if now.Sub(p.last) < every && done < p.total {
		return
	}
	rate := float64(done-p.done) / max(now.Sub(p.last).Seconds(), 1e-3)
	line := fmt.Sprintf("%6.1fs  %9d of %d committed (%3.0f%%)  %7.0f events/s", now.Sub(p.begin).Seconds(), done, p.total, 100*float64(done)/float64(p.total), rate)
	if p.tty {
		fmt.Fprintf(p.w, "\r%s\x1b[K", line)
	} else {
		fmt.Fprintln(p.w, line)
	}
	p.last, p.done = now, done
}

// say writes a line of its own.
func (p *progress) say(format string, args ...any) {
	p.end()
	fmt.Fprintf(p.w, "%6.1fs  %s\n", time.Since(p.begin).Seconds(), fmt.Sprintf(format, args...))
}

// end leaves the line that rewrites itself.
func (p *progress) end() {
	if p.tty {
		fmt.Fprintln(p.w)
	}
}
