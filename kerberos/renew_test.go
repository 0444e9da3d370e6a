package kerberos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/kerberos"
)

// attempts notes when logins were tried, by the bubble's clock.
type attempts struct {
	mu sync.Mutex
	at []time.Time
}

func (a *attempts) add() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
}

func (a *attempts) gaps() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(a.at); i++ {
		gaps = append(gaps, a.at[i].Sub(a.at[i-1]))
	}
	return gaps
}

// pass lets time pass on the bubble's clock; nobody waits.
func pass(d time.Duration) { <-time.After(d) }

// run runs the login in the bubble for a time of the bubble's clock.
func run(t *testing.T, l *kerberos.Login, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := l.Run(ctx); err != nil {
		t.Errorf("Run = %v, want nil at the end of its context", err)
	}
}

func TestRunRenewsAtFourFifths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attempts
		const life = 2 * time.Minute
		l := kerberos.NewLoginFrom(kerberos.FakeSource{Obtain: func(context.Context) (time.Duration, error) {
			a.add()
			return life, nil
		}}, nil)
		run(t, l, 24*time.Hour)
		for i, gap := range a.gaps() {
			if gap < life*3/4 || gap > life*4/5 {
				t.Errorf("login %d came %s after the one before, want 75 to 80 %% of %s", i+1, gap, life)
			}
		}
		if n := l.Status().Logins; n < 24*60*60/96 {
			t.Errorf("%d logins in 24 h, want one each 90 to 96 s", n)
		}
	})
}

func TestOutageLongerThanTheTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attempts
		var down atomic.Bool
		l := kerberos.NewLoginFrom(kerberos.FakeSource{Obtain: func(context.Context) (time.Duration, error) {
			a.add()
			if down.Load() {
				return 0, fmt.Errorf("%w: refused", kerberos.ErrKDCUnreachable)
			}
			return 10 * time.Minute, nil
		}}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		synctest.Wait()
		down.Store(true)
		pass(9 * time.Minute)
		if err := l.Affirm(ctx); err != nil {
			t.Errorf("with a minute of life left: Affirm = %v, want nil", err)
		}
		if st := l.Status(); !st.Ready() || !errors.Is(st.Err, kerberos.ErrKDCUnreachable) || st.NextTry.IsZero() {
			t.Errorf("status during the outage = %+v, want ready, with the failure", st)
		}
		pass(6 * time.Hour)
		if err := l.Affirm(ctx); !errors.Is(err, kerberos.ErrKDCUnreachable) {
			t.Errorf("after the ticket's end: Affirm = %v, want ErrKDCUnreachable", err)
		}
		if l.Status().Ready() {
			t.Error("ready with a ticket that has ended")
		}
		down.Store(false)
		if err := l.Affirm(ctx); err != nil {
			t.Errorf("first use with the KDC back: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		gaps := a.gaps()
		for i, gap := range gaps[1 : len(gaps)-2] { // without the first login and the Affirm calls
			if gap > 38*time.Second {
				t.Errorf("attempt %d came %s after the one before, want at most 30 s and a quarter", i, gap)
			}
		}
		if gaps[1] > 1250*time.Millisecond {
			t.Errorf("the first retry came after %s, want about 1 s", gaps[1])
		}
	})
}

func TestRefusalsAreNotRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attempts
		var changed atomic.Bool
		l := kerberos.NewLoginFrom(kerberos.FakeSource{
			Obtain: func(context.Context) (time.Duration, error) {
				a.add()
				if changed.Swap(false) {
					return time.Hour, nil
				}
				return 0, kerberos.AccountRefusal()
			},
			Changed: changed.Load,
		}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		for range 30 { // others ask all the time
			pass(time.Minute)
			if err := l.Affirm(ctx); !errors.Is(err, kerberos.ErrBadKeytab) {
				t.Fatalf("Affirm = %v, want ErrBadKeytab", err)
			}
		}
		gaps := a.gaps()
		if len(gaps) < 4 || len(gaps) > 8 {
			t.Errorf("%d attempts in half an hour, want few: %v", len(gaps)+1, gaps)
		}
		for _, gap := range gaps {
			if gap < 30*time.Second {
				t.Errorf("an attempt came %s after a refusal, want at least 30 s", gap)
			}
		}
		changed.Store(true) // the new keytab is there
		pass(time.Minute)
		if st := l.Status(); !st.Ready() || st.Err != nil {
			t.Errorf("a minute after the keytab changed: %+v, want a login", st)
		}
		cancel()
		<-ended
	})
}

func TestConcurrentCallersShareOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attempts
		answer := make(chan error)
		l := kerberos.NewLoginFrom(kerberos.FakeSource{Obtain: func(ctx context.Context) (time.Duration, error) {
			a.add()
			select {
			case err := <-answer:
				return time.Hour, err
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}}, nil)
		var wg sync.WaitGroup
		results := make(chan error, 8)
		for range cap(results) {
			wg.Go(func() { results <- l.Affirm(t.Context()) })
		}
		synctest.Wait()
		answer <- fmt.Errorf("%w: no route", kerberos.ErrKDCUnreachable)
		wg.Wait()
		for range cap(results) {
			if err := <-results; !errors.Is(err, kerberos.ErrKDCUnreachable) {
				t.Errorf("Affirm = %v, want the shared failure", err)
			}
		}
		if n := len(a.at); n != 1 {
			t.Errorf("%d attempts, want 1", n)
		}

		// A caller that gives up is no failure of the KDC, and does not keep the others waiting.
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if err := l.Affirm(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Affirm of the one that gave up = %v, want Canceled", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := l.Affirm(t.Context()); err != nil {
				t.Errorf("Affirm of the one behind = %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		answer <- nil
		wg.Wait()
		if st := l.Status(); st.Failures != 1 || st.Logins != 1 {
			t.Errorf("status = %+v, want 1 failure and 1 login", st)
		}
	})
}

func TestWatchedFileIsReadWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var loads atomic.Int64
		var changed atomic.Bool
		var torn atomic.Bool
		l := kerberos.NewLoginFrom(kerberos.FakeSource{
			Watched: true,
			Changed: changed.Load,
			Obtain: func(context.Context) (time.Duration, error) {
				changed.Store(false)
				if torn.Swap(false) {
					return 0, fmt.Errorf("%w: cut short", kerberos.ErrBadCache)
				}
				loads.Add(1)
				return time.Hour, nil
			},
		}, nil)
		run(t, l, 30*time.Minute)
		if n := loads.Load(); n != 1 {
			t.Errorf("loaded %d times, want once while nothing changes", n)
		}
		changed.Store(true)
		torn.Store(true)
		if err := l.Affirm(t.Context()); err != nil {
			t.Errorf("a torn file while the old ticket is good: Affirm = %v, want nil", err)
		}
		run(t, l, 10*time.Second)
		if n := loads.Load(); n != 2 || l.Status().Err != nil {
			t.Errorf("loaded %d times, status %+v, want the second load soon after the torn one", n, l.Status())
		}
	})
}
