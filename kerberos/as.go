package kerberos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// login gets a ticket-granting ticket with a keytab's key: the AS exchange of RFC 4120, section 3.1, with
// an encrypted time stamp if the KDC asks for it, as almost every KDC does.
func (k *kdcs) login(ctx context.Context, p Principal, keys clientKeys) (*session, error) {
	conf := k.conf.forLibrary()
	etypes := keys.etypes(k.conf.tktEtypes)
	if len(etypes) == 0 {
		return nil, fmt.Errorf("%w: %s has for %s no key of a type that the krb5 configuration permits; see klist -kte %s, and default_tkt_enctypes or permitted_enctypes",
			ErrBadKeytab, keys.path, p, keys.path)
	}
	conf.LibDefaults.DefaultTktEnctypeIDs = etypes
	request, err := messages.NewASReqForTGT(p.Realm, conf, p.name())
	if err != nil {
		return nil, fmt.Errorf("make AS request: %w", err)
	}
	a, err := k.askAS(ctx, p, &request)
	if err != nil {
		return nil, err
	}
	if a.err != nil && a.err.ErrorCode == errorcode.KDC_ERR_PREAUTH_REQUIRED {
		key := preauthKey(keys, etypes, a.err)
		if err := addTimestamp(&request, key); err != nil {
			return nil, fmt.Errorf("make AS request: %w", err)
		}
		if a, err = k.askAS(ctx, p, &request); err != nil {
			return nil, err
		}
	}
	if a.err != nil {
		return nil, k.loginRefused(p, keys, a)
	}
	return k.loggedIn(p, keys, request, a)
}

func (k *kdcs) askAS(ctx context.Context, p Principal, request *messages.ASReq) (answer, error) {
	b, err := request.Marshal()
	if err != nil {
		return answer{}, fmt.Errorf("make AS request: %w", err)
	}
	return k.ask(ctx, p.Realm, b)
}

// preauthKey takes the first type that the KDC offers and there is a key for. A KDC lists only types of
// the request, so there is one; if it says nothing readable, our own first type is as good a guess.
func preauthKey(keys clientKeys, etypes []int32, e *messages.KRBError) clientKey {
	key, _ := keys.of(etypes[0])
	var offered types.PADataSequence
	if offered.Unmarshal(e.EData) != nil {
		return key
	}
	for _, pa := range offered {
		if pa.PADataType != patype.PA_ETYPE_INFO2 {
			continue
		}
		info, err := pa.GetETypeInfo2()
		if err != nil {
			continue
		}
		for _, i := range info {
			if offeredKey, ok := keys.of(i.EType); ok {
				return offeredKey
			}
		}
	}
	return key
}

func addTimestamp(request *messages.ASReq, key clientKey) error {
	stamp, err := types.GetPAEncTSEncAsnMarshalled()
	if err != nil {
		return err
	}
	sealed, err := crypto.GetEncryptedData(stamp, key.key, keyusage.AS_REQ_PA_ENC_TIMESTAMP, int(key.kvno))
	if err != nil {
		return err
	}
	value, err := sealed.Marshal()
	if err != nil {
		return err
	}
	request.PAData = append(request.PAData, types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: value})
	return nil
}

// loggedIn checks and opens the KDC's reply.
func (k *kdcs) loggedIn(p Principal, keys clientKeys, request messages.ASReq, a answer) (*session, error) {
	var reply messages.ASRep
	if err := reply.Unmarshal(a.data); err != nil || !openable(reply.EncPart) || len(reply.Ticket.SName.NameString) == 0 {
		return nil, unreadable(a.from)
	}
	kvno := reply.EncPart.KVNO
	key, ok := keys.of(reply.EncPart.EType)
	if !ok {
		return nil, fmt.Errorf("%w: KDC %s answered with a key of type %s and version %d, and %s has none of that type for %s (it has version %d); fetch the keytab again",
			ErrBadKeytab, a.from, etypeName(reply.EncPart.EType), kvno, keys.path, p, keys.kvno())
	}
	// The versions need not agree: some tools write keytabs with version 0 or 1 whatever the KDC has. It
	// is the key that must fit.
	reply.EncPart.KVNO = int(key.kvno)
	creds := credentials.NewFromPrincipalName(p.name(), p.Realm).WithKeytab(key.only)
	if _, err := reply.DecryptEncPart(creds); err != nil {
		has := fmt.Sprintf("version %d of the key", kvno)
		if kvno == 0 { // it need not tell
			has = "another key"
		}
		return nil, &refusal{kind: ErrBadKeytab, account: true, text: fmt.Sprintf(
			"log in as %s at KDC %s: the reply cannot be opened: the KDC has %s, and %s has version %d; fetch the keytab again (compare: klist -kte %s with kadmin -q 'getprinc %s')",
			p, a.from, has, keys.path, keys.kvno(), keys.path, p)}
	}
	now := time.Now()
	part := reply.DecryptedEncPart
	if skew := now.Sub(part.AuthTime); skew.Abs() > k.conf.clockSkew {
		return nil, skewError(fmt.Sprintf("log in as %s", p), a.from, skew)
	}
	if ok, err := reply.Verify(k.conf.forLibrary(), creds, request); !ok || err != nil {
		return nil, &refusal{kind: ErrRefused, text: fmt.Sprintf("log in as %s: the reply of KDC %s does not match the request (%v): something between here and the KDC changes it, or the names' upper and lower case differ from the KDC's", p, a.from, err)}
	}
	s := &session{principal: p, kdc: a.from, since: now, tgt: ticketOf(reply.Ticket, part, now)}
	if !s.tgt.usable(now) {
		return nil, &refusal{kind: ErrTicketExpired, text: fmt.Sprintf("log in as %s: KDC %s gave a ticket that ends at %s already; see max_life of the principal, of krbtgt and in kdc.conf", p, a.from, s.tgt.end)}
	}
	return s, nil
}

