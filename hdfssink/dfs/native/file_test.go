package native

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// Every test here also shows that no goroutine and no connection stays behind: a synctest bubble does not end before its goroutines.

// writeUntil writes until an error comes, at most total bytes.
func writeUntil(w io.Writer, total int) (written int, err error) {
	chunk := bytes.Repeat([]byte{7}, 256<<10)
	for written < total {
		n, err := w.Write(chunk)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func TestWriteAndClose(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		w, err := f.Create(t.Context(), "/a", dfs.CreateOptions{BlockSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := writeUntil(w, 3<<20); err != nil || n != 3<<20 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		h.completed = 3 // the NameNode has not heard of the replicas yet
		if err := w.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
		if n := h.seen("addBlock"); n != 3 {
			t.Errorf("%d blocks", n)
		}
		if n := h.seen("complete"); n != 4 {
			t.Errorf("complete was sent %d times, want 4", n)
		}
		if err := w.Close(t.Context()); err == nil {
			t.Error("a second Close is a success")
		}
		w.Abort()
	})
}

func TestCloseEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		w := mustCreate(t, f, "/a")
		h.completed = 1 << 30
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := w.Close(ctx); !errors.Is(err, dfs.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
	})
}

// Nothing but nil proves anything, and complete is not sent twice, when its answer is lost.
func TestLostComplete(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		w := mustCreate(t, f, "/a")
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		h.before = func(method string, _ []byte) verdict { return verdict{hangUp: method == "complete"} }
		if err := w.Close(t.Context()); !errors.Is(err, dfs.ErrNoAnswer) {
			t.Errorf("close: %v", err)
		}
		if n := h.seen("complete"); n != 1 {
			t.Errorf("complete was sent %d times", n)
		}
	})
}

// An aborted file is never completed, whatever state it is in.
func TestAbort(t *testing.T) {
	for _, size := range []int{0, 10, 64 << 10, 1 << 20, 3 << 20} {
		bubble(t, func(t *testing.T, h *fakeHDFS) {
			f := h.open(t, nil)
			w, err := f.Create(t.Context(), "/a", dfs.CreateOptions{BlockSize: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			w.Abort()
			w.Abort()
			if err := w.Close(t.Context()); err == nil {
				t.Error("Close after Abort is a success")
			}
			if n := h.seen("complete"); n != 0 {
				t.Errorf("%d bytes: complete was sent", size)
			}
		})
	}
}

// What goes wrong with a DataNode shows at a Write soon after, or at Close, and the next file works.
func TestDataNodeFailures(t *testing.T) {
	for _, tc := range []struct {
		what  string
		serve func(h *fakeHDFS, c net.Conn)
		most  int // bytes after which Write has told
	}{
		{"closes at once", func(*fakeHDFS, net.Conn) {}, 64 << 10},
		{"closes after the header", func(_ *fakeHDFS, c net.Conn) { _ = accept(c) }, 1 << 20},
		{"closes in the block", func(_ *fakeHDFS, c net.Conn) { _ = acknowledgeN(c, 1) }, 2 << 20},
		{"never answers", func(_ *fakeHDFS, c net.Conn) { _, _ = io.Copy(io.Discard, c) }, 64 << 10},
		{"never acknowledges", func(_ *fakeHDFS, c net.Conn) { _ = accept(c); _, _ = io.Copy(io.Discard, c) }, 1 << 20},
		{"reads nothing", func(h *fakeHDFS, c net.Conn) { _ = accept(c); <-h.stop }, 1 << 20},
		{"acknowledges with ERROR", func(_ *fakeHDFS, c net.Conn) {
			_ = accept(c)
			_, _, _ = packet(c)
			_, _ = c.Write(ack(1, 1))
			_, _ = io.Copy(io.Discard, c)
		}, 8 << 20},
		{"acknowledges something else", func(_ *fakeHDFS, c net.Conn) {
			_ = accept(c)
			_, _, _ = packet(c)
			_, _ = c.Write(ack(99, 0))
			_, _ = io.Copy(io.Discard, c)
		}, 8 << 20},
		{"refuses", func(_ *fakeHDFS, c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(appendDelimited(nil, appendBytes(appendVarint(nil, 1, 5), 4, "access token")))
			_, _ = io.Copy(io.Discard, c)
		}, 64 << 10},
		{"sends garbage", func(_ *fakeHDFS, c net.Conn) {
			_ = accept(c)
			go func() { _, _ = io.Copy(io.Discard, c) }()
			_, _ = c.Write(bytes.Repeat([]byte{0xff}, 1000))
			_, _ = c.Read(make([]byte, 1))
		}, 8 << 20},
	} {
		for _, small := range []bool{false, true} {
			t.Run(tc.what, func(t *testing.T) {
				bubble(t, func(t *testing.T, h *fakeHDFS) {
					h.data = func(c net.Conn) { tc.serve(h, c) }
					f := h.open(t, nil)
					w := mustCreate(t, f, "/a")
					var err error
					if small {
						if _, err = w.Write([]byte("small")); err == nil {
							err = w.Close(t.Context())
						}
					} else {
						_, err = writeUntil(w, tc.most+1)
					}
					if !errors.Is(err, dfs.ErrUnavailable) {
						t.Errorf("got %v, want ErrUnavailable", err)
					}
					if err := w.Close(t.Context()); err == nil {
						t.Error("Close is a success")
					}
					if n := h.seen("complete"); n != 0 {
						t.Error("complete was sent")
					}
					h.data = nil
					w = mustCreate(t, f, "/b")
					if _, err := writeUntil(w, 1<<20); err != nil {
						t.Errorf("the next file: %v", err)
					}
					if err := w.Close(t.Context()); err != nil {
						t.Errorf("the next file: %v", err)
					}
				})
			})
		}
	}
}

// One DataNode that swallows everything holds up its own file only.
func TestSilentDataNodeStallsNobody(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		h.data = func(c net.Conn) { _ = accept(c); _, _ = io.Copy(io.Discard, c) }
		bad := mustCreate(t, f, "/bad")
		failed := make(chan error)
		go func() { _, err := writeUntil(bad, 1<<30); failed <- err }()
		synctest.Wait()
		h.data = nil
		began := time.Now()
		for _, name := range []string{"/g1", "/g2", "/g3"} {
			w := mustCreate(t, f, name)
			if _, err := writeUntil(w, 1<<20); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the others waited %s", took)
		}
		if err := <-failed; !errors.Is(err, dfs.ErrUnavailable) {
			t.Errorf("the bad one: %v", err)
		}
	})
}

