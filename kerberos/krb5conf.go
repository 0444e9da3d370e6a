package kerberos

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
)

// defaultConfig is where the configuration is if nothing else is said.
const defaultConfig = "/etc/krb5.conf"

// krb5Config is what we use of a krb5 configuration. It is read once and never changes, so that it may
// be shared; what gokrb5 gets is a copy of its own each time (see forLibrary).
type krb5Config struct {
	files        []string
	defaultRealm string
	clockSkew    time.Duration
	lifetime     time.Duration
	forwardable  bool
	lookupKDC    bool
	tktEtypes    []int32
	tgsEtypes    []int32
	kdcs         map[string][]string // by realm, host:port in the file's order
	domains      map[string]string   // [domain_realm]
}

// loadConfig reads the configuration at paths, or at $KRB5_CONFIG or the usual place if paths is empty.
func loadConfig(paths string) (*krb5Config, error) {
	if paths == "" {
		paths = os.Getenv("KRB5_CONFIG")
	}
	if paths == "" {
		paths = defaultConfig
	}
	p, err := readProfile(paths)
	if err != nil {
		return nil, err
	}
	return interpret(p)
}

func interpret(p *profile) (*krb5Config, error) {
	c := &krb5Config{files: p.files, clockSkew: 5 * time.Minute, lifetime: 24 * time.Hour, lookupKDC: true}
	lib := p.sections["libdefaults"]
	if r, ok := find(lib, "default_realm"); ok {
		c.defaultRealm = r.value
	}
	if err := readDuration(lib, "clockskew", &c.clockSkew); err != nil {
		return nil, err
	}
	if err := readDuration(lib, "ticket_lifetime", &c.lifetime); err != nil {
		return nil, err
	}
	if err := readBool(lib, "forwardable", &c.forwardable); err != nil {
		return nil, err
	}
	if err := readBool(lib, "dns_lookup_kdc", &c.lookupKDC); err != nil {
		return nil, err
	}
	if err := c.readEtypes(lib); err != nil {
		return nil, err
	}
	if err := c.readRealms(p.sections["realms"]); err != nil {
		return nil, err
	}
	c.domains = map[string]string{}
	for _, r := range p.sections["domain_realm"] {
		domain := strings.ToLower(r.key)
		if _, ok := c.domains[domain]; !ok {
			c.domains[domain] = r.value
		}
	}
	return c, nil
}

func readBool(rs []relation, key string, to *bool) error {
	r, ok := find(rs, key)
	if !ok {
		return nil
	}
	switch strings.ToLower(r.value) {
	case "true", "t", "yes", "y", "on", "1":
		*to = true
	case "false", "f", "no", "n", "nil", "off", "0":
		*to = false
	default:
		return r.at.errorf("%s = %s: write true or false", r.key, r.value)
	}
	return nil
}

func readDuration(rs []relation, key string, to *time.Duration) error {
	r, ok := find(rs, key)
	if !ok {
		return nil
	}
	d, ok := parseDuration(r.value)
	if !ok || d <= 0 {
		return r.at.errorf("%s = %s: write a duration such as 10h, 1d 12h, 36000 or 10:00:00", r.key, r.value)
	}
	*to = d
	return nil
}

// parseDuration knows MIT's notations: seconds, h:m[:s], and numbers with the units d, h, m, s.
func parseDuration(s string) (time.Duration, bool) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if parts := strings.Split(s, ":"); len(parts) == 2 || len(parts) == 3 {
		var total time.Duration
		for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second}[:len(parts)] {
			n, err := strconv.ParseUint(parts[i], 10, 20)
			if err != nil {
				return 0, false
			}
			total += time.Duration(n) * unit
		}
		return total, true
	}
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	var total time.Duration
	rest := strings.ReplaceAll(strings.ToLower(s), " ", "")
	for rest != "" {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if digits <= 0 {
			return 0, false
		}
		n, err := strconv.ParseUint(rest[:digits], 10, 31)
		unit := units[rest[digits]]
		if err != nil || unit == 0 || n > uint64((1<<62)/unit) {
			return 0, false
		}
		total += time.Duration(n) * unit
		rest = rest[digits+1:]
	}
	return total, total > 0
}

// The encryption types that can be used. RC4 and DES are left out: RFC 8429 retires them, current KDCs
// refuse them, and a security context with an RC4 key has tokens of another shape.
func knownEtypes() []int32 {
	return []int32{
		etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96,
		etypeID.AES256_CTS_HMAC_SHA384_192, etypeID.AES128_CTS_HMAC_SHA256_128,
	}
}

// etypeName is the name by which klist and kadmin know a type.
func etypeName(id int32) string {
	switch id {
	case etypeID.AES256_CTS_HMAC_SHA1_96:
		return "aes256-cts-hmac-sha1-96"
	case etypeID.AES128_CTS_HMAC_SHA1_96:
		return "aes128-cts-hmac-sha1-96"
	case etypeID.AES256_CTS_HMAC_SHA384_192:
		return "aes256-cts-hmac-sha384-192"
	case etypeID.AES128_CTS_HMAC_SHA256_128:
		return "aes128-cts-hmac-sha256-128"
	case etypeID.RC4_HMAC:
		return "arcfour-hmac"
	case etypeID.DES3_CBC_SHA1_KD:
		return "des3-cbc-sha1"
	}
	return "etype " + strconv.Itoa(int(id))
}

