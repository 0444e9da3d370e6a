package native

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/kerberos"
)

// bubble runs a test against a fake HDFS in a synctest bubble.
func bubble(t *testing.T, run func(t *testing.T, h *fakeHDFS)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, newFake()) })
}

func mustCreate(t *testing.T, f *FS, name string) dfs.File {
	t.Helper()
	w, err := f.Create(t.Context(), name, dfs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Abort)
	return w
}

func TestRenameNeverReplaces(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		mustCreate(t, f, "/a").Abort()
		if err := f.Rename(t.Context(), "/a", "/b"); err != nil {
			t.Fatal(err)
		}
		if n := h.seen("getFileInfo"); n != 0 {
			t.Errorf("the library looked at the target %d times", n)
		}
		flags := 0
		for _, body := range h.renames {
			if err := fields(body, func(f field) bool {
				if f.num == 3 {
					flags++
					if f.value != 0 {
						t.Error("overwriteDest is set")
					}
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
		}
		if flags != 1 {
			t.Errorf("overwriteDest was sent %d times, want once", flags)
		}
	})
}

func TestUnknownRenameIsNotSent(t *testing.T) {
	for what, body := range map[string][]byte{
		"no flag":       appendBytes(appendBytes(nil, 1, "/a"), 2, "/b"),
		"two flags":     appendVarint(appendVarint(appendBytes(nil, 2, "/b"), 3, 1), 3, 1),
		"flag as bytes": appendBytes(appendBytes(nil, 2, "/b"), 3, "1"),
		"wide flag":     append(appendBytes(nil, 2, "/b"), 3<<3, 0x81, 0x00), // 1 in two bytes
		"cut":           appendBytes(nil, 2, "/b")[:3],
	} {
		if err := refuseToReplace(body); err == nil {
			t.Errorf("%s: would have been sent", what)
		}
	}
}

// Whatever happens to the answer of a rename, it is sent once and its outcome is called unknown.
func TestLostAnswers(t *testing.T) {
	for _, tc := range []struct {
		what string
		v    verdict
	}{
		{"carried out, connection closed", verdict{hangUp: true}},
		{"not carried out, connection closed", verdict{hangUp: true, skip: true}},
		{"carried out, silence", verdict{silent: true}},
		{"not carried out, silence", verdict{silent: true, skip: true}},
		{"garbage", verdict{raw: []byte("\x00\x00\x00\x08garbage!")}},
		{"empty packet", verdict{raw: []byte{0, 0, 0, 0}}},
		{"2 GiB announced", verdict{raw: binary.BigEndian.AppendUint32(nil, 1<<31)}},
		{"100 MiB announced, nothing sent", verdict{raw: binary.BigEndian.AppendUint32(nil, 100<<20)}},
		{"answer to another call", verdict{callID: 77}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *fakeHDFS) {
				f := h.open(t, func(o *Options) { o.Patience = 10 * time.Second })
				mustCreate(t, f, "/a").Abort()
				h.before = func(method string, _ []byte) verdict {
					if method == "rename2" {
						return tc.v
					}
					return verdict{}
				}
				if err := f.Rename(t.Context(), "/a", "/b"); !errors.Is(err, dfs.ErrNoAnswer) {
					t.Errorf("rename: %v, want ErrNoAnswer", err)
				}
				if n := h.seen("rename2"); n != 1 {
					t.Errorf("rename2 was sent %d times", n)
				}
				_, err := f.Stat(t.Context(), "/b") // looking works at once, on a new connection if need be
				if want := tc.v.skip; errors.Is(err, fs.ErrNotExist) != want {
					t.Errorf("afterwards stat says %v", err)
				}
			})
		})
	}
}

func TestReadsAreTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, func(o *Options) { o.Patience = 10 * time.Second })
		bad := 3
		h.before = func(string, []byte) verdict {
			bad--
			return verdict{hangUp: bad >= 0}
		}
		if _, err := f.Stat(t.Context(), "/"); err != nil {
			t.Error(err)
		}
	})
}

// A NameNode that cannot be reached is waited for, and a call that was never sent is not "no answer".
func TestUnreachableNameNode(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, func(o *Options) { o.Patience = 20 * time.Second })
		began := time.Now()
		down := errors.New("connection refused")
		h.refuse = func(string) error {
			if time.Since(began) < 7*time.Second {
				return down
			}
			return nil
		}
		if err := f.MkdirAll(t.Context(), "/d", 0); err != nil {
			t.Errorf("it came back within the patience: %v", err)
		}
		for _, m := range f.muxes {
			if c, _ := m.current(); c != nil {
				c.fail(errors.New("cut"))
			}
		}
		h.refuse = func(string) error { return down }
		err := f.Rename(t.Context(), "/d", "/e")
		if !errors.Is(err, dfs.ErrUnavailable) || errors.Is(err, dfs.ErrNoAnswer) || !errors.Is(err, down) {
			t.Errorf("rename: %v", err)
		}
	})
}

