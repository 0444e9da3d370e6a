// Package admin is the agent's HTTP side: metrics, health, readiness and the status tree. It knows no component.
//
//	/metrics   Prometheus
//	/healthz   200 while the process lives
//	/readyz    200, or 503 with one line for each component that is not ready
//	/status    the tree as text; as JSON with Accept: application/json or ?format=json
//	/version   what runs here, as JSON
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/penstock-io/penstock/ingest/status"
)

// Options of a server.
type Options struct {
	Listen   string // host:port
	Status   *status.Node
	Metrics  prometheus.Gatherer
	Version  any           // marshalled by /version
	Patience time.Duration // how long a component may be Retrying and the agent still be ready; default 1 minute
}

// Server answers until its context ends.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Listen opens the port, so that a port in use is an error before anything else has started.
func Listen(ctx context.Context, o Options) (*Server, error) {
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for admin on %s: %w (another agent on this host? give this one another admin.listen)", o.Listen, err)
	}
	return &Server{listener: l, http: &http.Server{
		Handler:           Handler(o),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}, nil
}

// Addr is the address that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = s.http.Close() })()
	err := s.http.Serve(s.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve admin: %w", err)
}

// Handler is the HTTP side without a listener.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := o.Status.Snapshot().Unready(time.Now(), o.Patience); len(why) > 0 {
			text(w, http.StatusServiceUnavailable, strings.Join(why, "\n")+"\n")
			return
		}
		text(w, http.StatusOK, "ready\n")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		s := o.Status.Snapshot()
		if r.URL.Query().Get("format") == "json" || strings.Contains(r.Header.Get("Accept"), "application/json") {
			asJSON(w, s)
			return
		}
		text(w, http.StatusOK, s.Text())
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { asJSON(w, o.Version) })
	return mux
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body) // the peer has gone: nobody to tell
}

func asJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the peer has gone: nobody to tell
}
