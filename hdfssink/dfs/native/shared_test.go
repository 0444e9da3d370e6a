package native

import (
	"errors"
	"strings"
	"testing"
	"time"

	hdfs "github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// A DataNode that does not answer is left out of the next blocks, for a while.
func TestDeadDataNodeIsAvoided(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		excluded := 0 // in the last addBlock
		h.before = func(method string, body []byte) verdict {
			if method == "addBlock" {
				excluded = 0
				_ = fields(body, func(f field) bool {
					if f.num == 4 {
						if nodeAddress(f.bytes, false) != "dn:9866" {
							t.Error("excluded something else")
						}
						excluded++
					}
					return true
				})
			}
			return verdict{}
		}
		dead := errors.New("connection refused")
		h.refuse = func(addr string) error {
			if addr == "dn:9866" {
				return dead
			}
			return nil
		}
		write := func() error {
			w := mustCreate(t, f, "/"+time.Now().Format("150405.000"))
			_, err := w.Write(make([]byte, 64<<10))
			if err == nil {
				err = w.Close(t.Context())
			}
			w.Abort()
			return err
		}
		if err := write(); !errors.Is(err, dfs.ErrUnavailable) || !errors.Is(err, dead) || excluded != 0 {
			t.Errorf("%v, %d excluded", err, excluded)
		}
		h.refuse = nil
		<-time.After(time.Second) // of the bubble
		if err := write(); err != nil || excluded != 1 {
			t.Errorf("the next file: %v, %d excluded, want 1", err, excluded)
		}
		<-time.After(avoidFor)
		if err := write(); err != nil || excluded != 0 {
			t.Errorf("later: %v, %d excluded, want 0", err, excluded)
		}
	})
}

// Three calls to the NameNode for a file of one block; what the library asks beside them is known.
func TestCallsForAFile(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		for _, name := range []string{"/a", "/b", "/c"} {
			w := mustCreate(t, f, name)
			if _, err := writeUntil(w, 1<<20); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		got := strings.Join(h.calls, " ")
		const want = "create addBlock getServerDefaults complete create addBlock complete create addBlock complete"
		if got != want {
			t.Errorf("calls:\n%s, want\n%s", got, want)
		}
	})
}

// A NameNode that has not heard yet of the replicas of a block is asked again for the next one, and not for ever.
func TestNotReplicatedYet(t *testing.T) {
	for _, c := range []struct {
		refusals int
		fine     bool
	}{{3, true}, {5, true}, {6, false}} {
		bubble(t, func(t *testing.T, h *fakeHDFS) {
			left := c.refusals
			h.before = func(method string, _ []byte) verdict {
				if method == "addBlock" && left > 0 {
					left--
					return verdict{class: "org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException", words: "Not replicated yet: /a", skip: true}
				}
				return verdict{}
			}
			f := h.open(t, nil)
			f.locate = 10 * time.Millisecond
			w := mustCreate(t, f, "/a")
			_, err := writeUntil(w, 1<<20)
			if err == nil {
				err = w.Close(t.Context())
			}
			w.Abort()
			if c.fine && err != nil || !c.fine && (!errors.Is(err, dfs.ErrUnavailable) || !strings.Contains(err.Error(), "Not replicated yet")) {
				t.Errorf("after %d refusals: %v", c.refusals, err)
			}
			if asked := h.seen("addBlock"); asked != min(c.refusals+1, 6) {
				t.Errorf("after %d refusals it was asked %d times", c.refusals, asked)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	flags := func(n uint32) *uint32 { return &n }
	for _, tc := range []struct {
		s    *hdfs.FileStatus
		says string
	}{
		{&hdfs.FileStatus{}, ""},
		{&hdfs.FileStatus{StoragePolicy: flags(policyHot)}, ""},
		{&hdfs.FileStatus{StoragePolicy: flags(2)}, "COLD"},
		{&hdfs.FileStatus{StoragePolicy: flags(99)}, "number 99"},
		{&hdfs.FileStatus{Flags: flags(flagCrypt)}, "encryption zone"},
		{&hdfs.FileStatus{Flags: flags(flagEC)}, "erasure-coded"},
	} {
		err := target("/data/x", "/data", tc.s)
		if tc.says == "" && err != nil || tc.says != "" && (!errors.Is(err, dfs.ErrRefused) || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%v, want %q in it", err, tc.says)
		}
	}
}

// The parsers read what a stranger sends.
func FuzzReply(f *testing.F) {
	f.Add(reply{callID: 7, status: 1, class: "x", words: "y"}.packet(7)[4:])
	f.Add(appendDelimited(appendDelimited(nil, appendVarint(nil, 1, 1)), appendBytes(nil, 1, locatedBlock())))
	f.Add(saslMessage{state: saslNegotiate, auths: []saslAuth{{method: "KERBEROS"}}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReply(b)
		if err == nil {
			again, err := parseReply(r.packet(r.callID)[4:])
			if err != nil || again.callID != r.callID || again.status != r.status || again.class != r.class && r.status != 0 {
				t.Errorf("%+v became %+v, %v", r, again, err)
			}
			pipeline(r.rest, true)
			_, _ = parseSASL(r.rest)
		}
		echoBlock(b)
		_ = refuseToReplace(append([]byte(nil), b...))
		_, _ = parseRequest(b)
	})
}
