package kerberos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

const (
	// ticketFresh is how long a service ticket is used without asking the KDC for another. A service
	// whose key was replaced refuses tickets for the old one, which are valid for many hours; so they
	// are not kept that long while the KDC can be asked.
	ticketFresh = 10 * time.Minute
	// maxReferrals is how many KDCs may pass a request on.
	maxReferrals = 6
)

// ticket returns a ticket for the service: one that is held, or a new one.
func (k *kdcs) ticket(ctx context.Context, s *session, spn SPN) (serviceTicket, error) {
	held, ok := s.held(spn)
	now := time.Now()
	ok = ok && held.usable(now)
	if ok && (held.asked.IsZero() || now.Sub(held.asked) < k.fresh) {
		return held, nil
	}
	t, err := k.getTicket(ctx, s, spn)
	switch {
	case err == nil:
		s.keep(spn, t)
		return t, nil
	case ok && errors.Is(err, ErrKDCUnreachable):
		held.asked = now // so that not every connection waits for an absent KDC
		s.keep(spn, held)
		return held, nil
	}
	return serviceTicket{}, fmt.Errorf("get a ticket for %s as %s: %w", spn, s.principal, err)
}

// getTicket is the TGS exchange of RFC 4120, section 3.3, from realm to realm where the service is in another.
func (k *kdcs) getTicket(ctx context.Context, s *session, spn SPN) (serviceTicket, error) {
	tgt, realm := s.tgt, s.principal.Realm
	want := spn.Realm
	if want == "" {
		want = k.conf.realmOf(spn.Host)
	}
	for range maxReferrals {
		name := spn.name()
		if want != "" && want != realm {
			name = krbtgt(want)
		}
		t, err := k.askTGS(ctx, s, tgt, realm, name)
		if err != nil {
			return serviceTicket{}, err
		}
		got := t.ticket.SName.NameString
		if got[0] != "krbtgt" {
			return t, nil // under the name asked for, or its canonical one
		}
		if len(got) != 2 || got[0] != "krbtgt" || got[1] == realm {
			return serviceTicket{}, &refusal{kind: ErrRefused, text: fmt.Sprintf("the KDC of realm %s gave a ticket for %q instead", realm, got)}
		}
		tgt, realm = t, got[1]
	}
	return serviceTicket{}, &refusal{kind: ErrRefused, text: fmt.Sprintf("more than %d KDCs passed the request on; name the service's realm in its principal or under [domain_realm]", maxReferrals)}
}

// askTGS asks the KDC of a realm, showing it a ticket-granting ticket for that realm.
func (k *kdcs) askTGS(ctx context.Context, s *session, tgt serviceTicket, realm string, name types.PrincipalName) (serviceTicket, error) {
	conf := k.conf.forLibrary()
	conf.LibDefaults.Canonicalize = true // else a KDC does not refer us to another realm
	request, err := messages.NewTGSReq(s.principal.name(), realm, conf, tgt.ticket, tgt.key, name, false)
	if err != nil {
		return serviceTicket{}, fmt.Errorf("make TGS request: %w", err)
	}
	b, err := request.Marshal()
	if err != nil {
		return serviceTicket{}, fmt.Errorf("make TGS request: %w", err)
	}
	a, err := k.ask(ctx, realm, b)
	if err != nil {
		return serviceTicket{}, err
	}
	if a.err != nil {
		return serviceTicket{}, ticketRefused(name, a)
	}
	var reply messages.TGSRep
	if err := reply.Unmarshal(a.data); err != nil || !openable(reply.EncPart) || len(reply.Ticket.SName.NameString) == 0 {
		return serviceTicket{}, unreadable(a.from)
	}
	if reply.EncPart.EType != tgt.key.KeyType {
		return serviceTicket{}, unreadable(a.from)
	}
	if err := reply.DecryptEncPart(tgt.key); err != nil {
		return serviceTicket{}, &refusal{kind: ErrRefused, stale: true, text: fmt.Sprintf("the reply of KDC %s cannot be opened with the session's key", a.from)}
	}
	if ok, err := reply.Verify(conf, request); !ok || err != nil {
		return serviceTicket{}, &refusal{kind: ErrRefused, text: fmt.Sprintf("the reply of KDC %s does not match the request: %v", a.from, err)}
	}
	return ticketOf(reply.Ticket, reply.DecryptedEncPart, time.Now()), nil
}

// ticketRefused explains a KRB-ERROR in answer to a TGS request.
func ticketRefused(name types.PrincipalName, a answer) error {
	said := fmt.Sprintf("KDC %s says %s", a.from, saying(a.err))
	switch a.err.ErrorCode {
	case errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN, errorcode.KDC_ERR_SERVICE_EXP, errorcode.KDC_ERR_SERVICE_REVOKED:
		return &refusal{kind: ErrUnknownService, text: fmt.Sprintf(
			"%s; check that the service's principal is really %s: its host must be written as in the service's keytab, and its realm by [domain_realm]", said, name.PrincipalNameString())}
	case errorcode.KRB_AP_ERR_SKEW, errorcode.KRB_AP_ERR_TKT_NYV:
		return skewError("get a ticket", "KDC "+a.from, time.Since(a.err.STime))
	case errorcode.KRB_AP_ERR_TKT_EXPIRED:
		return &refusal{kind: ErrTicketExpired, stale: true, text: said}
	case errorcode.KRB_AP_ERR_BAD_INTEGRITY, errorcode.KRB_AP_ERR_MODIFIED, errorcode.KRB_AP_ERR_BADKEYVER,
		errorcode.KRB_AP_ERR_NOKEY, errorcode.KDC_ERR_TGT_REVOKED, errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN,
		errorcode.KRB_ERR_GENERIC: // which is what MIT's KDC says when its own key was replaced
		return &refusal{kind: ErrRefused, stale: true, text: said + "; the ticket-granting ticket may be no good any more; the KDC's log (krb5kdc.log) has more"}
	case errorcode.KDC_ERR_ETYPE_NOSUPP:
		return &refusal{kind: ErrRefused, text: said + "; the service and the krb5 configuration have no encryption type in common: see default_tgs_enctypes"}
	}
	return &refusal{kind: ErrRefused, text: said + "; the KDC's log (krb5kdc.log) has more"}
}