func TestContextEndsCalls(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, func(o *Options) { o.RPCTimeout = 900 * time.Millisecond })
		mustCreate(t, f, "/a").Abort()
		h.before = func(string, []byte) verdict { return verdict{silent: true} }
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := f.Rename(ctx, "/a", "/b")
		if !errors.Is(err, dfs.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("rename: %v", err)
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("it took %s of the bubble's time", took)
		}
		if _, err := f.Stat(ctx, "/a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stat: %v", err)
		}
	})
}

// A call that hangs holds up nobody else, and does not cost the others their connection.
func TestHungCallStallsNobody(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		mustCreate(t, f, "/a").Abort()
		h.before = func(method string, _ []byte) verdict { return verdict{silent: method == "rename2"} }
		hung := make(chan error)
		go func() { hung <- f.Rename(t.Context(), "/a", "/b") }()
		synctest.Wait()
		began := time.Now()
		for range 100 {
			if _, err := f.Stat(t.Context(), "/"); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(began) != 0 {
			t.Error("the others waited")
		}
		<-time.After(400 * time.Millisecond) // of the bubble
		if _, err := f.Stat(t.Context(), "/"); err != nil {
			t.Fatal(err)
		}
		if err := <-hung; !errors.Is(err, dfs.ErrNoAnswer) {
			t.Errorf("the hung call: %v", err)
		}
		if _, err := f.Stat(t.Context(), "/"); err != nil {
			t.Error(err)
		}
		if h.dials != 1 {
			t.Errorf("%d connections were made", h.dials)
		}
	})
}

func TestExceptions(t *testing.T) {
	const hadoop = "org.apache.hadoop."
	for _, tc := range []struct {
		class, words string
		want         error
		says         string
	}{
		{"java.io.FileNotFoundException", "Parent directory doesn't exist: /x", fs.ErrNotExist, "Parent directory"},
		{hadoop + "fs.FileAlreadyExistsException", "rename destination /b already exists", fs.ErrExist, "/b already"},
		{hadoop + "hdfs.protocol.AlreadyBeingCreatedException", "x", fs.ErrExist, ""},
		{hadoop + "security.AccessControlException", "Permission denied: user=ingest, access=WRITE\n\tat org.apache", fs.ErrPermission, "ingest: give it the right"},
		{hadoop + "security.AccessControlException", "/a (is not a directory)", dfs.ErrRefused, ""},
		{hadoop + "hdfs.protocol.NSQuotaExceededException", "The NameSpace quota of /q is exceeded", dfs.ErrQuota, "-setQuota"},
		{hadoop + "hdfs.protocol.DSQuotaExceededException", "The DiskSpace quota of /q is exceeded", dfs.ErrQuota, "/q"},
		{hadoop + "hdfs.server.namenode.SafeModeException", "Name node is in safe mode.", dfs.ErrUnavailable, "safemode get"},
		{hadoop + "ipc.StandbyException", "Operation category WRITE is not supported in state standby", dfs.ErrUnavailable, "standby"},
		{hadoop + "ipc.RetriableException", "x", dfs.ErrUnavailable, ""},
		{hadoop + "fs.ParentNotDirectoryException", "/f is not a directory", dfs.ErrRefused, ""},
		{hadoop + "fs.InvalidPathException", "Invalid path name", dfs.ErrInvalidName, ""},
		{hadoop + "hdfs.protocol.FSLimitException$PathComponentTooLongException", "x", dfs.ErrInvalidName, ""},
		{hadoop + "hdfs.UnknownCryptoProtocolVersionException", "Client provided: []", dfs.ErrRefused, "encryption zone"},
		{"java.io.IOException", "File /a could only be written to 0 of the 1 minReplication nodes.", dfs.ErrUnavailable, "dfsadmin -report"},
		{"java.io.IOException", "something else", dfs.ErrRefused, "something else"},
		{"com.example.Odd", "never heard of", dfs.ErrRefused, "Odd: never heard of"},
		{"", "no class", dfs.ErrRefused, "no class"},
	} {
		bubble(t, func(t *testing.T, h *fakeHDFS) {
			f := h.open(t, nil)
			class := tc.class
			if class == "" {
				class = "X"
			}
			h.before = func(string, []byte) verdict { return verdict{class: class, words: tc.words} }
			err := f.Rename(t.Context(), "/a", "/b")
			if !errors.Is(err, tc.want) || errors.Is(err, dfs.ErrNoAnswer) {
				t.Errorf("%s: %s: got %v, want %v", tc.class, tc.words, err, tc.want)
			} else if !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: the message is %q, want %q in it and one line", tc.class, err, tc.says)
			}
		})
	}
}