// ticketOf keeps what is needed of a KDC's reply.
func ticketOf(t messages.Ticket, part messages.EncKDCRepPart, now time.Time) serviceTicket {
	start := part.StartTime
	if start.IsZero() {
		start = part.AuthTime
	}
	return serviceTicket{ticket: t, key: part.Key, start: start, end: part.EndTime, asked: now}
}

// openable says whether gokrb5 can be given a ciphertext: it panics on one that is shorter than confounder and checksum.
func openable(e types.EncryptedData) bool {
	et, err := crypto.GetEtype(e.EType)
	return err == nil && len(e.Cipher) >= et.GetConfounderByteSize()+et.GetHMACBitLength()/8
}

func unreadable(from string) error {
	return fmt.Errorf("%w: the answer of %s is no Kerberos message; is it a KDC?", ErrKDCUnreachable, from)
}

// refusal is a no from somebody who can say it.
type refusal struct {
	kind    error
	text    string
	account bool // it counts against the account: asking again soon may lock it
	stale   bool // the ticket that was shown is no good: a new login helps
}

func (r *refusal) Error() string { return fmt.Sprintf("%v: %s", r.kind, r.text) }
func (r *refusal) Unwrap() error { return r.kind }

func skewError(doing, from string, skew time.Duration) error {
	how := "ahead of"
	if skew < 0 {
		how = "behind"
	}
	return &refusal{kind: ErrClockSkew, text: fmt.Sprintf(
		"%s: this host's clock is %s %s that of %s; set the clock with chrony (chronyc makestep), here or there",
		doing, skew.Abs().Round(time.Second), how, from)}
}

// loginRefused explains a KRB-ERROR in answer to an AS request.
func (k *kdcs) loginRefused(p Principal, keys clientKeys, a answer) error {
	doing := fmt.Sprintf("log in as %s with keytab %s", p, keys.path)
	said := fmt.Sprintf("%s: KDC %s says %s", doing, a.from, saying(a.err))
	skew := time.Since(a.err.STime)
	switch a.err.ErrorCode {
	case errorcode.KDC_ERR_PREAUTH_FAILED, errorcode.KRB_AP_ERR_BAD_INTEGRITY:
		if skew.Abs() > k.conf.clockSkew { // some KDCs do not tell a bad time stamp from a bad key
			return skewError(doing, "KDC "+a.from, skew)
		}
		return &refusal{kind: ErrBadKeytab, account: true, text: fmt.Sprintf(
			"%s: the keytab has version %d (kvno) of the key, and the KDC has another; fetch the keytab again (compare: klist -kte %s with kadmin -q 'getprinc %s')", said, keys.kvno(), keys.path, p)}
	case errorcode.KRB_AP_ERR_SKEW, errorcode.KDC_ERR_NEVER_VALID, errorcode.KDC_ERR_CLIENT_NOTYET:
		return skewError(doing, "KDC "+a.from, skew)
	case errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN:
		return &refusal{kind: ErrUnknownPrincipal, account: true, text: said +
			"; correct the principal (upper and lower case and the realm count), or add it: kadmin -q 'addprinc -randkey " + p.String() + "'"}
	case errorcode.KDC_ERR_CLIENT_REVOKED, errorcode.KDC_ERR_NAME_EXP:
		return &refusal{kind: ErrUnknownPrincipal, account: true, text: said + "; the account is locked, disabled or expired: have it unlocked (kadmin -q 'modprinc -unlock " + p.String() + "')"}
	case errorcode.KDC_ERR_KEY_EXPIRED:
		return &refusal{kind: ErrBadKeytab, account: true, text: said + "; have the password's expiry lifted for this account (kadmin -q 'modprinc -pwexpire never " + p.String() + "')"}
	case errorcode.KDC_ERR_ETYPE_NOSUPP:
		return &refusal{kind: ErrBadKeytab, account: true, text: fmt.Sprintf("%s; the KDC has no key of a type that both %s and the krb5 configuration have; make the keytab again with aes256-cts-hmac-sha1-96", said, keys.path)}
	case errorcode.KDC_ERR_WRONG_REALM:
		return &refusal{kind: ErrUnknownPrincipal, account: true, text: fmt.Sprintf("%s; the principal belongs to realm %s: write it so", said, a.err.CRealm)}
	}
	return &refusal{kind: ErrRefused, account: true, text: said + "; the KDC's log (krb5kdc.log) has more"}
}

// saying is a KRB-ERROR in one line.
func saying(e *messages.KRBError) string {
	s := errorcode.Lookup(e.ErrorCode)
	if e.EText != "" {
		s += fmt.Sprintf(" (%q)", clip(e.EText, 200))
	}
	return s
}

// clip bounds what a peer can put into a log.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// refused says whether err is a refusal that a new try soon would make worse.
func refused(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.account
}
