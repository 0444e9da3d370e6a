package kerberos

import (
	"slices"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/types"
)

// session is what one login has brought: a ticket-granting ticket, and the service tickets obtained
// with it since. The ticket-granting ticket never changes.
type session struct {
	principal Principal
	tgt       serviceTicket
	kdc       string // that issued it; empty for a cache
	since     time.Time

	mu      sync.Mutex
	tickets map[SPN]serviceTicket
}

// margin is how long before its end a ticket is not used any more: it has to reach the service.
func margin(start, end time.Time) time.Duration {
	return min(10*time.Second, end.Sub(start)/20)
}

// usable says whether a ticket can still be sent out.
func (t serviceTicket) usable(now time.Time) bool {
	return now.Before(t.end.Add(-margin(t.start, t.end)))
}

// held returns the ticket for a service that is kept, usable or not.
func (s *session) held(spn SPN) (serviceTicket, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tickets[spn]
	return t, ok
}

func (s *session) keep(spn SPN, t serviceTicket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tickets == nil {
		s.tickets = map[SPN]serviceTicket{}
	}
	s.tickets[spn] = t
}

// forget drops a ticket that its service refused, so that the next exchange asks for a new one.
func (s *session) forget(spn SPN) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tickets, spn)
}

// client makes a gokrb5 client of the session and some service tickets. It is made like one from a
// cache: gokrb5 starts its renewing goroutine only where it logs in by itself.
func (s *session) client(conf *krb5Config, services map[SPN]serviceTicket) (*client.Client, error) {
	var cache credentials.CCache
	cache.Version = 4
	cache.DefaultPrincipal.Realm = s.principal.Realm
	cache.DefaultPrincipal.PrincipalName = s.principal.name()
	add := func(server types.PrincipalName, t serviceTicket) error {
		b, err := t.ticket.Marshal()
		if err != nil {
			return err
		}
		c := &credentials.Credential{
			Client: cache.DefaultPrincipal, Key: t.key, Ticket: b,
			AuthTime: t.start, StartTime: t.start, EndTime: t.end, // no RenewTill: it must not renew
		}
		c.Server.Realm, c.Server.PrincipalName = t.ticket.Realm, server
		cache.Credentials = append(cache.Credentials, c)
		return nil
	}
	if err := add(krbtgt(s.principal.Realm), s.tgt); err != nil {
		return nil, err
	}
	for spn, t := range services {
		t.ticket.SName = spn.name() // gokrb5 looks tickets up by the name in them
		if err := add(t.ticket.SName, t); err != nil {
			return nil, err
		}
	}
	return client.NewFromCCache(&cache, conf.forLibrary())
}

func krbtgt(realm string) types.PrincipalName {
	return types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", realm}}
}

// name is the principal's name in the library's form.
func (p Principal) name() types.PrincipalName {
	parts := []string{p.Primary}
	if p.Instance != "" {
		parts = append(parts, p.Instance)
	}
	return types.PrincipalName{NameType: nametype.KRB_NT_PRINCIPAL, NameString: slices.Clip(parts)}
}

// name is the service's name in the library's form.
func (s SPN) name() types.PrincipalName {
	return types.PrincipalName{NameType: nametype.KRB_NT_SRV_HST, NameString: []string{s.Service, s.Host}}
}
