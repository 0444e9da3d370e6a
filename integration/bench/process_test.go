//go:build integration

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a child, of which we want to know what it costs.
type process struct {
	cmd   *exec.Cmd
	log   string // file with its standard error
	out   *bufio.Reader
	in    io.Closer
	ended chan struct{}
	err   error // set when ended is closed
	peak  int64 // bytes; highest resident set seen

	wanted int // exit code of a good end
}

// start runs a command. It ends with the benchmark at the latest.
func start(b testing.TB, name string, cmd *exec.Cmd) *process {
	b.Helper()
	p := &process{cmd: cmd, log: filepath.Join(b.TempDir(), name+".log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if p.in, err = cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	cmd.Stderr, p.out = log, bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		p.wait()
	})
	return p
}

// role runs this binary again in another part.
func role(b testing.TB, name string, plan any) *process {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVar+"="+name, planVar+"="+string(text))
	return start(b, name, cmd)
}

// hear reads what the child says.
func (p *process) hear(b testing.TB, v any) {
	b.Helper()
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		b.Fatalf("%s said %q: %v\n%s", p.cmd.Path, line, err, p.tail())
	}
}

// wait waits for the end, at most once for real.
func (p *process) wait() {
	select {
	case <-p.ended:
	default:
		_, _ = io.Copy(io.Discard, p.out)
		p.err = p.cmd.Wait()
		close(p.ended)
	}
}

// finish waits for a good end and returns the CPU time that the process has taken from its start on.
func (p *process) finish(b testing.TB) time.Duration {
	b.Helper()
	p.wait()
	if p.cmd.ProcessState.ExitCode() != p.wanted {
		b.Fatalf("%s: %v\n%s", p.cmd.Path, p.err, p.tail())
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// stop is SIGTERM and finish. It follows the resident set to the end.
func (p *process) stop(b testing.TB) time.Duration {
	b.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatalf("%s: %v\n%s", p.cmd.Path, err, p.tail())
	}
	ctx, done := context.WithCancel(b.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for tick(ctx, 20*time.Millisecond) {
			p.look()
		}
	}()
	cpu := p.finish(b)
	done()
	<-watched
	return cpu
}

// look notes the highest resident set so far. (What wait4 says of it includes this process's own, from which the child was forked.)
func (p *process) look() {
	p.peak = max(p.peak, procField(p.cmd.Process.Pid, "VmHWM:")<<10)
}

// procField is a number of /proc/PID/status; 0 when the process is over.
func procField(pid int, name string) int64 {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4<<10):])
}

// tick waits; false: ctx is over.
func tick(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// ownCPU is what this process has taken so far.
func ownCPU() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}
