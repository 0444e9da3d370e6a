//go:build integration

package badinput

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/integration/cluster"
)

// TestWrongKeytab: the keytab is another user's. Nothing starts.
func TestWrongKeytab(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Keytab = s.c.Keytab("mallory")
	s.write(t)
	for _, args := range [][]string{{"run", "-c", s.config}, {"validate", "-c", s.config, "--connect"}} {
		code, out, errs := command(t, args...)
		if code != 77 {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
		}
		s.golden(t, "wrong-keytab-"+args[0], lastLine(out+errs))
	}
}

// TestStaleKeytab: the right user, and a key that the KDC does not have any more. The agent waits, and takes the new keytab when it comes.
func TestStaleKeytab(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	user := "badinput" + s.topic[len(s.topic)-8:]
	kadmin := func(args ...string) {
		t.Helper()
		if _, err := s.c.Admin(t.Context(), cluster.KAdmin, args...); err != nil {
			t.Fatal(err)
		}
	}
	kadmin("addprinc", "-randkey", user)
	t.Cleanup(func() {
		if _, err := s.c.Admin(context.Background(), cluster.KAdmin, "delprinc", "-force", user); err != nil {
			t.Log(err)
		}
	})
	exported := filepath.Join(s.c.Conf().Dir, "keytabs", user+".keytab") // seen by the KDC's container too
	t.Cleanup(func() { _ = os.Remove(exported) })
	s.plan.User, s.plan.Keytab = user, filepath.Join(s.dir, "keytab")
	s.write(t)
	kadmin("ktadd", "-k", exported, user)
	copyFile(t, exported, s.plan.Keytab)
	kadmin("cpw", "-randkey", user)
	s.hdfs(t, "hdfs", "-chown", user, s.base)
	s.produce(t, "a", 10)
	code, out, _ := command(t, "validate", "-c", s.config, "--connect")
	if code != 77 || !strings.Contains(out, s.plan.Keytab) {
		t.Errorf("validate --connect: exit code %d\n%s", code, out)
	}
	a := s.run(t)
	message := a.refused(t, "kerberos.ingest: Failed")
	s.golden(t, "stale-keytab", strings.ReplaceAll(message, user, "USER"))
	kadmin("ktadd", "-k", exported, user)
	copyFile(t, exported, s.plan.Keytab)
	a.reaches(t, s.topic, 10)
	a.stop(t)
	s.exactly(t)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(to+".new", to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestKDCDownAtStart: nothing listens where krb5.conf says that the KDC is, until later.
func TestKDCDownAtStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	text, err := os.ReadFile(s.c.Conf().KRB5)
	if err != nil {
		t.Fatal(err)
	}
	here := freeAddress(t)
	var kdc string
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, "="); strings.TrimSpace(name) == "kdc" {
			kdc = strings.TrimSpace(value)
		}
	}
	s.plan.KRB5 = filepath.Join(s.dir, "krb5.conf")
	if err := os.WriteFile(s.plan.KRB5, []byte(strings.ReplaceAll(string(text), kdc, here)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.write(t)
	s.produce(t, "a", 10)
	code, out, _ := command(t, "validate", "-c", s.config, "--connect")
	if code != 69 {
		t.Errorf("validate --connect: exit code %d\n%s", code, out)
	}
	a := s.run(t)
	s.golden(t, "kdc-down-at-start", a.refused(t, "kerberos.ingest: Failed"))
	forward(t, here, kdc)
	a.reaches(t, s.topic, 10)
	a.ready(t)
	a.stop(t)
	s.exactly(t)
}

// TestBrokerDown: no broker listens, until later.
func TestBrokerDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	broker := s.plan.Broker
	_, port, _ := strings.Cut(freeAddress(t), ":")
	s.plan.Broker = "localhost:" + port // the name is part of the service's principal
	s.write(t)
	s.produce(t, "a", 10)
	code, out, _ := command(t, "validate", "-c", s.config, "--connect", "--timeout", "5s")
	if code != 69 {
		t.Errorf("validate --connect: exit code %d\n%s", code, out)
	}
	a := s.run(t)
	s.golden(t, "broker-down", a.refused(t, "connection refused"))
	forward(t, "127.0.0.1:"+port, broker)
	a.reaches(t, s.topic, 10)
	a.ready(t)
	a.stop(t)
	s.exactly(t)
}

// TestWithoutTheMechanism: the listener offers something else. The agent ends: nothing but another configuration can help.
func TestWithoutTheMechanism(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Broker = s.c.Conf().KafkaSCRAM
	s.write(t)
	a := s.run(t)
	if code := a.end(t); code != 77 {
		t.Errorf("exit code %d", code)
	}
	s.golden(t, "without-the-mechanism", lastLine(a.text()))
}

// TestNoLogin: the listener wants a login and the configuration has none.
func TestNoLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.SASL = ""
	s.write(t)
	a := s.run(t)
	s.golden(t, "no-login", a.refused(t, "sasl"))
}

// TestNoSuchTopic: most likely a misspelled name.
func TestNoSuchTopic(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Topics = "[" + s.topic + ", clikcs]"
	s.write(t)
	a := s.run(t)
	if code := a.end(t); code != 69 {
		t.Errorf("exit code %d", code)
	}
	s.golden(t, "no-such-topic", lastLine(a.text()))
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// forward listens where nobody did and passes everything on, as a server that has come up.
func forward(t *testing.T, listen, to string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pass(ctx, conn, to) })
		}
	})
}

func pass(ctx context.Context, conn net.Conn, to string) {
	defer conn.Close()
	peer, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	defer peer.Close()
	defer context.AfterFunc(ctx, func() {
		_ = conn.Close()
		_ = peer.Close()
	})()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(peer, conn)
		_ = peer.Close()
	})
	_, _ = io.Copy(conn, peer)
	_ = conn.Close()
	up.Wait()
}
