package kerberos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
)

// Identity says who logs in, and with what. Exactly one of Keytab and Cache is set.
type Identity struct {
	// Principal is NAME@REALM or NAME/HOST@REALM. A host of _HOST stands for this host's full name,
	// and without a realm the default realm is meant. With Cache it may be empty; if it is not, the
	// cache must be that principal's.
	Principal string
	// Keytab is the path of a keytab. It is read again at each login.
	Keytab string
	// Cache is a ticket cache, FILE:PATH, DIR:PATH or a plain path. It is read again when the file
	// changes. KCM:, KEYRING: and API: are refused.
	Cache string
	// Krb5Conf is the path of the krb5 configuration, or several separated by colons; empty means
	// $KRB5_CONFIG, or else /etc/krb5.conf.
	Krb5Conf string
	// Host replaces _HOST in Principal; empty means this host's full name.
	Host string
	// Log is told of logins and of failures that Run tries again after. Nil means nobody is.
	Log *slog.Logger
}

// Login is one identity, logged in when it has to be. Its methods may be called from any goroutine.
type Login struct {
	principal Principal
	conf      *krb5Config
	kdcs      *kdcs
	source    source
	log       *slog.Logger
	turn      chan struct{} // holds a token while somebody logs in

	mu    sync.Mutex
	state loginState
}

// loginState is what the attempts so far have come to.
type loginState struct {
	session  *session // the newest, which may have ended
	renewAt  time.Time
	replaced time.Time // when a session was last given up before its time
	attempts uint64    // those that were not cut off by their caller
	logins   uint64
	failures uint64
	inRow    int // failures since the last success
	err      error
	nextTry  time.Time
}

// NewLogin reads the identity's files and checks them against each other. It talks to no KDC, so it
// succeeds while that is away.
func NewLogin(id Identity) (*Login, error) {
	if (id.Keytab == "") == (id.Cache == "") {
		return nil, fmt.Errorf("%w: identity %q: set either a keytab or a cache", ErrBadConfig, id.Principal)
	}
	conf, err := loadConfig(id.Krb5Conf)
	if err != nil {
		return nil, err
	}
	principal, err := id.principal(conf)
	if err != nil {
		return nil, err
	}
	l := newLogin(principal, nil, id.Log)
	l.conf, l.kdcs = conf, &kdcs{conf: conf, fresh: ticketFresh}
	if id.Keytab != "" {
		source := &keytabSource{file: file{path: id.Keytab}, principal: principal, kdcs: l.kdcs}
		l.source = source
		_, err = source.keys()
		return l, err
	}
	path, err := cachePath(id.Cache)
	if err != nil {
		return nil, err
	}
	source := &cacheSource{file: file{path: path}, principal: principal}
	l.source = source
	// A cache that has ended, or is not there yet, may be filled while the agent runs. Only with its
	// principal known can the Login begin without it.
	s, err := source.obtain(context.Background())
	if err == nil {
		l.principal = s.principal
		l.succeeded(s)
		return l, nil
	}
	if principal == (Principal{}) {
		return nil, fmt.Errorf("%w; or set the identity's principal, to start without the ticket", err)
	}
	return l, nil
}

func newLogin(p Principal, s source, log *slog.Logger) *Login {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Login{principal: p, source: s, log: log, turn: make(chan struct{}, 1)}
}

// principal fills in the host and the realm.
func (id Identity) principal(conf *krb5Config) (Principal, error) {
	if id.Principal == "" && id.Cache != "" {
		return Principal{}, nil
	}
	p, err := ParsePrincipal(id.Principal)
	if err != nil {
		return Principal{}, err
	}
	if p.Instance == hostPattern {
		host := id.Host
		if host == "" {
			if host, err = LocalHost(context.Background()); err != nil {
				return Principal{}, err
			}
		}
		p = p.withHost(host)
	}
	if p.Realm == "" {
		p.Realm = conf.defaultRealm
	}
	if p.Realm == "" {
		return Principal{}, fmt.Errorf("%w: principal %q has no realm, and there is no default_realm; write %s@REALM", ErrBadConfig, id.Principal, id.Principal)
	}
	return p, nil
}

// Principal is who logs in, with _HOST and the realm filled in.
func (l *Login) Principal() Principal { return l.principal }

// Affirm makes sure that there is a ticket that has not expired, logging in if need be. Callers that
// come while another logs in share its result.
func (l *Login) Affirm(ctx context.Context) error {
	_, err := l.affirm(ctx)
	return err
}

// Initiate affirms the login, gets a ticket for the service (from memory, if it has been asked for
// before), and begins an exchange without mutual authentication, as Java's SASL servers expect it.
func (l *Login) Initiate(ctx context.Context, service SPN) (Exchange, error) {
	return l.initiate(ctx, service, false)
}

// InitiateMutual is Initiate with mutual authentication: the service answers the first token with one
// that proves who it is. (With SASL its first wrapped message proves that as well.)
func (l *Login) InitiateMutual(ctx context.Context, service SPN) (Exchange, error) {
	return l.initiate(ctx, service, true)
}

func (l *Login) initiate(ctx context.Context, service SPN, mutual bool) (Exchange, error) {
	s, t, err := l.ticket(ctx, service)
	if err != nil {
		return nil, err
	}
	return newInitiator(s, service, t, mutual), nil
}

