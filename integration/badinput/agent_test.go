//go:build integration

package badinput

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration/penstock"
)

// patience is far beyond what anything here takes: a partition that was refused is looked at again once a minute.
const patience = 150 * time.Second

// agent is the binary at work.
type agent struct {
	cmd   *exec.Cmd
	admin string
	log   string
	ended chan struct{}
}

// run starts the agent of a site. It ends with the test at the latest.
func (s *site) run(t *testing.T) *agent {
	t.Helper()
	return start(t, s.config, s.plan.Admin)
}

func start(t *testing.T, config, admin string) *agent {
	t.Helper()
	a := &agent{admin: admin, log: filepath.Join(t.TempDir(), "log"), ended: make(chan struct{})}
	log, err := os.Create(a.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	a.cmd = exec.Command(os.Getenv(binaryVar), "run", "-c", config, "--stop-timeout", "30s")
	a.cmd.Stderr = log
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = a.cmd.Wait()
		close(a.ended)
	}()
	t.Cleanup(func() {
		_ = a.cmd.Process.Kill()
		<-a.ended
	})
	return a
}

// text is what the agent has logged.
func (a *agent) text() string {
	text, err := os.ReadFile(a.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// end waits for the agent's end and returns its exit code.
func (a *agent) end(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-a.ended:
	case <-ctx.Done():
		t.Fatalf("the agent does not end: %v\n%s", ctx.Err(), a.told())
	}
	return a.cmd.ProcessState.ExitCode()
}

// stop ends the agent in good order: everything that it has read is published.
func (a *agent) stop(t *testing.T) {
	t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%v\n%s", err, a.told())
	}
	if code := a.end(t); code != 0 {
		t.Fatalf("exit code %d after SIGTERM\n%s", code, a.told())
	}
}

// kill is kill -9.
func (a *agent) kill() {
	_ = a.cmd.Process.Kill()
	<-a.ended
}

// told is all that an operator could look at.
func (a *agent) told() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	text := a.text()
	return fmt.Sprintf("status:\n%s\nlog:\n%s", penstock.Page(ctx, a.admin, "/status"), text[max(0, len(text)-6000):])
}

// reaches waits until everything before an offset is done.
func (a *agent) reaches(t *testing.T, topic string, low int64) {
	t.Helper()
	series := regexp.MustCompile(`(?m)^penstock_hdfssink_low_offset\{[^}]*topic="` + regexp.QuoteMeta(topic) + `"[^}]*\} (\S+)$`)
	until(t, fmt.Sprintf("%s is done up to %d", topic, low), func(ctx context.Context) bool {
		m := series.FindStringSubmatch(penstock.Page(ctx, a.admin, "/metrics"))
		if m == nil {
			return false
		}
		at, err := strconv.ParseFloat(m[1], 64)
		return err == nil && int64(at) >= low
	}, a)
}

// refused waits until /readyz says so, and returns what it says of the components concerned.
func (a *agent) refused(t *testing.T, with string) (message string) {
	t.Helper()
	until(t, fmt.Sprintf("/readyz says %q", with), func(ctx context.Context) bool {
		var concerned []string
		for _, component := range regexp.MustCompile(`(?m)^penstock(.|\n[^p])*\n`).FindAllString(penstock.Page(ctx, a.admin, "/readyz"), -1) {
			if strings.Contains(component, with) {
				concerned = append(concerned, component)
			}
		}
		message = strings.Join(concerned, "")
		return message != ""
	}, a)
	return message
}

// retrying waits until /status says why something is tried again (/readyz waits a minute, because most of that passes), and returns the first such
// reason in the log: later tries may fail elsewhere.
func (a *agent) retrying(t *testing.T, with string) (message string) {
	t.Helper()
	until(t, fmt.Sprintf("/status says %q", with), func(ctx context.Context) bool {
		return regexp.MustCompile(`(?m)Retrying since .*` + regexp.QuoteMeta(with)).MatchString(penstock.Page(ctx, a.admin, "/status"))
	}, a)
	for line := range strings.Lines(a.text()) {
		var record struct{ Msg, Error string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("a line of the log is no JSON: %v\n%s", err, line)
		}
		if strings.Contains(record.Error, with) {
			return record.Error
		}
	}
	t.Fatalf("the log does not say what /status says\n%s", a.told())
	return ""
}

// ready waits until the agent says that it is.
func (a *agent) ready(t *testing.T) {
	t.Helper()
	until(t, "the agent is ready", func(ctx context.Context) bool { return penstock.Page(ctx, a.admin, "/readyz") == "ready\n" }, a)
}

// until looks again and again until something is true.
func until(t *testing.T, what string, is func(ctx context.Context) bool, a *agent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !is(ctx) {
		over := make(<-chan struct{})
		if a != nil {
			over = a.ended
		}
		select {
		case <-tick.C:
			continue
		case <-over:
			t.Fatalf("the agent has ended before %s\n%s", what, a.told())
		case <-ctx.Done():
		}
		told := ""
		if a != nil {
			told = a.told()
		}
		t.Fatalf("not true in time: %s\n%s", what, told)
	}
}

// command runs another penstock command to its end.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Getenv(binaryVar), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// repair runs the command that a message names, word by word as it stands there.
func repair(t *testing.T, message string) {
	t.Helper()
	m := regexp.MustCompile("`penstock (state [^`]*)`").FindStringSubmatch(message)
	if m == nil {
		t.Fatalf("the message names no command:\n%s", message)
	}
	code, out, errs := command(t, strings.Fields(m[1])...)
	if code != 0 {
		t.Fatalf("penstock %s: exit code %d\n%s%s", m[1], code, out, errs)
	}
	t.Logf("penstock %s\n%s", m[1], out)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := penstock.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}
