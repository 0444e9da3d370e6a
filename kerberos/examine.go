package kerberos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/messages"
)

// Step runs one check and reports it: its name, and what was found or why it failed. It returns check's error.
type Step func(name string, check func(ctx context.Context) (detail string, err error)) error

// Examine looks at all that a login of an identity depends on, and at a ticket for each of the services: the configuration, the keytab or cache, every KDC of the realm and its clock, the
// login, the services' names and keys. It goes on after what failed as far as that makes sense; the first failure is most likely the cause of those behind it. It makes one login, and asks each KDC
// once without a key, which no KDC counts against an account.
func Examine(id Identity, services []SPN, step Step) {
	var conf *krb5Config
	if step("read the krb5 configuration", func(context.Context) (detail string, err error) {
		conf, err = loadConfig(id.Krb5Conf)
		if err != nil {
			return "", err
		}
		return conf.describe(), nil
	}) != nil {
		return
	}
	var principal Principal
	if step(id.kind(), func(ctx context.Context) (detail string, err error) {
		principal, detail, err = id.look(ctx, conf)
		return detail, err
	}) != nil {
		return
	}
	k := &kdcs{conf: conf, fresh: ticketFresh}
	var addrs []string
	if step("find the KDCs of "+principal.Realm, func(ctx context.Context) (detail string, err error) {
		addrs, err = conf.addresses(ctx, principal.Realm)
		return strings.Join(addrs, ", "), err
	}) == nil {
		for _, addr := range addrs {
			_ = step("ask KDC "+addr, func(ctx context.Context) (string, error) { return k.probe(ctx, principal, addr) }) // reported
		}
	}
	var login *Login
	if step("log in", func(ctx context.Context) (detail string, err error) {
		if login, err = NewLogin(id); err != nil { //nolint:contextcheck // reads files, and asks DNS for this host's name at most
			return "", err
		}
		if err = login.Affirm(ctx); err != nil {
			return "", err
		}
		return login.describe(), nil
	}) != nil {
		return
	}
	for _, spn := range services {
		_ = step("get a ticket for "+spn.String(), func(ctx context.Context) (string, error) { return login.look(ctx, spn) }) // reported
	}
}

func (c *krb5Config) describe() string {
	realm := "no default realm"
	if c.defaultRealm != "" {
		realm = "default realm " + c.defaultRealm
	}
	var types []string
	for _, id := range c.tktEtypes {
		types = append(types, etypeName(id))
	}
	return fmt.Sprintf("%s; %s; %s", strings.Join(c.files, ", "), realm, strings.Join(types, " "))
}

func (id Identity) kind() string {
	if id.Keytab != "" {
		return "read keytab " + id.Keytab
	}
	return "read ticket cache " + id.Cache
}

// look reads the keytab or the cache.
func (id Identity) look(ctx context.Context, conf *krb5Config) (p Principal, detail string, err error) {
	if p, err = id.principal(conf); err != nil { //nolint:contextcheck // asks DNS for this host's name at most
		return p, "", err
	}
	if id.Keytab == "" {
		path, err := cachePath(id.Cache)
		if err != nil {
			return p, "", err
		}
		s, err := (&cacheSource{file: file{path: path}, principal: p}).obtain(ctx)
		if err != nil {
			return p, "", err
		}
		return s.principal, fmt.Sprintf("%s, ticket until %s", s.principal, s.tgt.end.Local().Format(time.DateTime)), nil
	}
	source := &keytabSource{file: file{path: id.Keytab}, principal: p}
	keys, err := source.keys()
	if err != nil {
		return p, "", err
	}
	var types []string
	for _, k := range keys.keys {
		types = append(types, etypeName(k.key.KeyType))
	}
	if len(keys.etypes(conf.tktEtypes)) == 0 {
		return p, "", fmt.Errorf("%w: %s has for %s keys of %s, none of which the krb5 configuration permits; see default_tkt_enctypes and permitted_enctypes", ErrBadKeytab, id.Keytab, p, distinct(types))
	}
	detail = fmt.Sprintf("%s, key version %d: %s", p, keys.kvno(), strings.Join(types, " "))
	if strings.Contains(id.Principal, "/"+hostPattern) {
		detail += "; _HOST is " + p.Instance
	}
	if mode := stampOf(id.Keytab).mode; mode&0o007 != 0 {
		detail += fmt.Sprintf("; WARNING: its mode is %04o, so every user of this machine can be %s: chmod 0400 %s", mode.Perm(), p, id.Keytab)
	}
	return p, detail, nil
}

// probe asks one KDC without showing a key, for its answer and its time.
func (k *kdcs) probe(ctx context.Context, p Principal, addr string) (string, error) {
	conf := k.conf.forLibrary()
	conf.LibDefaults.DefaultTktEnctypeIDs = []int32{etypeID.DES_CBC_CRC} // which no KDC has any more: all answer with an error, and errors tell the time
	request, err := messages.NewASReqForTGT(p.Realm, conf, p.name())
	if err != nil {
		return "", fmt.Errorf("make AS request: %w", err)
	}
	b, err := request.Marshal()
	if err != nil {
		return "", fmt.Errorf("make AS request: %w", err)
	}
	asked := time.Now()
	reply, err := k.roundTrip(ctx, kdcTimeout, addr, b)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", kdcTimeout)
		}
		return "", fmt.Errorf("%w: %s: %w; check that krb5kdc runs there, and that this host may connect to it by TCP", ErrKDCUnreachable, addr, err)
	}
	took := time.Since(asked)
	said, err := krbError(reply)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %s: %w", ErrKDCUnreachable, addr, err)
	case said == nil:
		return "answers by TCP", nil
	}
	skew := asked.Add(took / 2).Sub(said.STime)
	if skew.Abs() > k.conf.clockSkew {
		return "", skewError("ask for the time", "KDC "+addr, skew)
	}
	if skew.Abs() < 2*time.Second { // it tells whole seconds
		return "answers by TCP; its clock agrees with ours", nil
	}
	return fmt.Sprintf("answers by TCP; its clock is %s from ours", skew.Abs().Round(time.Second)), nil
}

// describe is what the login has brought.
func (l *Login) describe() string {
	s := l.Status()
	l.mu.Lock()
	session := l.state.session
	l.mu.Unlock()
	text := fmt.Sprintf("%s, ticket until %s (%s)", s.Principal, s.Expiry.Local().Format(time.DateTime), time.Until(s.Expiry).Round(time.Second))
	if s.KDC != "" {
		text += ", by KDC " + s.KDC
	}
	return text + ", session key " + etypeName(session.tgt.key.KeyType)
}

// look gets a ticket for a service, and sees whether its host has a name in the DNS.
func (l *Login) look(ctx context.Context, spn SPN) (string, error) {
	_, t, err := l.ticket(ctx, spn)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("realm %s, key version %d, %s", t.ticket.Realm, t.ticket.EncPart.KVNO, etypeName(t.ticket.EncPart.EType))
	if net.ParseIP(spn.Host) != nil {
		return text, nil
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, spn.Host)
	if err != nil {
		return "", fmt.Errorf("there is a ticket, but no address for the host %s: %w; correct its name, the DNS or /etc/hosts", spn.Host, err)
	}
	slices.Sort(addrs)
	return text + "; the host is " + strings.Join(slices.Compact(addrs), ", "), nil
}
