//go:build integration

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// agent is one instance of the binary; it has many lives.
type agent struct {
	name   string
	binary string
	config string
	admin  string // host:port
	log    string // file: all that its lives have said

	cmd   *exec.Cmd
	ended chan struct{}
}

// start begins a life.
func (a *agent) start() error {
	log, err := os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(a.binary, "run", "-c", a.config, "--instance", a.name, "--log-format", "json")
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // no agent outlives the test
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start agent %s: %w", a.name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ended says how
		close(ended)
	}()
	a.cmd, a.ended = cmd, ended
	return nil
}

func (a *agent) signal(s syscall.Signal) error {
	if err := a.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%v to agent %s: %w\n%s", s, a.name, err, a.tail())
	}
	return nil
}

// kill is kill -9. It fails when something else has ended the agent.
func (a *agent) kill() (pid int, err error) {
	if err := a.signal(syscall.SIGKILL); err != nil {
		return 0, err
	}
	<-a.ended
	if how, ok := a.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !how.Signaled() || how.Signal() != syscall.SIGKILL {
		return 0, fmt.Errorf("agent %s was not killed, it ended with %v\n%s", a.name, a.cmd.ProcessState, a.tail())
	}
	return a.cmd.Process.Pid, nil
}

// stop ends the agent in good order: 0, or 143 when a server was away in that moment, so that the last events will be read again.
func (a *agent) stop(ctx context.Context) error {
	if err := a.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
		return fmt.Errorf("agent %s does not end after SIGTERM: %w\n%s", a.name, ctx.Err(), a.tail())
	}
	if code := a.cmd.ProcessState.ExitCode(); code != 0 && code != 128+int(syscall.SIGTERM) {
		return fmt.Errorf("agent %s ended with %v after SIGTERM\n%s", a.name, a.cmd.ProcessState, a.tail())
	}
	return nil
}

// logged is how much it has said so far.
func (a *agent) logged() int64 {
	info, err := os.Stat(a.log)
	if err != nil {
		return 0
	}
	return info.Size()
}

// said returns the first message since a size of the log that contains one of the texts.
func (a *agent) said(since int64, texts ...string) string {
	text, err := os.ReadFile(a.log)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text[min(since, int64(len(text))):])) {
		var m struct{ Msg string }
		if json.Unmarshal([]byte(line), &m) != nil {
			continue
		}
		for _, t := range texts {
			if strings.Contains(m.Msg, t) {
				return m.Msg
			}
		}
	}
	return ""
}

func (a *agent) tail() string {
	text, err := os.ReadFile(a.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-20_000):])
}

// command runs another command of the binary on the agent's configuration, and returns what it prints.
func (a *agent) command(ctx context.Context, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, a.binary, append(args, "-c", a.config)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("penstock %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// proof is what `penstock verify -o json` says of the sink.
type proof struct {
	OK                        bool
	Rows, Files               int64
	Missing, Foreign, Damaged []struct{ Path, What string }
	Partitions                []struct {
		Low      int64
		Dead     uint64 `json:"dead_letters"`
		Filtered uint64
		Gaps     uint64 `json:"gap_offsets"`
	}
}

// verify asks the agent's binary for the proof; anything that is not as it should be is an error.
func (a *agent) verify(ctx context.Context, level string) (proof, error) {
	text, err := a.command(ctx, "verify", level, "-o", "json")
	if err != nil {
		return proof{}, err
	}
	var all []proof
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 {
		return proof{}, fmt.Errorf("penstock verify printed %s: %w", text, err)
	}
	if p := all[0]; p.OK && len(p.Missing) == 0 && len(p.Foreign) == 0 && len(p.Damaged) == 0 {
		return p, nil
	}
	return proof{}, fmt.Errorf("penstock verify is not content:\n%s", text)
}