// Client affirms the login and returns a new gokrb5 client that holds its ticket, for libraries that
// insist on one. Tickets for the services named are put into it, so that it need not ask the KDC
// itself, which it would do without a context. The client and its configuration are the caller's:
// do not let two goroutines use it at once. It is of use until the time returned, and never renews
// itself: when [Status.Logins] has grown, or that time is near, make what uses it anew.
func (l *Login) Client(ctx context.Context, services ...SPN) (c *client.Client, until time.Time, err error) {
	tickets := map[SPN]serviceTicket{}
	for _, spn := range services {
		_, t, err := l.ticket(ctx, spn)
		if err != nil {
			return nil, time.Time{}, err
		}
		tickets[spn] = t
	}
	s, err := l.affirm(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	until = s.tgt.end
	for _, t := range tickets {
		if t.end.Before(until) {
			until = t.end
		}
	}
	c, err = s.client(l.conf, tickets)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("make a client of %s: %w", l.principal, err)
	}
	return c, until, nil
}

// ticket affirms the login and gets a ticket for a service. If the KDC does not take the ticket-granting
// ticket (its own key may have been changed since), one new login is made.
func (l *Login) ticket(ctx context.Context, service SPN) (*session, serviceTicket, error) {
	s, err := l.affirm(ctx)
	if err != nil {
		return nil, serviceTicket{}, err
	}
	t, err := l.kdcs.ticket(ctx, s, service)
	if r, ok := errors.AsType[*refusal](err); ok && r.stale {
		l.log.Warn("kerberos_ticket_refused", "principal", l.principal.String(), "error", err)
		if s, err = l.replace(ctx, s); err != nil {
			return nil, serviceTicket{}, err
		}
		t, err = l.kdcs.ticket(ctx, s, service)
	}
	return s, t, err
}

// Expiry is when the current ticket ends; the zero time if there is none.
func (l *Login) Expiry() time.Time { return l.Status().Expiry }

// affirm returns a session whose ticket can be used.
func (l *Login) affirm(ctx context.Context) (*session, error) {
	now := time.Now()
	l.mu.Lock()
	st := l.state
	l.mu.Unlock()
	usable := st.session != nil && st.session.tgt.usable(now)
	waiting := st.err != nil && now.Before(st.nextTry)
	changed := (st.err != nil || st.renewAt.IsZero()) && l.source.changed()
	early := st.err == nil && (st.renewAt.IsZero() || now.Before(st.renewAt))
	switch {
	case usable && !changed && (early || waiting):
		return st.session, nil
	case !usable && !changed && waiting && refused(st.err):
		return nil, fmt.Errorf("%w (no new attempt before %s, so as not to lock the account, unless the keytab changes)", st.err, st.nextTry.UTC().Format(time.RFC3339))
	}
	s, err := l.obtain(ctx, st.attempts)
	if err != nil && usable {
		return st.session, nil // it is still good; Status tells of the failure
	}
	return s, err
}

// obtain makes one attempt, or shares one that has ended since the caller saw that many.
func (l *Login) obtain(ctx context.Context, seen uint64) (*session, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-l.turn }()
	l.mu.Lock()
	st := l.state
	l.mu.Unlock()
	if st.attempts != seen {
		if st.err != nil {
			return nil, st.err
		}
		return st.session, nil
	}
	s, err := l.source.obtain(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, err // the caller gave up; that says little about the KDC
	}
	if err != nil {
		l.failed(err)
		return nil, err
	}
	l.succeeded(s)
	return s, nil
}

// replaceEvery bounds the logins that a KDC can provoke by refusing every ticket.
const replaceEvery = time.Minute

// replace obtains another session than old, if there is none yet.
func (l *Login) replace(ctx context.Context, old *session) (*session, error) {
	now := time.Now()
	l.mu.Lock()
	st := l.state
	again := st.session == old && now.Sub(st.replaced) >= replaceEvery && !now.Before(st.nextTry)
	if again {
		l.state.replaced = now
	}
	l.mu.Unlock()
	if !again {
		return st.session, st.err
	}
	return l.obtain(ctx, st.attempts)
}

func (l *Login) succeeded(s *session) {
	l.mu.Lock()
	st := &l.state
	st.session, st.renewAt = s, l.source.renewAt(s)
	st.attempts++
	st.logins++
	st.inRow, st.err, st.nextTry = 0, nil, time.Time{}
	l.mu.Unlock()
	l.log.Info("kerberos_logged_in", "principal", l.principal.String(), "source", l.source.String(), "kdc", s.kdc, "expiry", s.tgt.end.UTC())
}

func (l *Login) failed(err error) {
	l.mu.Lock()
	st := &l.state
	st.attempts++
	st.failures++
	st.inRow++
	pause := pauseAfter(err, st.inRow)
	st.err, st.nextTry = err, time.Now().Add(pause)
	l.mu.Unlock()
	l.log.Error("kerberos_login_failed", "principal", l.principal.String(), "source", l.source.String(), "error", err, "next_try_in", pause.Round(time.Second))
}

// pauseAfter is how long to wait after the nth failure in a row. A KDC that is away costs nothing to ask
// again: 1 s, doubled up to 30 s. A refusal counts against the account, and domains lock it after a
// few in half an hour: 30 s, doubled up to 10 minutes. (A changed keytab ends that wait.)
func pauseAfter(err error, n int) time.Duration {
	first, limit := time.Second, 30*time.Second
	if refused(err) {
		first, limit = 30*time.Second, 10*time.Minute
	}
	pause := limit
	if n <= 10 {
		pause = min(limit, first<<(n-1))
	}
	return pause + jitter(pause/4)
}

// jitter is a random part of d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
