package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A ticket cache file, as kinit writes it. All integers are big-endian; text and data are preceded by
// their length in four bytes:
//
//	+------+------+----------------+--------------------+-------------------+--------------- -
//	| 0x05 | 0x04 | header: uint16 | default principal  | credential        | credential …
//	|      |      | length, fields |                    |                   |
//	+------+------+----------------+--------------------+-------------------+--------------- -
//
//	principal   uint32 name type, uint32 n, data realm, n × data component
//	credential  principal client, principal server, uint16 key type, data key,
//	            uint32 × 4 times (auth, start, end, renew till), byte is_skey, uint32 flags,
//	            uint32 n, n × (uint16, data) addresses, the same for authorization data,
//	            data ticket, data second ticket
//
// Version 3 has no header and repeats the key type. Versions 1 and 2 are of the last century. gokrb5's
// reader is not used, since it panics on a file that is cut short, and kinit writes in place, so a
// reader does meet such files.

// ccache is the part of a cache file that is of use.
type ccache struct {
	principal Principal
	creds     []ccacheEntry
}

type ccacheEntry struct {
	server Principal
	ticket serviceTicket
}

// errCutShort means that a cache ends in the middle of something.
var errCutShort = errors.New("it is cut short: is kinit writing it just now?")

// cachePath returns the file of a cache's name.
func cachePath(cache string) (string, error) {
	kind, rest, found := strings.Cut(cache, ":")
	if !found || strings.Contains(kind, "/") {
		return cache, nil
	}
	switch kind {
	case "FILE":
		return rest, nil
	case "DIR":
		if file, ok := strings.CutPrefix(rest, ":"); ok {
			return file, nil
		}
		return primaryOf(rest)
	}
	return "", fmt.Errorf("%w: cache %s: %s caches live in the kernel or in a daemon of MIT's library and cannot be read; let kinit write a file (kinit -c FILE:/run/penstock/krb5cc …) and name that, or use a keytab",
		ErrBadCache, cache, kind)
}

// primaryOf returns the cache that a DIR: collection points at.
func primaryOf(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "primary"))
	name := strings.TrimSpace(string(data))
	if errors.Is(err, os.ErrNotExist) {
		return filepath.Join(dir, "tkt"), nil
	}
	if err != nil {
		return "", fmt.Errorf("%w: cache DIR:%s: %w", ErrBadCache, dir, err)
	}
	if !strings.HasPrefix(name, "tkt") || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("%w: cache DIR:%s: its file primary names %q, which is no cache in there; run kswitch", ErrBadCache, dir, name)
	}
	return filepath.Join(dir, name), nil
}

// parseCache reads a cache file's bytes.
func parseCache(data []byte) (*ccache, error) {
	r := &cacheReader{rest: data}
	if r.byte() != 5 {
		return nil, errors.New("it is not a ticket cache (the first byte is not 5)")
	}
	version := r.byte()
	switch version {
	case 3:
	case 4:
		r.take(int(r.uint16()))
	default:
		return nil, fmt.Errorf("it is a ticket cache of version %d, not 3 or 4", version)
	}
	c := &ccache{principal: r.principal()}
	for !r.failed && len(r.rest) > 0 {
		entry, ok := r.credential(version)
		if r.failed {
			break
		}
		if ok {
			c.creds = append(c.creds, entry)
		}
	}
	if r.failed {
		return nil, errCutShort
	}
	return c, nil
}

// credential reads one entry; ok is false for those that are no tickets we could use, such as the
// settings that kinit keeps in a cache.
func (r *cacheReader) credential(version byte) (entry ccacheEntry, ok bool) {
	r.principal() // the client's
	entry.server = r.principal()
	entry.ticket.key.KeyType = int32(r.uint16())
	if version == 3 {
		r.uint16()
	}
	entry.ticket.key.KeyValue = r.data()
	r.uint32() // when the user authenticated
	entry.ticket.start = time.Unix(int64(r.uint32()), 0)
	entry.ticket.end = time.Unix(int64(r.uint32()), 0)
	r.take(4 + 1 + 4) // renew till, is_skey, flags
	for range 2 {     // addresses, authorization data
		for n := r.uint32(); n > 0 && !r.failed; n-- {
			r.uint16()
			r.data()
		}
	}
	ticket := r.data()
	r.data() // the second ticket
	if r.failed || entry.server.Realm == "X-CACHECONF:" {
		return entry, false
	}
	if entry.ticket.ticket.Unmarshal(ticket) != nil || len(entry.ticket.key.KeyValue) != keySize(entry.ticket.key.KeyType) {
		return entry, false
	}
	return entry, true
}

// cacheReader takes values off the front of a cache. Once there was too little, it has failed and gives zeros.
type cacheReader struct {
	rest   []byte
	failed bool
}

func (r *cacheReader) take(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *cacheReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *cacheReader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *cacheReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *cacheReader) data() []byte {
	n := r.uint32()
	if uint64(n) > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	return r.take(int(n))
}

// principal reads a name. Parts beyond the second are joined to it: such entries are never looked up.
func (r *cacheReader) principal() Principal {
	r.uint32() // name type
	n := r.uint32()
	p := Principal{Realm: string(r.data())}
	var parts []string
	for ; n > 0 && !r.failed; n-- {
		parts = append(parts, string(r.data()))
	}
	if len(parts) > 0 {
		p.Primary, p.Instance = parts[0], strings.Join(parts[1:], "/")
	}
	return p
}

// session makes a session of the cache's ticket-granting ticket of the longest life. path is for messages.
func (c *ccache) session(path string) (*session, error) {
	s := &session{principal: c.principal, tickets: map[SPN]serviceTicket{}}
	for _, e := range c.creds {
		if e.server.Primary == "krbtgt" {
			own := e.server.Realm == c.principal.Realm && e.server.Instance == c.principal.Realm
			if own && e.ticket.end.After(s.tgt.end) {
				s.tgt = e.ticket
			}
			continue
		}
		s.tickets[SPN{Service: e.server.Primary, Host: e.server.Instance}] = e.ticket
	}
	if s.tgt.end.IsZero() {
		return nil, fmt.Errorf("%w: %s has no ticket-granting ticket of %s that can be used; run kinit -c FILE:%s %s", ErrBadCache, path, c.principal, path, c.principal)
	}
	return s, nil
}

// serviceTicket is a ticket, for a service or for the KDC, with its key.
type serviceTicket struct {
	ticket     messages.Ticket
	key        types.EncryptionKey
	start, end time.Time
	asked      time.Time // when it was obtained; zero if it came with a cache
}
