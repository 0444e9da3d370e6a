package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/penstock-io/penstock/brokerlink/brokertest"
)

// TestScripts runs the program as its users do. Beside testscript's own commands the scripts have those of commands().
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:      "testdata/script",
		Cmds:     commands(),
		Deadline: time.Now().Add(2 * time.Minute),

		UpdateScripts: flag.Lookup("update").Value.String() == "true",
		Setup: func(e *testscript.Env) error {
			e.Values[worldKey{}] = &world{agents: map[string]*child{}}
			e.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector lets each process wait for a second at its end
			return nil
		},
	})
}

func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"broker":        cmdBroker,
		"topic":         cmdTopic,
		"untopic":       cmdUntopic,
		"produce":       cmdProduce,
		"produce-lines": cmdProduceLines,
		"trim":          cmdTrim,
		"blackhole":     cmdBlackhole,
		"expand":        cmdExpand,
		"agent":         cmdAgent,
		"await":         cmdAwait,
		"await-log":     cmdAwaitLog,
		"signal":        cmdSignal,
		"ended":         cmdEnded,
		"code":          cmdCode,
	}
}

type worldKey struct{}

// world is what one script has running.
type world struct {
	broker *brokertest.Broker
	agents map[string]*child
}

// child is an agent of a script. What it prints goes to <name>.log in the script's directory.
type child struct {
	cmd *exec.Cmd
	log string
	end chan error
}

func worldOf(ts *testscript.TestScript) *world {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok {
		ts.Fatalf("the script has no world")
	}
	return w
}

func number(ts *testscript.TestScript, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	ts.Check(err)
	return n
}

// usage ends the script when a command has not n arguments.
func usage(ts *testscript.TestScript, neg bool, args []string, n int, words string) {
	if neg || len(args) != n {
		ts.Fatalf("usage: %s", words)
	}
}

// broker [USER PASSWORD] starts an embedded broker, with SCRAM-SHA-512 for that user; $BROKER is its address.
func cmdBroker(ts *testscript.TestScript, neg bool, args []string) {
	o := brokertest.Options{ClusterID: "test-cluster"}
	if len(args) > 0 {
		usage(ts, neg, args, 2, "broker [USER PASSWORD]")
		o.Users = []brokertest.User{{Mechanism: "SCRAM-SHA-512", Name: args[0], Password: args[1]}}
	}
	b, err := brokertest.Start(o)
	ts.Check(err)
	ts.Defer(b.Close)
	worldOf(ts).broker = b
	ts.Setenv("BROKER", b.Addrs()[0])
}

func cmdTopic(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "topic NAME PARTITIONS")
	ts.Check(worldOf(ts).broker.CreateTopic(args[0], int32(number(ts, args[1])), nil))
}

func cmdUntopic(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, "untopic NAME")
	ts.Check(worldOf(ts).broker.DeleteTopic(args[0]))
}

// produce TOPIC PARTITION N writes N events, whose bodies are "PARTITION-OFFSET".
func cmdProduce(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 3, "produce TOPIC PARTITION N")
	b, partition := worldOf(ts).broker, int32(number(ts, args[1]))
	first := b.End(args[0], partition)
	var events []brokertest.Event
	for i := range number(ts, args[2]) {
		events = append(events, brokertest.Event{Topic: args[0], Partition: partition, Body: fmt.Appendf(nil, "%d-%d", partition, first+i)})
	}
	ts.Check(b.Produce(context.Background(), events...))
}

// produce-lines TOPIC PARTITION FILE writes an event for each line of a file.
func cmdProduceLines(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 3, "produce-lines TOPIC PARTITION FILE")
	var events []brokertest.Event
	for line := range strings.Lines(ts.ReadFile(args[2])) {
		events = append(events, brokertest.Event{Topic: args[0], Partition: int32(number(ts, args[1])), Body: []byte(strings.TrimSuffix(line, "\n"))})
	}
	ts.Check(worldOf(ts).broker.Produce(context.Background(), events...))
}

func cmdTrim(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 3, "trim TOPIC PARTITION FIRST")
	ts.Check(worldOf(ts).broker.DeleteRecords(args[0], int32(number(ts, args[1])), number(ts, args[2])))
}