// A server that ends the connection with a reason has not carried anything out.
func TestFatalAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		h.before = func(string, []byte) verdict {
			return verdict{class: "org.apache.hadoop.security.AccessControlException", words: "SIMPLE authentication is not enabled.", fatal: true, skip: true, callID: -1}
		}
		if err := f.MkdirAll(t.Context(), "/d", 0); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "SIMPLE") {
			t.Errorf("mkdir: %v", err)
		}
	})
}

// One that comes later says so of the call that it names, and of nothing else that is on its way.
func TestFatalAnswerLeavesOthersUnknown(t *testing.T) {
	for _, tc := range []struct {
		what   string
		callID int32 // 0: that of the mkdirs
		want   error
	}{
		{"names the call", 0, fs.ErrPermission},
		{"names no call", -1, dfs.ErrNoAnswer},
	} {
		t.Run(tc.what, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *fakeHDFS) {
				f := h.open(t, nil)
				mustCreate(t, f, "/a").Abort()
				h.before = func(method string, _ []byte) verdict {
					switch method {
					case "rename2":
						return verdict{silent: true} // carried out; its answer is still to come
					case "mkdirs":
						return verdict{class: "org.apache.hadoop.security.AccessControlException", words: "x", fatal: true, callID: tc.callID}
					}
					return verdict{}
				}
				renamed := make(chan error)
				go func() { renamed <- f.Rename(t.Context(), "/a", "/b") }()
				synctest.Wait()
				if err := f.MkdirAll(t.Context(), "/d", 0); !errors.Is(err, tc.want) {
					t.Errorf("mkdir: %v, want %v", err, tc.want)
				}
				if err := <-renamed; !errors.Is(err, dfs.ErrNoAnswer) {
					t.Errorf("rename: %v, want ErrNoAnswer", err)
				}
			})
		})
	}
}

// plainLayer is a security layer that adds nothing.
type plainLayer struct{}

func (plainLayer) Wrap(p []byte) ([]byte, error)   { return p, nil }
func (plainLayer) Unwrap(p []byte) ([]byte, error) { return p, nil }
func (plainLayer) QOP() kerberos.QOP               { return kerberos.QOPIntegrity }

// Where protection was agreed on, an exception that comes without it may be anybody's: it is no refusal.
func TestUnprotectedAnswers(t *testing.T) {
	inner := reply{callID: 7, status: 1, class: "java.io.FileNotFoundException", words: "x"}.packet(7)
	wrapped := saslMessage{state: saslWrap, token: inner}.encode()
	for _, tc := range []struct {
		what   string
		packet []byte
		ok     bool
	}{
		{"protected", reply{rest: appendDelimited(nil, wrapped)}.packet(callSASL), true},
		{"success in clear", reply{rest: []byte{0}}.packet(7), false},
		{"exception in clear", inner, false},
		{"fatal exception in clear", reply{status: statusFatal, class: "x"}.packet(-1), false},
		{"exception of the SASL layer", reply{status: 1, class: "x"}.packet(callSASL), false},
	} {
		c := &nnConn{raw: &packetConn{Reader: bytes.NewReader(tc.packet)}, layer: plainLayer{}}
		r, err := c.readReply()
		if (err == nil) != tc.ok || tc.ok && (r.callID != 7 || r.class != "java.io.FileNotFoundException") {
			t.Errorf("%s: %+v, %v", tc.what, r, err)
		}
	}
}

// packetConn is a connection on which something was received.
type packetConn struct {
	net.Conn
	io.Reader
}

func (c *packetConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

// Of two NameNodes the active one is found, and asked first from then on.
func TestStandby(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		standby := newFake()
		standby.before = func(string, []byte) verdict {
			return verdict{class: classStandby, words: "standby"}
		}
		f := h.open(t, func(o *Options) {
			o.NameNodes = []string{"nn1:8020", "nn2:8020"}
			dial := o.Dial
			o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == "nn1:8020" {
					return standby.dial(ctx, network, addr)
				}
				return dial(ctx, network, addr)
			}
		})
		t.Cleanup(func() {
			for _, c := range standby.conns {
				_ = c.Close()
			}
		})
		for range 5 {
			if err := f.MkdirAll(t.Context(), "/d", 0); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(standby.calls); n != 1 {
			t.Errorf("the standby was asked %d times", n)
		}
	})
}
