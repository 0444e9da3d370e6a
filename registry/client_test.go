package registry_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/registry"
)

// fake is a registry whose answers are given by path.
type fake struct {
	*httptest.Server
	asked atomic.Int64
}

func newFake(t *testing.T, secure bool, answers map[string]string) *fake {
	t.Helper()
	f := &fake{}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		if user, password, ok := r.BasicAuth(); secure && (!ok || user != "ingest" || password != "hunter2") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, ok := answers[r.URL.EscapedPath()]
		switch {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
		case strings.HasPrefix(body, "redirect "):
			http.Redirect(w, r, strings.TrimPrefix(body, "redirect "), http.StatusFound)
		case strings.HasPrefix(body, "status "):
			var code int
			_, err := fmt.Sscanf(body, "status %d", &code)
			if err != nil {
				t.Error(err)
			}
			w.WriteHeader(code)
			fmt.Fprint(w, strings.TrimPrefix(body, fmt.Sprintf("status %d ", code)))
		default:
			fmt.Fprint(w, body)
		}
	})
	if secure {
		f.Server = httptest.NewTLSServer(h)
	} else {
		f.Server = httptest.NewServer(h)
	}
	t.Cleanup(f.Close)
	return f
}

// client is as a configuration makes it.
func client(t *testing.T, yaml string) *registry.Client {
	t.Helper()
	var c registry.Config
	c.SetDefaults()
	if err := conf.Unmarshal([]byte(yaml), &c, conf.Registry{}); err != nil {
		t.Fatal(err)
	}
	return registry.New(c, registry.Options{Logger: slog.New(slog.DiscardHandler)})
}

const simple = `{"type":"record","name":"r","fields":[{"name":"i","type":"int"}]}`

func answer(schema, references string) string {
	text, err := json.Marshal(schema)
	if err != nil {
		panic(err)
	}
	return `{"schema":` + string(text) + `,"references":` + references + `}`
}

func TestSchema(t *testing.T) {
	f := newFake(t, false, map[string]string{
		"/schemas/ids/1":                 answer(simple, "[]"),
		"/schemas/ids/2":                 answer(`"b"`, `[{"name":"b","subject":"b value","version":3},{"name":"c","subject":"c","version":1}]`),
		"/subjects/b%20value/versions/3": answer("B", `[{"name":"c","subject":"c","version":1}]`),
		"/subjects/c/versions/1":         answer("C", `[]`),
		"/schemas/ids/3":                 answer("A", `[{"subject":"loop","version":1}]`),
		"/subjects/loop/versions/1":      answer("L", `[{"subject":"loop","version":1}]`),
		"/schemas/ids/4":                 `{"schema":"message M {}","schemaType":"PROTOBUF"}`,
		"/schemas/ids/5":                 `<html>`,
		"/schemas/ids/6":                 answer("A", `[{"subject":"gone","version":1}]`),
		"/schemas/ids/7":                 "status 500 {\"error_code\":50001,\"message\":\"Error in the backend data store\"}",
		"/schemas/ids/8":                 "status 404 nothing here",
		"/schemas/ids/9":                 "status 403 no",
		"/schemas/ids/10":                "redirect http://127.0.0.1:1/elsewhere",
		"/schemas/ids/11":                answer(strings.Repeat("x", 5<<20), "[]"),
	})
	c := client(t, "urls: ["+f.URL+"/]")
	for id, want := range map[uint32][]string{1: {simple}, 2: {"C", "B", `"b"`}, 3: {"L", "A"}} {
		s, err := c.Schema(t.Context(), id)
		if err != nil {
			t.Errorf("%d: %v", id, err)
		} else if got := append(slices.Clone(s.Refers), s.Text); !slices.Equal(got, want) {
			t.Errorf("%d: %q; want %q", id, got, want)
		}
	}
	for id, want := range map[uint32]string{
		4: "it is of type PROTOBUF", 6: "reference gone version 1: ", 99: "schema 99: the registry has no such schema: Schema not found",
	} {
		if _, err := c.Schema(t.Context(), id); !errors.Is(err, registry.ErrNoSchema) || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v; want %q", id, err, want)
		}
	}
	for id, want := range map[uint32]string{
		5: "is the URL right?", 7: "500 Internal Server Error: Error in the backend data store", 8: "/apis/ccompat/v7", 9: "403", 10: "302", 11: "more than 4194304 bytes",
	} {
		if _, err := c.Schema(t.Context(), id); err == nil || errors.Is(err, registry.ErrNoSchema) || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v; want %q", id, err, want)
		}
	}
}

