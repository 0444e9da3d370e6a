package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// interruptedError is the cause with which a signal ends a context.
type interruptedError struct{ signal syscall.Signal }

func (e *interruptedError) Error() string { return fmt.Sprintf("interrupted by signal %q", e.signal) }

// code is the exit code that shells give to a process which a signal has ended.
func (e *interruptedError) code() int { return 128 + int(e.signal) }

// echo is for how long the first signal may come again without meaning more: timeout(1), in which cron jobs are wrapped, signals its child
// and then the whole group, and so do shells that pass Ctrl-C on.
const echo = 100 * time.Millisecond

// interrupts returns a context that the first SIGINT or SIGTERM ends and one that the second ends. The third ends the process.
func interrupts(ctx context.Context) (stop, hard context.Context, release func()) {
	stop, endStop := context.WithCancelCause(ctx)
	hard, endHard := context.WithCancelCause(ctx)
	got := make(chan os.Signal, 2)
	signal.Notify(got, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		follow(got, hard.Done(), endStop, endHard)
		signal.Stop(got)
	}()
	return stop, hard, func() {
		signal.Stop(got)
		endStop(nil)
		endHard(nil)
	}
}

// follow ends one context after the other, one for each signal, until over is closed.
func follow(got <-chan os.Signal, over <-chan struct{}, ends ...context.CancelCauseFunc) {
	var first <-chan time.Time
	for len(ends) > 0 {
		select {
		case <-over:
			return
		case <-first:
			first = nil
		case s := <-got:
			if number, ok := s.(syscall.Signal); ok && first == nil {
				ends[0](&interruptedError{number})
				ends = ends[1:]
				first = time.After(echo)
			}
		}
	}
}