// A NameNode that is away for a while does not cost an open file its life. (Not in a bubble: its clock stands still while the
// library's lease renewal waits for a lock.)
func TestOpenFileSurvivesNameNodeRestart(t *testing.T) {
	h := newFake()
	f := h.open(t, nil)
	w := mustCreate(t, f, "/a")
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	refused := 0
	h.mu.Lock()
	h.refuse = func(addr string) error {
		if addr != "dn:9866" && refused < 2 {
			refused++
			return errors.New("connection refused")
		}
		return nil
	}
	h.mu.Unlock()
	c, err := f.muxes[0].current()
	if err != nil {
		t.Fatal(err)
	}
	c.fail(io.EOF)
	if err := w.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	if refused != 2 {
		t.Errorf("the NameNode was away for %d attempts, want 2", refused)
	}
}

// The library asks for a renewal every second; the NameNode sees one in 30.
func TestLeaseRenewals(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		w := mustCreate(t, f, "/a")
		<-time.After(5 * time.Minute) // of the bubble
		if n := h.seen("renewLease"); n < 9 || n > 10 {
			t.Errorf("%d renewals in 5 minutes, want about 10", n)
		}
		w.Abort()
		synctest.Wait() // one may be on its way
		before := h.seen("renewLease")
		<-time.After(5 * time.Minute)
		if n := h.seen("renewLease"); n != before {
			t.Error("an aborted file's lease is renewed")
		}
	})
}

// A file that is open for long does not lose its lease because the connection was cut, as a NameNode does to those that are idle, and
// nobody had anything else to ask since.
func TestLeaseRenewalsSurviveTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		w := mustCreate(t, f, "/a")
		c, err := f.muxes[0].current()
		if err != nil {
			t.Fatal(err)
		}
		c.fail(io.EOF)
		<-time.After(5 * time.Minute) // of the bubble
		if n := h.seen("renewLease"); n < 8 {
			t.Errorf("%d renewals in 5 minutes, want about 10", n)
		}
		if h.dials != 2 {
			t.Errorf("%d connections were made, want 2", h.dials)
		}
		w.Abort()
	})
}

// While the NameNode is away, renewals of many files do not storm it.
func TestLeaseRenewalsDialSeldom(t *testing.T) {
	bubble(t, func(t *testing.T, h *fakeHDFS) {
		f := h.open(t, nil)
		for _, name := range []string{"/a", "/b", "/c", "/d", "/e"} {
			mustCreate(t, f, name)
		}
		c, err := f.muxes[0].current()
		if err != nil {
			t.Fatal(err)
		}
		h.refuse = func(string) error { return errors.New("connection refused") }
		before := h.dials
		c.fail(io.EOF)
		<-time.After(5 * time.Minute) // of the bubble
		h.mu.Lock()
		defer h.mu.Unlock()
		if n := h.dials - before; n < 10 || n > 61 {
			t.Errorf("%d dials in 5 minutes, want one in 5 s", n)
		}
	})
}
