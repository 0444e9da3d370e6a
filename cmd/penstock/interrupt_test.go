package main

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestEcho: a signal that comes twice at once stops, and does not end the last commits; one that comes later does.
func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, endStop := context.WithCancelCause(t.Context())
		hard, endHard := context.WithCancelCause(t.Context())
		got := make(chan os.Signal, 2)
		go follow(got, t.Context().Done(), endStop, endHard)
		got <- syscall.SIGTERM
		got <- syscall.SIGTERM
		synctest.Wait()
		if stop.Err() == nil || hard.Err() != nil {
			t.Fatalf("after a signal and its echo: stop %v, hard %v", stop.Err(), hard.Err())
		}
		<-time.After(echo)
		synctest.Wait()
		got <- syscall.SIGINT
		synctest.Wait()
		if hard.Err() == nil || context.Cause(hard).Error() != `interrupted by signal "interrupt"` {
			t.Errorf("after a second signal: hard %v", context.Cause(hard))
		}
	})
}
