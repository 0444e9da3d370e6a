// Package apicurio runs a real schema registry, Apicurio, with all it has in memory, for the tests of packages beside this one.
package apicurio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Registry is a running process.
type Registry struct {
	URL   string // of Confluent's REST interface
	cmd   *exec.Cmd
	ended chan error
}

// Start starts a registry on a port of 127.0.0.1, and returns when it answers.
func Start(ctx context.Context, port string) (*Registry, error) {
	if out, err := exec.CommandContext(ctx, "../apicurio/setup.sh").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("integration/apicurio/setup.sh: %w\n%s", err, out)
	}
	jars, err := filepath.Glob("../../build/apicurio/*-runner.jar")
	if err != nil || len(jars) != 1 {
		return nil, fmt.Errorf("build/apicurio has %d runners: %w", len(jars), err)
	}
	r := &Registry{URL: "http://127.0.0.1:" + port + "/apis/ccompat/v7", ended: make(chan error, 1)}
	log, err := os.CreateTemp("", "apicurio-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r.cmd = exec.CommandContext(context.WithoutCancel(ctx), "java", "-Xmx256m", "-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port="+port, "-jar", jars[0])
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { r.ended <- r.cmd.Wait() }()
	if err := r.wait(ctx); err != nil {
		r.Stop()
		return nil, fmt.Errorf("start Apicurio, see %s: %w", log.Name(), err)
	}
	_ = os.Remove(log.Name()) // what it writes from now on is of no interest
	return r, nil
}

// wait returns when the registry answers.
func (r *Registry) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+"/subjects", http.NoBody)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-r.ended:
			r.ended <- err
			return errors.Join(errors.New("it ended"), err)
		case <-again.C:
		}
	}
}

// Stop ends the process, and with it all that was registered.
func (r *Registry) Stop() {
	_ = r.cmd.Process.Kill()
	r.ended <- <-r.ended // for another Stop
}