// TestLogin: over TLS with the authority's certificate, with a password that no error shows.
func TestLogin(t *testing.T) {
	f := newFake(t, true, map[string]string{"/schemas/ids/1": answer(simple, "[]"), "/schemas/types": "[]"})
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	ca := write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}))
	right, wrong := write("right", []byte("hunter2\n")), write("wrong", []byte("hunter3"))
	yaml := func(ca, password string) string {
		return fmt.Sprintf("urls: [%q]\nusername: ingest\npassword: file:%s\ntls: {ca: %q}", f.URL, password, ca)
	}
	if s, err := client(t, yaml(ca, right)).Schema(t.Context(), 1); err != nil || s.Text != simple {
		t.Errorf("%v, %v", s, err)
	}
	if url, err := client(t, yaml(ca, right)).Check(t.Context()); err != nil || url != f.URL {
		t.Errorf("%s, %v", url, err)
	}
	_, err := client(t, yaml(ca, wrong)).Check(t.Context())
	if err == nil || !errors.Is(err, registry.ErrNoAnswer) || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "hunter") {
		t.Errorf("%v", err)
	}
	if _, err := client(t, "urls: ["+f.URL+"]").Check(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody we know: %v", err)
	}
	if _, err := client(t, yaml(ca, filepath.Join(dir, "none"))).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "registry.password") {
		t.Errorf("%v", err)
	}
}

// TestOneOfTwo: the second registry is asked when the first does not answer, and not when it says that there is none.
func TestOneOfTwo(t *testing.T) {
	f := newFake(t, false, map[string]string{"/schemas/ids/1": answer(simple, "[]")})
	empty := newFake(t, false, nil)
	if _, err := client(t, "urls: [http://127.0.0.1:1, "+f.URL+"]").Schema(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if _, err := client(t, "urls: ["+empty.URL+", "+f.URL+"]").Schema(t.Context(), 1); !errors.Is(err, registry.ErrNoSchema) {
		t.Error(err)
	}
	_, err := client(t, "urls: [http://127.0.0.1:1]").Schema(t.Context(), 1)
	if err == nil || errors.Is(err, registry.ErrNoSchema) || !strings.Contains(err.Error(), "http://127.0.0.1:1: ") || strings.Count(err.Error(), "127.0.0.1:1/") > 0 {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, "urls: ["+f.URL+"]").Schema(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestCache: what was asked for once is there when the registry is not, for another agent too; a damaged file is asked for again.
func TestCache(t *testing.T) {
	f := newFake(t, false, map[string]string{
		"/schemas/ids/1": answer(simple, `[{"subject":"a/../b","version":1}]`), "/subjects/a%2F..%2Fb/versions/1": answer("B", "[]"),
	})
	dir := filepath.Join(t.TempDir(), "schemas")
	yaml := "urls: [" + f.URL + "]\ncache: " + dir
	for range 2 {
		if s, err := client(t, yaml).Schema(t.Context(), 1); err != nil || s.Text != simple || len(s.Refers) != 1 {
			t.Fatalf("%v, %v", s, err)
		}
	}
	if n := f.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v", files, err)
	}
	if err := os.WriteFile(files[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, yaml).Schema(t.Context(), 1); err != nil || f.asked.Load() != 3 {
		t.Errorf("%v, asked %d times", err, f.asked.Load())
	}
	f.Close()
	if s, err := client(t, yaml).Schema(t.Context(), 1); err != nil || s.Text != simple {
		t.Errorf("%v, %v", s, err)
	}
}

// TestCacheThatCannotBeWritten stops nothing.
func TestCacheThatCannotBeWritten(t *testing.T) {
	f := newFake(t, false, map[string]string{"/schemas/ids/1": answer(simple, `[]`)})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, "urls: ["+f.URL+"]\ncache: "+file+"/below").Schema(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for yaml, want := range map[string]string{
		"urls: [https://a:1, http://b/apis/ccompat/v7]": "",
		"{}":                            "urls",
		"urls: [a:8081]":                "no URL of a registry",
		"urls: ['ftp://u:secret@a']":    "no URL of a registry",
		"urls: [ftp://a]":               "no URL of a registry",
		"urls: [https://user:secret@a]": "does not belong into a URL",
		"urls: [http://a]\nusername: u": "in clear",
		"urls: [http://a]\nusername: u\nallow_plaintext: true": "",
		"urls: [https://a]\npassword: env:P":                   "no user",
		"urls: [https://a]\npassword: plain":                   "not written into the configuration",
		"urls: [https://a]\nusername: u\nkerberos: k":          "two logins",
		"urls: [https://a]\ncache: hdfs://nn/x":                "no directory of this machine",
		"urls: [https://a]\ntimeout: 1ms":                      "timeout",
	} {
		var c registry.Config
		c.SetDefaults()
		err := conf.Unmarshal([]byte(yaml), &c, conf.Registry{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v; want %q", yaml, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret@") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
