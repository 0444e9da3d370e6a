package admin_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-io/penstock/ingest/admin"
	"github.com/penstock-io/penstock/ingest/status"
)

func serve(t *testing.T, root *status.Node) (base string) {
	t.Helper()
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "penstock_test_total", Help: "For the test."})
	reg.MustRegister(c)
	c.Add(3)
	s, err := admin.Listen(t.Context(), admin.Options{
		Listen: "127.0.0.1:0", Status: root, Metrics: reg, Version: map[string]string{"version": "v1.2.3"}, Patience: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return "http://" + s.Addr()
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestPages(t *testing.T) {
	root := status.New("agent")
	root.Set(status.OK, "")
	root.Child("lake").Set(status.OK, "")
	base := serve(t, root)
	for _, c := range []struct {
		path, want string
		code       int
	}{
		{"/healthz", "ok\n", 200},
		{"/readyz", "ready\n", 200},
		{"/metrics", "penstock_test_total 3\n", 200},
		{"/status", "  lake: OK since ", 200},
		{"/status?format=json", `"name": "lake"`, 200},
		{"/version", `"version": "v1.2.3"`, 200},
		{"/nothing", "not found", 404},
	} {
		if code, body := get(t, base+c.path); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %q, want %d with %q", c.path, code, body, c.code, c.want)
		}
	}
	root.Child("lake").Set(status.Failed, "no permission on /data")
	if code, body := get(t, base+"/readyz"); code != 503 || !strings.Contains(body, "agent/lake: Failed since") || !strings.Contains(body, "no permission on /data") {
		t.Errorf("/readyz of a failed sink: %d %q", code, body)
	}
	if code, _ := get(t, base+"/healthz"); code != 200 {
		t.Errorf("/healthz of a failed sink: %d; restarting the process would not help it", code)
	}
}

func TestAPortInUseIsAnErrorBeforeAnythingStarts(t *testing.T) {
	root := status.New("agent")
	base := serve(t, root)
	_, err := admin.Listen(t.Context(), admin.Options{Listen: strings.TrimPrefix(base, "http://"), Status: root, Metrics: prometheus.NewRegistry()})
	if err == nil || !strings.Contains(err.Error(), "admin.listen") {
		t.Errorf("second listener on the same port: %v", err)
	}
}
