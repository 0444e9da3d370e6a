package kerberos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// source is where a Login's sessions come from. It has one caller of obtain at a time.
type source interface {
	// obtain makes a new session.
	obtain(ctx context.Context) (*session, error)
	// changed says whether the file behind it differs from the one that obtain last looked at.
	changed() bool
	// renewAt is when a session is to be replaced, or the zero time if it is only when changed.
	renewAt(s *session) time.Time
	// String names the source for people.
	String() string
}

// file is a file that is read again when it has changed.
type file struct {
	path string
	mu   sync.Mutex
	seen fileStamp
}

func (f *file) read() ([]byte, error) {
	data, stamp, err := readSecretFile(f.path)
	f.mu.Lock()
	f.seen = stamp
	f.mu.Unlock()
	return data, err
}

func (f *file) changed() bool {
	stamp := stampOf(f.path)
	f.mu.Lock()
	defer f.mu.Unlock()
	return stamp != f.seen
}

// keytabSource logs in at the KDC.
type keytabSource struct {
	file
	principal Principal
	kdcs      *kdcs
}

func (k *keytabSource) String() string { return "keytab " + k.path }

func (k *keytabSource) keys() (clientKeys, error) {
	data, err := k.read()
	if err != nil {
		return clientKeys{}, fileError(ErrBadKeytab, "keytab of "+k.principal.String(), err)
	}
	return parseKeytab(k.path, data, k.principal)
}

func (k *keytabSource) obtain(ctx context.Context) (*session, error) {
	keys, err := k.keys()
	if err != nil {
		return nil, err
	}
	return k.kdcs.login(ctx, k.principal, keys)
}

// renewAt is four fifths into the ticket's life, and up to a twentieth of it earlier, so that the
// agents of a cluster that was restarted do not all come at once.
func (k *keytabSource) renewAt(s *session) time.Time {
	life := s.tgt.end.Sub(s.since)
	return s.since.Add(max(time.Second, life*4/5-jitter(life/20)))
}

// cacheSource reads a cache that somebody else keeps fresh.
type cacheSource struct {
	file
	principal Principal // the zero value: whoever the cache is of
}

func (c *cacheSource) String() string { return "cache " + c.path }

func (c *cacheSource) obtain(context.Context) (*session, error) {
	data, err := c.read()
	if err != nil {
		return nil, fileError(ErrBadCache, "ticket cache", err)
	}
	cache, err := parseCache(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; if it stays so, run kinit again", ErrBadCache, c.path, err)
	}
	if c.principal != (Principal{}) && cache.principal != c.principal {
		return nil, fmt.Errorf("%w: %s is of %s, and %s is configured; correct one of them", ErrBadCache, c.path, cache.principal, c.principal)
	}
	s, err := cache.session(c.path)
	if err != nil {
		return nil, err
	}
	s.since = time.Now()
	if !s.tgt.usable(s.since) {
		return nil, fmt.Errorf("%w: the ticket of %s in %s ended at %s; let kinit, k5start or a cron job keep the cache fresh, or use a keytab",
			ErrTicketExpired, cache.principal, c.path, s.tgt.end.UTC().Format(time.RFC3339))
	}
	return s, nil
}

func (c *cacheSource) renewAt(*session) time.Time { return time.Time{} }

// fileError says what to do about a file that cannot be read.
func fileError(kind error, what string, err error) error {
	advice := "see that it can be read"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		advice = "correct the path, or put it there"
	case errors.Is(err, fs.ErrPermission):
		advice = "make the user that runs the agent its owner, with mode 0400"
	}
	return fmt.Errorf("%w: read %s: %w; %s", kind, what, err, advice)
}
