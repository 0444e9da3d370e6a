package kerberos

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
)

// hostPattern stands in a principal for the name of a host, as in Hadoop's configuration.
const hostPattern = "_HOST"

// Principal is a name in a realm: Primary@Realm or Primary/Instance@Realm.
type Principal struct{ Primary, Instance, Realm string }

// ParsePrincipal reads NAME[/INSTANCE][@REALM]. Names of three and more parts are refused: no service
// of Hadoop's has one.
func ParsePrincipal(s string) (Principal, error) {
	name, realm, hasRealm := strings.Cut(s, "@")
	primary, instance, hasInstance := strings.Cut(name, "/")
	p := Principal{Primary: primary, Instance: instance, Realm: realm}
	bad := ""
	switch {
	case primary == "":
		bad = "it has no name before the realm"
	case hasInstance && instance == "":
		bad = "nothing follows the slash"
	case strings.Contains(instance, "/"):
		bad = "it has more than two parts"
	case hasRealm && realm == "":
		bad = "nothing follows the @"
	case strings.ContainsAny(realm, "@/"):
		bad = "its realm contains @ or /"
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }):
		bad = "it contains a space, a backslash or a control character"
	}
	if bad != "" {
		return Principal{}, fmt.Errorf("principal %q: %s; write NAME@REALM or NAME/HOST@REALM", s, bad)
	}
	return p, nil
}

// String is the principal as it was parsed.
func (p Principal) String() string {
	s := p.Primary
	if p.Instance != "" {
		s += "/" + p.Instance
	}
	if p.Realm != "" {
		s += "@" + p.Realm
	}
	return s
}

// withHost replaces an instance of _HOST. Host names are lower case in Kerberos databases.
func (p Principal) withHost(host string) Principal {
	if p.Instance == hostPattern {
		p.Instance = strings.ToLower(strings.TrimSuffix(host, "."))
	}
	return p
}

// SPN names a service on a host. An empty realm is found out by [domain_realm] or else by the KDC.
type SPN struct{ Service, Host, Realm string }

// ParseSPN reads SERVICE/HOST[@REALM], as a service's configuration has it, for the service on host:
// _HOST becomes host in lower case, which is not looked up in the DNS, so it must be the name by
// which the service's keytab knows it.
func ParseSPN(s, host string) (SPN, error) {
	p, err := ParsePrincipal(s)
	if err != nil {
		return SPN{}, err
	}
	if p.Instance == "" {
		return SPN{}, fmt.Errorf("service principal %q: it names no host; write %s/_HOST", s, p.Primary)
	}
	p = p.withHost(host)
	if p.Instance == "" {
		return SPN{}, fmt.Errorf("service principal %q: the name of the host is not known", s)
	}
	return SPN{Service: p.Primary, Host: p.Instance, Realm: p.Realm}, nil
}

// String is SERVICE/HOST or SERVICE/HOST@REALM.
func (s SPN) String() string {
	return Principal{Primary: s.Service, Instance: s.Host, Realm: s.Realm}.String()
}

// LocalHost is this host's full name in lower case, as Java's getCanonicalHostName finds it: the
// host's own name if that has a dot, else what the resolver makes of it, else the bare name.
func LocalHost(ctx context.Context) (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("find this host's name: %w; write the name instead of _HOST", err)
	}
	return fullName(ctx, net.DefaultResolver, name), nil
}

// resolver is the part of net.Resolver that full names need.
type resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

func fullName(ctx context.Context, r resolver, name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if strings.Contains(name, ".") {
		return name
	}
	addrs, _ := r.LookupHost(ctx, name) // without an answer the bare name is all there is
	for _, addr := range addrs {
		names, _ := r.LookupAddr(ctx, addr)
		for _, full := range names {
			full = strings.ToLower(strings.TrimSuffix(full, "."))
			if strings.HasPrefix(full, name+".") {
				return full
			}
		}
	}
	return name
}
