// Package kerberostest runs a real KDC, MIT's krb5kdc, for tests.
//
// It needs the programs of Debian's packages krb5-kdc, krb5-admin-server and krb5-user. Without them a
// test fails and says so.
package kerberostest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Realm is the realm of every KDC of this package, unless an option says another.
const Realm = "EXAMPLE.TEST"

// Options are what a test may want to be different. The zero value is a realm like any other.
type Options struct {
	Realm   string        // "" means Realm
	MaxLife time.Duration // longest life of a ticket; 0 means 24 h
	Skew    time.Duration // by how much the KDC's clock is ahead of the machine's
	Etypes  string        // of keys and sessions, as kdc.conf has them; "" means aes256-cts-hmac-sha1-96 and aes128-cts-hmac-sha1-96
	// Libdefaults are further lines of [libdefaults] in the clients' configuration.
	Libdefaults string
}

// KDC is a KDC on a port of the loopback interface, with a database of its own.
type KDC struct {
	Realm      string
	Addr       string // host:port
	ConfigPath string // the clients' krb5.conf

	t       testing.TB
	dir     string
	options Options
	stop    func()
}

// New makes a database and starts a KDC, which ends with the test.
func New(t testing.TB) *KDC {
	t.Helper()
	return NewWith(t, Options{})
}

// NewWith is New with options.
func NewWith(t testing.TB, o Options) *KDC {
	t.Helper()
	o.Realm = cmp.Or(o.Realm, Realm)
	o.MaxLife = cmp.Or(o.MaxLife, 24*time.Hour)
	o.Etypes = cmp.Or(o.Etypes, "aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96")
	dir := t.TempDir()
	k := &KDC{Realm: o.Realm, ConfigPath: filepath.Join(dir, "krb5.conf"), t: t, dir: dir, options: o}
	k.Addr = freeAddress(t)
	k.configure()
	k.run("kdb5_util", "create", "-s", "-r", o.Realm, "-P", "master")
	t.Cleanup(k.Stop)
	k.Start()
	return k
}

// freeAddress finds a port. Nothing holds it until the KDC does, which is why Start fails the test with the
// KDC's own words if another came first.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // never used
	return l.Addr().String()
}

func (k *KDC) configure() {
	keytypes := strings.Join(strings.Fields(k.options.Etypes), ":normal ") + ":normal"
	k.write("krb5.conf", fmt.Sprintf(`[libdefaults]
	default_realm = %[1]s
	dns_lookup_kdc = false
	dns_lookup_realm = false
	rdns = false
	dns_canonicalize_hostname = false
	udp_preference_limit = 1
	ticket_lifetime = %[4]ds
	permitted_enctypes = %[5]s
	%[3]s
[realms]
	%[1]s = {
		kdc = %[2]s
	}
[domain_realm]
	localhost = %[1]s
	.example.test = %[1]s
`, k.Realm, k.Addr, k.options.Libdefaults, int(k.options.MaxLife.Seconds()), k.options.Etypes))
	k.write("kdc.conf", fmt.Sprintf(`[realms]
	%[1]s = {
		database_name = %[2]s/principal
		key_stash_file = %[2]s/stash
		acl_file = %[2]s/kadm5.acl
		kdc_listen = %[3]s
		kdc_tcp_listen = %[3]s
		max_life = %[4]ds
		max_renewable_life = 7d
		master_key_type = aes256-cts-hmac-sha1-96
		supported_enctypes = %[5]s
	}
[logging]
	kdc = FILE:%[2]s/kdc.log
`, k.Realm, k.dir, k.Addr, int(k.options.MaxLife.Seconds()), keytypes))
}

func (k *KDC) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// program finds one of MIT's programs. Daemons are in /usr/sbin, which is not on everybody's path.
func (k *KDC) program(name string) string {
	k.t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin", "/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	k.t.Fatalf("%s is not installed: this test needs a real KDC: apt-get install krb5-kdc krb5-admin-server krb5-user", name)
	return ""
}

