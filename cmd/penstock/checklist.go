package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// checklist runs checks one after the other and prints each as it ends.
type checklist struct {
	out     io.Writer
	output  string // json: nothing is printed
	timeout time.Duration

	steps  []step
	failed []error
}

// step is one check, in its JSON form.
type step struct {
	Name   string  `json:"name"`
	OK     bool    `json:"ok"`
	Millis float64 `json:"millis"`
	Detail string  `json:"detail,omitempty"`
	Error  string  `json:"error,omitempty"`
}

func (l *checklist) text(format string, args ...any) {
	if l.output != "json" {
		fmt.Fprintf(l.out, format, args...)
	}
}

// step runs one check and reports it. Later steps run even when an earlier one failed, so that all that is wrong is seen at once.
func (l *checklist) step(ctx context.Context, name string, check func(ctx context.Context) (detail string, err error)) error {
	if err := context.Cause(ctx); err != nil {
		return err // interrupted
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	begin := time.Now()
	detail, err := check(ctx)
	took := time.Since(begin)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
		err = fmt.Errorf("not done within %s (--timeout): %w", l.timeout, err)
	}
	s := step{Name: name, OK: err == nil, Millis: float64(took.Microseconds()) / 1000, Detail: detail}
	mark, note := "ok    ", detail
	if err != nil {
		s.Error, mark, note = err.Error(), "FAILED", err.Error()
		l.failed = append(l.failed, err)
	}
	l.steps = append(l.steps, s)
	l.text("%s  %s (%d ms)", mark, name, took.Milliseconds())
	if note != "" {
		l.text(": %s", note)
	}
	l.text("\n")
	return err
}

// verdict is nil if all went well; else it has the exit code of what failed.
func (l *checklist) verdict(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if len(l.failed) == 0 {
		return nil
	}
	return withCode(codeOf(errors.Join(l.failed...)), fmt.Errorf("%d of %d checks failed", len(l.failed), len(l.steps)))
}
