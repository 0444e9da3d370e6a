package kerberos

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
)

const (
	// kdcTimeout is how long one KDC may take, so that the next is asked within five seconds.
	kdcTimeout = 4500 * time.Millisecond
	// maxKDCReply is far above any reply: tickets with large group lists have some ten thousand bytes.
	maxKDCReply = 1 << 20
)

// kdcs sends requests to the KDCs of realms, by TCP only:
//
//	+----------------+----------------------+
//	| length, uint32 | message, DER         |   one in each direction, then the connection is closed
//	+----------------+----------------------+
type kdcs struct {
	conf   *krb5Config
	dialer net.Dialer
	fresh  time.Duration // how long a service ticket is used without asking for another

	mu   sync.Mutex
	good map[string]string // realm to the address that answered last, which is asked first
}

// answer is what a KDC said.
type answer struct {
	data []byte
	from string
	err  *messages.KRBError // the message, if it is an error
}

// ask sends a request to the realm's KDCs in turn until one answers. A KDC that says it is out of service
// counts as none. The error wraps ErrKDCUnreachable or ErrBadConfig, or is ctx's.
func (k *kdcs) ask(ctx context.Context, realm string, request []byte) (answer, error) {
	addrs, err := k.conf.addresses(ctx, realm)
	if err != nil {
		return answer{}, contextFirst(ctx, "the DNS", err)
	}
	var failed []error
	for i, addr := range k.lastGoodFirst(realm, addrs) {
		a := answer{from: addr}
		a.data, err = k.roundTrip(ctx, share(ctx, len(addrs)-i), addr, request)
		if ctx.Err() != nil {
			return answer{}, contextFirst(ctx, "KDC "+addr, err)
		}
		if err == nil {
			a.err, err = krbError(a.data)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", addr, err))
			continue
		}
		k.mu.Lock()
		if k.good == nil {
			k.good = map[string]string{}
		}
		k.good[realm] = addr
		k.mu.Unlock()
		return a, nil
	}
	return answer{}, fmt.Errorf("%w: no KDC of realm %s answered: %w; check that krb5kdc runs there and that this host may connect to it by TCP (it is tried again)",
		ErrKDCUnreachable, realm, errors.Join(failed...))
}

// contextFirst is the context's error where there is one: whatever else failed, failed because of it. That
// the time was too short is the KDC's fault; that the caller stopped is nobody's.
func contextFirst(ctx context.Context, waited string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: %s did not answer in the time that was left: %w", ErrKDCUnreachable, waited, context.Cause(ctx))
	case ctx.Err() != nil:
		return fmt.Errorf("waiting for %s: %w", waited, context.Cause(ctx))
	}
	return err
}

func (k *kdcs) lastGoodFirst(realm string, addrs []string) []string {
	k.mu.Lock()
	good := k.good[realm]
	k.mu.Unlock()
	if i := slices.Index(addrs, good); i > 0 {
		addrs = append([]string{good}, slices.Delete(slices.Clone(addrs), i, i+1)...)
	}
	return addrs
}

// share is how long one of the n KDCs that are left may take, so that a caller with little time gets to
// the last of them.
func share(ctx context.Context, n int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return kdcTimeout
	}
	return min(kdcTimeout, time.Until(deadline)/time.Duration(n))
}

func (k *kdcs) roundTrip(ctx context.Context, limit time.Duration, addr string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := k.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	framed := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(request)), uint32(len(request)))
	if _, err := conn.Write(append(framed, request...)); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	reply, err := readReply(conn)
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	return reply, nil
}

// readReply grows with what arrives, not with the length that is declared.
func readReply(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxKDCReply {
		return nil, fmt.Errorf("a reply of %d bytes is announced: this is no KDC", size)
	}
	var buf bytes.Buffer
	if n, err := io.CopyN(&buf, r, int64(size)); err != nil {
		return nil, fmt.Errorf("%d of %d bytes came: %w", n, size, err)
	}
	return buf.Bytes(), nil
}

// krbError recognises a KRB-ERROR by its tag, 0x7e. An answer of another kind gives nil, and a KDC that is
// out of service an error.
func krbError(data []byte) (*messages.KRBError, error) {
	if len(data) == 0 || data[0] != 0x7e {
		return nil, nil
	}
	var e messages.KRBError
	if err := e.Unmarshal(data); err != nil {
		return nil, errors.New("its error message cannot be read")
	}
	if e.ErrorCode == errorcode.KDC_ERR_SVC_UNAVAILABLE {
		return nil, errors.New(errorcode.Lookup(e.ErrorCode))
	}
	return &e, nil
}