// readEtypes takes the types in the file's order of preference. As in MIT's library the two default
// lists are those of permitted_enctypes unless they are written.
func (c *krb5Config) readEtypes(lib []relation) error {
	permitted := knownEtypes()
	for _, list := range []struct {
		key string
		to  *[]int32
	}{{"permitted_enctypes", &permitted}, {"default_tkt_enctypes", &c.tktEtypes}, {"default_tgs_enctypes", &c.tgsEtypes}} {
		r, ok := find(lib, list.key)
		if !ok {
			*list.to = slices.Clone(permitted)
			continue
		}
		ids := parseEtypes(r.value)
		if len(ids) == 0 {
			return r.at.errorf("%s = %s: none of these can be used; add aes256-cts-hmac-sha1-96 (or aes128-cts-hmac-sha1-96, aes256-sha2, aes128-sha2)", r.key, r.value)
		}
		*list.to = ids
	}
	return nil
}

// parseEtypes reads names, the family aes, DEFAULT, and -name to take one away again.
func parseEtypes(list string) []int32 {
	var ids []int32
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		name, remove := strings.CutPrefix(strings.ToLower(name), "-")
		name = strings.TrimPrefix(name, "+")
		for _, id := range etypesNamed(name) {
			at := slices.Index(ids, id)
			switch {
			case remove && at >= 0:
				ids = slices.Delete(ids, at, at+1)
			case !remove && at < 0:
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func etypesNamed(name string) []int32 {
	if name == "default" || name == "aes" {
		return knownEtypes()
	}
	id := etypeID.EtypeSupported(name)
	if slices.Contains(knownEtypes(), id) {
		return []int32{id}
	}
	return nil
}

func (c *krb5Config) readRealms(realms []relation) error {
	c.kdcs = map[string][]string{}
	for _, realm := range realms {
		for _, r := range realm.sub {
			if r.key != "kdc" {
				continue
			}
			addr, err := kdcAddress(r)
			if err != nil {
				return err
			}
			c.kdcs[realm.key] = append(c.kdcs[realm.key], addr)
		}
	}
	return nil
}

// kdcAddress reads host, host:port, [v6] and [v6]:port; the default port is 88.
func kdcAddress(r relation) (string, error) {
	s := strings.TrimSpace(strings.TrimSuffix(r.value, "*"))
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return "", r.at.errorf("kdc = %s: %s proxies are not supported; name the KDC by host:port", r.value, scheme)
	}
	s = strings.TrimPrefix(s, "tcp/")
	if host, port, err := net.SplitHostPort(s); err == nil && host != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", r.at.errorf("kdc = %s: the port is no number from 1 to 65535", r.value)
		}
		return net.JoinHostPort(host, port), nil
	}
	host := strings.Trim(s, "[]")
	if host == "" || strings.ContainsAny(host, " \t/") {
		return "", r.at.errorf("kdc = %s: write host or host:port", r.value)
	}
	return net.JoinHostPort(host, "88"), nil
}

// addresses returns the realm's KDCs, in the file's order or by the DNS.
func (c *krb5Config) addresses(ctx context.Context, realm string) ([]string, error) {
	if addrs := c.kdcs[realm]; len(addrs) > 0 {
		return addrs, nil
	}
	where := strings.Join(c.files, ", ")
	if !c.lookupKDC {
		return nil, fmt.Errorf("%w: %s names no KDC for realm %s, and dns_lookup_kdc is off; add %s = { kdc = HOST } under [realms]", ErrBadConfig, where, realm, realm)
	}
	_, records, err := net.DefaultResolver.LookupSRV(ctx, "kerberos", "tcp", realm)
	var addrs []string
	for _, r := range records {
		if target := strings.TrimSuffix(r.Target, "."); target != "" {
			addrs = append(addrs, net.JoinHostPort(target, strconv.Itoa(int(r.Port))))
		}
	}
	if len(addrs) > 0 {
		return addrs, nil
	}
	why := "there is no such record"
	if err != nil {
		why = err.Error()
	}
	return nil, fmt.Errorf("%w: %s names no KDC for realm %s, and the DNS record _kerberos._tcp.%s did not help: %s; add %s = { kdc = HOST } under [realms]",
		ErrKDCUnreachable, where, realm, realm, why, realm)
}

// realmOf returns the realm that [domain_realm] gives a host: for a.b.c the entries a.b.c, .b.c, b.c,
// .c and c, the first that exists.
func (c *krb5Config) realmOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if realm := c.domains[host]; realm != "" {
		return realm
	}
	for {
		_, parent, found := strings.Cut(host, ".")
		if !found {
			return ""
		}
		for _, key := range []string{"." + parent, parent} {
			if realm := c.domains[key]; realm != "" {
				return realm
			}
		}
		host = parent
	}
}

// forLibrary makes a gokrb5 configuration. Every user gets one of its own, because gokrb5 shuffles the
// list of KDCs in place without a lock. Two values are not the file's: udp_preference_limit is 1,
// since gokrb5 loses the answer when it falls back from TCP to UDP, and renew_lifetime is 0, since a
// new login takes the place of renewals.
func (c *krb5Config) forLibrary() *config.Config {
	lib := config.New()
	d := &lib.LibDefaults
	d.UDPPreferenceLimit = 1
	d.DefaultRealm = c.defaultRealm
	d.Clockskew = c.clockSkew
	d.TicketLifetime = c.lifetime
	d.RenewLifetime = 0
	d.Forwardable = c.forwardable
	d.DNSLookupKDC = c.lookupKDC
	d.DefaultTktEnctypeIDs = slices.Clone(c.tktEtypes)
	d.DefaultTGSEnctypeIDs = slices.Clone(c.tgsEtypes)
	d.PermittedEnctypeIDs = slices.Clone(c.tgsEtypes)
	for realm, kdcs := range c.kdcs {
		lib.Realms = append(lib.Realms, config.Realm{Realm: realm, KDC: slices.Clone(kdcs)})
	}
	maps.Copy(lib.DomainRealm, c.domains)
	return lib
}
