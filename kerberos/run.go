package kerberos

import (
	"context"
	"time"
)

// watchEvery is how often Run looks whether a file has changed, and at the latest whether the clock has
// been set.
const watchEvery = 15 * time.Second

// Run keeps the ticket fresh until ctx ends and returns nil then: a keytab logs in anew at four fifths of the
// ticket's life, and a cache is read again when its file changes. It is called at most once. A failure does not
// end it: it tries again, quickly at first while the KDC is unreachable, seldom when the KDC refuses the key
// (so that the account is not locked), and within seconds when the keytab's file changes. See [Login.Status].
func (l *Login) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		_, _ = l.affirm(ctx) // the failure is logged, and in the status
		timer := time.NewTimer(l.untilDue())
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// untilDue is how long nothing has to be done.
func (l *Login) untilDue() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := l.state.renewAt
	if l.state.err != nil {
		due = l.state.nextTry
	}
	if due.IsZero() {
		return watchEvery
	}
	return min(max(time.Until(due), time.Millisecond), watchEvery)
}

// Status is the state of a login, for logs, metrics and readiness.
type Status struct {
	Principal string
	Source    string    // "keytab /path" or "cache /path"
	KDC       string    // address of the KDC that issued the current ticket, if it is known
	Logins    uint64    // successful logins, or loads of the cache, so far
	Failures  uint64    // failed ones
	Since     time.Time // when the current ticket was obtained; zero if there is none
	RenewAt   time.Time // when a new one is due; zero with a cache
	Expiry    time.Time // when the current ticket ends
	Err       error     // why the last attempt failed; nil when it succeeded
	NextTry   time.Time // after a failure: when Run tries again
}

// Ready says whether there is a ticket that has not expired.
func (s Status) Ready() bool { return time.Now().Before(s.Expiry) }

// Status is a snapshot. It never waits.
func (l *Login) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.state
	s := Status{
		Principal: l.principal.String(), Source: l.source.String(),
		Logins: st.logins, Failures: st.failures, Err: st.err, NextTry: st.nextTry,
	}
	if st.session != nil {
		s.KDC, s.Since, s.RenewAt, s.Expiry = st.session.kdc, st.session.since, st.renewAt, st.session.tgt.end
	}
	return s
}