// blackhole listens, accepts and never answers; $HOLE is its address.
func cmdBlackhole(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 0, "blackhole")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	ts.Setenv("HOLE", l.Addr().String())
}

// expand FILE... replaces the environment's variables in files.
func cmdExpand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: expand FILE...")
	}
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(os.Expand(ts.ReadFile(name), ts.Getenv)), 0o600))
	}
}

// agent NAME ARGS... is `penstock run ARGS` in the background; with a word instead of the first flag it is that command.
func cmdAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: agent NAME ARGS...")
	}
	name, args := args[0], args[1:]
	if strings.HasPrefix(args[0], "-") {
		args = append([]string{"run"}, args...)
	}
	log, err := os.Create(ts.MkAbs(name + ".log"))
	ts.Check(err)
	defer log.Close()
	self := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) { // where testscript has put this program
		if _, err := os.Stat(filepath.Join(dir, "penstock")); err == nil && self == "" {
			self = filepath.Join(dir, "penstock")
		}
	}
	cmd := exec.Command(self, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), log, log
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "PASSWORD="+ts.Getenv("PASSWORD"), "GORACE="+ts.Getenv("GORACE"))
	ts.Check(cmd.Start())
	c := &child{cmd: cmd, log: log.Name(), end: make(chan error, 1)}
	go func() { c.end <- cmd.Wait() }()
	ts.Defer(func() {
		if cmd.Process.Kill() == nil {
			<-c.end
		}
		if text, err := os.ReadFile(c.log); err == nil && worldOf(ts).agents[name] == c { // not one that has followed it
			ts.Logf("[log of agent %s]\n%s", name, text)
		}
	})
	worldOf(ts).agents[name] = c
}

func agentOf(ts *testscript.TestScript, name string) *child {
	c, ok := worldOf(ts).agents[name]
	if !ok {
		ts.Fatalf("there is no agent %q", name)
	}
	return c
}

// await NAME PATH REGEXP asks an agent's admin listener until the page matches.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 3, "await NAME PATH REGEXP")
	c, want, address := agentOf(ts, args[0]), regexp.MustCompile("(?m)"+args[2]), regexp.MustCompile(`"admin listens","address":"([^"]+)"`)
	poll(ts, c, func() (string, bool) {
		log, err := os.ReadFile(c.log)
		ts.Check(err)
		at := address.FindSubmatch(log)
		if at == nil {
			return "it does not listen yet", false
		}
		resp, err := http.Get("http://" + string(at[1]) + args[1])
		if err != nil {
			return err.Error(), false
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		return string(page), err == nil && want.Match(page)
	})
}

// await-log NAME REGEXP waits until an agent's log matches.
func cmdAwaitLog(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "await-log NAME REGEXP")
	c, want := agentOf(ts, args[0]), regexp.MustCompile("(?m)"+args[1])
	poll(ts, c, func() (string, bool) {
		log, err := os.ReadFile(c.log)
		ts.Check(err)
		return "", want.Match(log)
	})
}

// poll looks until it sees what is wanted, the agent ends or half a minute is over.
func poll(ts *testscript.TestScript, c *child, look func() (last string, ok bool)) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		last, ok := look()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("waited in vain; last seen:\n%s", last)
		case err := <-c.end:
			c.end <- err
			if last, ok = look(); !ok {
				ts.Fatalf("the agent has ended (%v); last seen:\n%s", err, last)
			}
			return
		case <-tick.C:
		}
	}
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "signal NAME SIGNAL")
	s, ok := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP}[args[1]]
	if !ok {
		ts.Fatalf("no signal %q", args[1])
	}
	ts.Check(agentOf(ts, args[0]).cmd.Process.Signal(s))
}

// ended NAME CODE waits for an agent's end and checks its exit code; -1: killed.
func cmdEnded(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "ended NAME CODE")
	c := agentOf(ts, args[0])
	err := <-c.end
	c.end <- err
	if got := c.cmd.ProcessState.ExitCode(); int64(got) != number(ts, args[1]) {
		ts.Fatalf("the agent ended with %d (%v), want %s", got, err, args[1])
	}
}

// code N COMMAND... runs a command and checks its exit code.
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	got := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if int64(got) != number(ts, args[0]) {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
