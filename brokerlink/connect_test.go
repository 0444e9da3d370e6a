package brokerlink_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
)

const secret = "pens-tock-secret"

// pki is an authority with a server's and a client's certificate, as files.
type pki struct {
	ca, cert, key string
	server        tls.Certificate
	pool          *x509.CertPool
}

func newPKI(t *testing.T) pki {
	t.Helper()
	dir := t.TempDir()
	caKey := mustKey(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	p := pki{ca: filepath.Join(dir, "ca.pem"), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), pool: x509.NewCertPool()}
	writePEM(t, p.ca, "CERTIFICATE", caDER)
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		t.Fatal(err)
	}
	p.pool.AddCert(ca)
	key := mustKey(t)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "broker"}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"broker.example.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, p.cert, "CERTIFICATE", der)
	writePEM(t, p.key, "PRIVATE KEY", keyDER)
	p.server = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return p
}

func mustKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func secretFile(t *testing.T, text string) conf.Secret {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ref, err := conf.NewSecret("file:" + name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func fileRef(t *testing.T, name string) conf.FileRef {
	t.Helper()
	ref, err := conf.NewFileRef(name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// tryOut runs a channel until it drains, and returns nil, or until it fails or is known to wait for something.
func tryOut(t *testing.T, c brokerlink.Config) error {
	t.Helper()
	return tryWith(t, c, brokerlink.Options{})
}

func tryWith(t *testing.T, c brokerlink.Config, o brokerlink.Options) error {
	t.Helper()
	drains := make(chan struct{}, 10)
	log := &lastError{said: make(chan string, 100)}
	o.Name, o.Logger = t.Name(), log.logger()
	a := run(t, c, o, func(ctx context.Context, s ingest.Stream) error {
		if _, err := s.Describe(ctx); err == nil {
			if _, err := s.Read(ctx, 0); err == nil {
				drains <- struct{}{}
			}
		}
		<-ctx.Done()
		return nil
	})
	select {
	case <-drains:
		return nil
	case err := <-a.done:
		a.done <- err
		return err
	case text := <-log.said:
		return waitError(text)
	case <-time.After(30 * time.Second):
		t.Fatal("nothing happens")
		return nil
	}
}

// waitError is what a channel logs while it tries again.
type waitError string

func (w waitError) Error() string { return string(w) }

func TestLoginAndTLS(t *testing.T) {
	certs := newPKI(t)
	serve := &tls.Config{Certificates: []tls.Certificate{certs.server}}
	mutual := &tls.Config{Certificates: []tls.Certificate{certs.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: certs.pool}
	client := &tls.Config{RootCAs: certs.pool, Certificates: []tls.Certificate{certs.server}}
	trust := func() *conf.TLS { return &conf.TLS{CA: fileRef(t, certs.ca)} }
	withCert := func() *conf.TLS {
		return &conf.TLS{CA: fileRef(t, certs.ca), Cert: fileRef(t, certs.cert), Key: fileRef(t, certs.key)}
	}
	users := []brokertest.User{
		{Mechanism: "SCRAM-SHA-256", Name: "ada", Password: secret}, {Mechanism: "SCRAM-SHA-512", Name: "ada", Password: secret}, {Mechanism: "PLAIN", Name: "ada", Password: secret},
	}
	login := func(mechanism, password string) *brokerlink.SASL {
		return &brokerlink.SASL{Mechanism: mechanism, User: "ada", Password: secretFile(t, password), AllowPlaintext: true}
	}
	for _, c := range []struct {
		name   string
		broker brokertest.Options
		sasl   *brokerlink.SASL
		tls    *conf.TLS
		want   []string // parts of the error; nil: it works
	}{
		{name: "plain text", broker: brokertest.Options{}},
		{name: "tls", broker: brokertest.Options{TLS: serve, ClientTLS: client}, tls: trust()},
		{name: "mutual tls", broker: brokertest.Options{TLS: mutual, ClientTLS: client}, tls: withCert()},
		{name: "scram 256", broker: brokertest.Options{Users: users}, sasl: login("SCRAM-SHA-256", secret)},
		{name: "scram 512 over tls", broker: brokertest.Options{Users: users, TLS: serve, ClientTLS: client}, sasl: login("SCRAM-SHA-512", secret), tls: trust()},
		{name: "plain login", broker: brokertest.Options{Users: users}, sasl: login("PLAIN", secret)},
		{name: "server name", broker: brokertest.Options{TLS: serve, ClientTLS: client}, tls: &conf.TLS{CA: fileRef(t, certs.ca), ServerName: "broker.example.test"}},

		{
			name: "wrong password", broker: brokertest.Options{Users: users}, sasl: login("SCRAM-SHA-512", "wrong-"+secret),
			want: []string{"as ada by SCRAM-SHA-512", "127.0.0.1:"},
		},
		{name: "wrong plain password", broker: brokertest.Options{Users: users}, sasl: login("PLAIN", "wrong-"+secret), want: []string{"as ada by PLAIN", "127.0.0.1:"}},
		{
			name: "mechanism not offered", broker: brokertest.Options{Users: users}, sasl: &brokerlink.SASL{Mechanism: "OAUTHBEARER", Token: secretFile(t, secret), AllowPlaintext: true},
			want: []string{"does not offer OAUTHBEARER but", "SCRAM-SHA-512", "PLAIN"},
		},
		{
			name: "unknown authority", broker: brokertest.Options{TLS: serve, ClientTLS: client}, tls: &conf.TLS{},
			want: []string{"certificate signed by unknown authority", "set tls.ca"},
		},
		{
			name: "wrong server name", broker: brokertest.Options{TLS: serve, ClientTLS: client}, tls: &conf.TLS{CA: fileRef(t, certs.ca), ServerName: "other.example.test"},
			want: []string{"other.example.test", "set tls.server_name"},
		},
		{name: "no client certificate", broker: brokertest.Options{TLS: mutual, ClientTLS: client}, tls: trust(), want: []string{"set tls.cert and tls.key"}},
		{name: "tls to a plain port", broker: brokertest.Options{}, tls: trust(), want: []string{"not to speak TLS"}},
		{name: "plain to a tls port", broker: brokertest.Options{TLS: serve, ClientTLS: client}, want: []string{"TLS"}},
		{name: "login at a tls port", broker: brokertest.Options{Users: users, TLS: serve, ClientTLS: client}, sasl: login("SCRAM-SHA-512", secret), want: []string{"TLS"}},
		{name: "no login at a sasl port", broker: brokertest.Options{Users: users}, want: []string{"a login (sasl)"}},
		{
			name: "missing file", broker: brokertest.Options{TLS: serve, ClientTLS: client}, tls: &conf.TLS{CA: fileRef(t, "/nonexistent/ca.pem")},
			want: []string{"tls.ca", "/nonexistent/ca.pem"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.broker.Topics = map[string]int32{"t": 1}
			b := brokertest.New(t, c.broker)
			produce(t, b, numbered("t", 0, 0, 1)...)
			config := config(t, b, "t")
			config.SASL, config.TLS = c.sasl, c.tls
			config.DialTimeout = conf.Duration(3 * time.Second)
			config.RequestTimeout = conf.Duration(3 * time.Second)
			err := tryOut(t, config)
			if (err == nil) != (c.want == nil) || err != nil && !contains(err, c.want...) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestMissingRightsAreAnError(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	for _, c := range []struct {
		fault string
		want  []string
	}{
		{"topic", []string{"Read and Describe"}},
		{"group", []string{"Read on the group"}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			remove := deny(b, c.fault)
			defer remove()
			if err := tryOut(t, config(t, b, "t")); !ingest.IsPermanent(err) || !contains(err, c.want...) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
