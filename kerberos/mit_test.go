//go:build integration

package kerberos_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/kerberos"
	"github.com/penstock-io/penstock/kerberos/kerberostest"
)

// mitAcceptor is MIT's library as the service's end.
type mitAcceptor struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
	err *bytes.Buffer
}

func startMIT(t *testing.T, kdc *kerberostest.KDC, keytab string) *mitAcceptor {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, for which the package is
	if out, err := exec.Command(python, "-c", "import gssapi").CombinedOutput(); err != nil {
		t.Fatalf("MIT's library is needed from Python: apt-get install python3-gssapi: %v\n%s", err, out)
	}
	cmd := kdc.Command(context.Background(), "python3", "testdata/acceptor.py")
	cmd.Path = python
	cmd.Env = append(cmd.Env, "KRB5_KTNAME=FILE:"+keytab)
	a := &mitAcceptor{t: t, err: new(bytes.Buffer)}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = a.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("acceptor: %v\n%s", err, a.err)
		}
	})
	a.in, a.out = in, bufio.NewScanner(out)
	a.out.Buffer(nil, 1<<20)
	return a
}

func (a *mitAcceptor) send(token []byte) {
	a.t.Helper()
	if _, err := fmt.Fprintln(a.in, hex.EncodeToString(token)); err != nil {
		a.t.Fatal(err)
	}
}

// line reads a line that begins with a word, and returns the rest.
func (a *mitAcceptor) line(word string) string {
	a.t.Helper()
	if !a.out.Scan() {
		a.t.Fatalf("the acceptor ended: %v\n%s", a.out.Err(), a.err)
	}
	rest, ok := strings.CutPrefix(a.out.Text(), word)
	if !ok {
		a.t.Fatalf("the acceptor said %q, want %s", a.out.Text(), word)
	}
	return strings.TrimSpace(rest)
}

func (a *mitAcceptor) token() []byte {
	a.t.Helper()
	b, err := hex.DecodeString(a.line("token"))
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

func TestMITAcceptor(t *testing.T) {
	for _, etypes := range []string{"aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha256-128", "aes256-cts-hmac-sha384-192"} {
		kdc := kerberostest.NewWith(t, kerberostest.Options{Etypes: etypes})
		kdc.AddPrincipal("ingest")
		kdc.AddPrincipal("kafka/localhost")
		login := keytabLogin(t, kdc, "ingest", kdc.Keytab("ingest"))
		service := kdc.Keytab("kafka/localhost")
		for _, mutual := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,mutual=%v", etypes, mutual), func(t *testing.T) {
				initiate := login.Initiate
				if mutual {
					initiate = login.InitiateMutual
				}
				x, err := initiate(t.Context(), kafka)
				if err != nil {
					t.Fatal(err)
				}
				mitSession(t, startMIT(t, kdc, service), x, mutual)
			})
		}
	}
}

func mitSession(t *testing.T, peer *mitAcceptor, x kerberos.Exchange, mutual bool) {
	t.Helper()
	token, done, err := x.Step(nil)
	if err != nil || done == mutual {
		t.Fatalf("Step = %v, %v", done, err)
	}
	peer.send(token)
	reply := peer.token()
	if mutual {
		if _, done, err := x.Step(reply); err != nil || !done {
			t.Fatalf("Step(AP-REP) = %v, %v", done, err)
		}
	}
	if name := peer.line("done"); name != "ingest@EXAMPLE.TEST" {
		t.Errorf("MIT saw %s", name)
	}
	for i, size := range []int{0, 1, 15, 16, 17, 31, 32, 33, 1000, 65536} {
		for _, seal := range []bool{true, false} {
			text := bytes.Repeat([]byte{byte('a' + i)}, size)
			token, err := x.Wrap(text, seal)
			if err != nil {
				t.Fatal(err)
			}
			peer.send(token)
			want := strings.TrimSpace(map[bool]string{true: "True ", false: "False "}[seal] + hex.EncodeToString(text))
			if got := peer.line("plain"); got != want {
				t.Fatalf("MIT unwrapped %.80q, want %.80q", got, want)
			}
			back, sealed, err := x.Unwrap(peer.token())
			if err != nil || sealed != seal || !bytes.Equal(back, text) {
				t.Fatalf("unwrapped %d bytes of %d, sealed %v: %v", len(back), size, sealed, err)
			}
		}
	}
}