// command prepares one of MIT's programs to work on this KDC's files.
func (k *KDC) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	k.t.Helper()
	cmd := exec.CommandContext(ctx, k.program(name), args...)
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+k.ConfigPath, "KRB5_KDC_PROFILE="+filepath.Join(k.dir, "kdc.conf"), "KRB5CCNAME=FILE:"+filepath.Join(k.dir, "krb5cc"))
	return cmd
}

func (k *KDC) run(name string, args ...string) string {
	k.t.Helper()
	out, err := k.command(context.Background(), name, args...).CombinedOutput()
	if err != nil {
		k.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Start starts the KDC, again on the same port after Stop, and returns when it listens.
func (k *KDC) Start() {
	k.t.Helper()
	if k.stop != nil {
		k.t.Fatal("the KDC is running already")
	}
	ctx, cancel := context.WithCancel(context.Background())
	args := []string{"-n", "-r", k.Realm, "-P", filepath.Join(k.dir, "kdc.pid")}
	if k.options.Skew != 0 {
		args = append(args, "-T", strconv.Itoa(int(k.options.Skew.Seconds())))
	}
	cmd := k.command(ctx, "krb5kdc", args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		cancel()
		k.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed, or ended by itself: either way it is gone
		close(ended)
	}()
	k.stop = func() {
		cancel()
		<-ended
	}
	if !k.listens(ended) {
		k.Stop()
		log, _ := os.ReadFile(filepath.Join(k.dir, "kdc.log"))
		k.t.Fatalf("krb5kdc on %s did not start:\n%s%s", k.Addr, said.Bytes(), log)
	}
}

// listens waits until the KDC takes connections. (What it prints when it does comes out of its buffer
// only when it ends.) It is false if the KDC ended.
func (k *KDC) listens(ended <-chan struct{}) bool {
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-ended:
			return false
		case <-again.C:
			conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", k.Addr)
			if err == nil {
				_ = conn.Close()
				return true
			}
		}
	}
}

// Stop kills the KDC. Its database stays.
func (k *KDC) Stop() {
	if k.stop != nil {
		k.stop()
		k.stop = nil
	}
}

// Admin runs a query of kadmin on the database, whether the KDC runs or not.
func (k *KDC) Admin(query string) string {
	k.t.Helper()
	out := k.run("kadmin.local", "-r", k.Realm, "-q", query)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "while ") && !strings.Contains(line, "Authenticating") {
			k.t.Fatalf("kadmin %q: %s", query, line)
		}
	}
	return out
}

// AddPrincipal adds a principal with random keys.
func (k *KDC) AddPrincipal(name string) {
	k.t.Helper()
	k.Admin("addprinc -randkey +requires_preauth " + name)
}

// Keytab writes the current keys of principals, which stay as they are, to a new file.
func (k *KDC) Keytab(names ...string) (path string) {
	k.t.Helper()
	f, err := os.CreateTemp(k.dir, "*.keytab")
	if err != nil {
		k.t.Fatal(err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil { // kadmin takes an empty file for a broken one
		k.t.Fatal(err)
	}
	k.Admin("ktadd -norandkey -k " + f.Name() + " " + strings.Join(names, " "))
	return f.Name()
}

// Rotate gives a principal new keys, with a higher version, which no keytab has yet.
func (k *KDC) Rotate(name string) {
	k.t.Helper()
	k.Admin("change_password -randkey " + name)
}

// Kinit has kinit log in with a keytab and write the cache file.
func (k *KDC) Kinit(principal, keytab, cache string, args ...string) {
	k.t.Helper()
	k.run("kinit", append(args, "-k", "-t", keytab, "-c", "FILE:"+cache, principal)...)
}

// Command prepares another program to run with this KDC's configuration in its environment.
func (k *KDC) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return k.command(ctx, name, args...)
}
