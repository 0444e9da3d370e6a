//go:build integration

package kerberos_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-io/penstock/kerberos"
)

// clusterFile is a file of the integration cluster, which must be up.
func clusterFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "build", "cluster", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the integration cluster is needed (make cluster-up): %v", err)
	}
	return path
}

func clusterLogin(t *testing.T) *kerberos.Login {
	t.Helper()
	l, err := kerberos.NewLogin(kerberos.Identity{
		Principal: "ingest@EXAMPLE.TEST",
		Keytab:    clusterFile(t, "keytabs/ingest.keytab"),
		Krb5Conf:  clusterFile(t, "krb5.conf"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// kafkaConn speaks just enough of Kafka's protocol to authenticate.
//
//	request   int32 size, int16 api key, int16 version, int32 correlation id, int16 + client id, body
//	response  int32 size, int32 correlation id, body
type kafkaConn struct {
	net.Conn
	t *testing.T
}

func (c kafkaConn) call(key, version int16, body []byte) []byte {
	c.t.Helper()
	request := binary.BigEndian.AppendUint16(make([]byte, 4), uint16(key))
	request = binary.BigEndian.AppendUint16(request, uint16(version))
	request = append(request, 0, 0, 0, 7, 0, 1, 't')
	request = append(request, body...)
	binary.BigEndian.PutUint32(request, uint32(len(request)-4))
	if _, err := c.Write(request); err != nil {
		c.t.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		c.t.Fatal(err)
	}
	response, err := io.ReadAll(io.LimitReader(c, int64(binary.BigEndian.Uint32(size[:]))))
	if err != nil || len(response) < 6 {
		c.t.Fatalf("response % x: %v", response, err)
	}
	return response[4:]
}

// authenticate is one SaslAuthenticate v1: error code, error message, token, session lifetime.
func (c kafkaConn) authenticate(token []byte) ([]byte, error) {
	c.t.Helper()
	body := c.call(36, 1, append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...))
	code, text := binary.BigEndian.Uint16(body), ""
	body = body[2:]
	if n := int16(binary.BigEndian.Uint16(body)); n >= 0 {
		text = string(body[2 : 2+n])
		body = body[n:]
	}
	body = body[2:]
	if code != 0 {
		return nil, fmt.Errorf("broker says %d %q", code, text)
	}
	n := int32(binary.BigEndian.Uint32(body))
	if n < 0 {
		return nil, nil
	}
	return body[4 : 4+n], nil
}

func TestKafkaBroker(t *testing.T) {
	login := clusterLogin(t)
	for _, mutual := range []bool{false, true} {
		t.Run(fmt.Sprintf("mutual=%v", mutual), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var d net.Dialer
			raw, err := d.DialContext(ctx, "tcp", "localhost:9093")
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			c := kafkaConn{Conn: raw, t: t}
			if body := c.call(17, 1, append([]byte{0, 6}, "GSSAPI"...)); binary.BigEndian.Uint16(body) != 0 {
				t.Fatalf("handshake refused: % x", body)
			}
			initiate := login.Initiate
			if mutual {
				initiate = login.InitiateMutual
			}
			x, err := initiate(ctx, kerberos.SPN{Service: "kafka", Host: "localhost"})
			if err != nil {
				t.Fatal(err)
			}
			m := kerberos.NewGSSAPI(x, kerberos.SASLOptions{})
			var challenge []byte
			for done := false; !done; {
				var response []byte
				if response, done, err = m.Step(challenge); err != nil {
					t.Fatal(err)
				}
				if challenge, err = c.authenticate(response); err != nil {
					t.Fatal(err)
				}
			}
			// ApiVersions v0 is answered only on a connection that is authenticated or has not begun to be.
			if body := c.call(18, 0, nil); binary.BigEndian.Uint16(body) != 0 {
				t.Fatalf("ApiVersions after authentication: % x", body)
			}
			if m.QOP() != kerberos.QOPAuth {
				t.Errorf("QOP = %v, want auth", m.QOP())
			}
		})
	}
}

// TestNegotiate: a web server of Java's takes the token, knows who comes, and sends others away.
func TestNegotiate(t *testing.T) {
	pem, err := os.ReadFile(clusterFile(t, "tls/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	get := func(authorization string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost:9871/webhdfs/v1/?op=GETHOMEDIRECTORY", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	token, err := kerberos.Negotiate(t.Context(), clusterLogin(t), "LOCALHOST.")
	if err != nil {
		t.Fatal(err)
	}
	if code, body := get("Negotiate " + token); code != http.StatusOK || body != `{"Path":"/user/ingest"}` {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get(""); code != http.StatusUnauthorized {
		t.Errorf("nobody gets %d", code)
	}
	if code, body := get("Negotiate " + token); code == http.StatusOK {
		t.Errorf("the token is taken twice: %s", body)
	}
}
