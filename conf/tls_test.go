package conf_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/conf"
)

// selfSigned writes a certificate that is its own authority, and its key.
func selfSigned(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestTLSClient talks to a server that asks for our certificate and has one for another name than its address.
func TestTLSClient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serverCert, serverKey := selfSigned(t, dir, "broker.example.test")
	clientCert, clientKey := selfSigned(t, dir, "penstock")
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(read(t, clientCert)))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // refused handshakes are what is tested
	server.StartTLS()
	t.Cleanup(server.Close)

	get := func(yaml string) (string, error) {
		var c conf.TLS
		if err := conf.Unmarshal([]byte(yaml), &c, conf.Registry{}); err != nil {
			return "", err
		}
		config, err := c.Client("127.0.0.1")
		if err != nil {
			return "", err
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		t.Cleanup(client.CloseIdleConnections)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
	full := "ca: " + serverCert + "\ncert: " + clientCert + "\nkey: file:" + clientKey + "\nserver_name: broker.example.test\n"
	if name, err := get(full); err != nil || name != "penstock" {
		t.Errorf("%q, %v", name, err)
	}
	for name, c := range map[string]struct{ yaml, want string }{
		"other name":  {strings.Replace(full, "server_name", "#", 1), "127.0.0.1"},
		"other ca":    {strings.Replace(full, "ca: "+serverCert, "ca: "+clientCert, 1), "unknown authority"},
		"absent ca":   {"ca: " + dir + "/none.pem\n", "read ca: "},
		"ca is a key": {"ca: " + serverKey + "\n", "holds no certificate in PEM form"},
		"wrong key":   {strings.Replace(full, clientKey, serverKey, 1), "read cert and key: "},
		"half a pair": {"key: " + clientKey + "\n", "key is written without cert"},
	} {
		if got, err := get(c.yaml); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}
