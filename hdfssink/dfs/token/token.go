// Package token reads the files in which Hadoop hands delegation tokens to containers: what $HADOOP_TOKEN_FILE_LOCATION names in YARN and Oozie, and `hdfs fetchdt` writes.
//
//	HDTS | 00 | vint tokens | each: text alias, buffer identifier, buffer password, text kind, text service | secrets, which are not read    (Writable)
//	HDTS | 01 | varint length | CredentialsProto {tokens = 1 {alias = 1, token = 2 {identifier = 1, password = 2, kind = 3, service = 4}}}     (protobuf)
//
// A buffer and a text are a vint of their length, and that many bytes. A vint is Hadoop's WritableUtils.writeVInt: -112 to 127 in one byte; else a byte of -113 to -120 for 1 to 8 bytes that
// follow, or -121 to -128 for those of a negative number's complement, big endian.
//
// The identifier of an HDFS_DELEGATION_TOKEN: byte 0 | text owner | text renewer | text real user | vint issued, ms | vint no renewal beyond, ms | vint number | vint key
package token

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// HDFS is the kind of tokens that a NameNode gives.
const HDFS = "HDFS_DELEGATION_TOKEN"

// Token proves to a service who its owner is. It has a secret: no method prints it.
type Token struct {
	Identifier, Password []byte
	Kind, Service        string // service: IP:PORT, HOST:PORT or ha-hdfs:NAMESERVICE
}

// String does not show the password.
func (t Token) String() string { return t.Kind + " for " + t.Service }

// GoString is String.
func (t Token) GoString() string { return t.String() }

// maxFile is more than the tokens of any job have, in bytes.
const maxFile = 16 << 20

// Read reads a file. Its errors name it, and nothing of what is in it.
func Read(path string) ([]Token, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read delegation tokens: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("read delegation tokens: %s has %d bytes, more than any file of tokens", path, info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read delegation tokens: %w", err)
	}
	all, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read delegation tokens: %s: %w; fetch them again, by hdfs fetchdt or from the launcher", path, err)
	}
	return all, nil
}

const magic = "HDTS"

// Parse reads either form.
func Parse(data []byte) ([]Token, error) {
	if len(data) < len(magic)+1 || string(data[:len(magic)]) != magic {
		return nil, errors.New("it is no file of Hadoop's tokens")
	}
	r := &reader{p: data[len(magic)+1:]}
	var all []Token
	switch version := data[len(magic)]; version {
	case 0:
		all = r.writable()
	case 1:
		all = r.protobuf()
	default:
		return nil, fmt.Errorf("version %d is unknown", version)
	}
	if r.bad {
		return nil, errors.New("it is cut short, or damaged")
	}
	return all, nil
}

// Find returns the token of a kind for one of the services; false: there is none.
func Find(all []Token, kind string, services ...string) (Token, bool) {
	for _, service := range services {
		for _, t := range all {
			if t.Kind == kind && strings.EqualFold(t.Service, service) {
				return t, true
			}
		}
	}
	return Token{}, false
}

// Owner is what an HDFS token says of itself.
type Owner struct {
	Name, Real string    // who is acted as, and who asked for it; Real is empty if that is the same
	Renewer    string    //
	Max        time.Time // it cannot be renewed beyond
}

// Owner reads the identifier.
func (t Token) Owner() (Owner, error) {
	r := &reader{p: t.Identifier}
	if r.byte() != 0 {
		r.bad = true
	}
	o := Owner{Name: r.text(), Renewer: r.text(), Real: r.text()}
	r.vint()
	o.Max = time.UnixMilli(r.vint())
	if r.bad {
		return Owner{}, fmt.Errorf("the identifier of the token for %s cannot be read", t.Service)
	}
	return o, nil
}

// reader takes values off the front. After the first that is not there all are empty, and bad is set.
type reader struct {
	p   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.p)) {
		r.bad, r.p = true, nil
		return nil
	}
	b := r.p[:n:n]
	r.p = r.p[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// vint is WritableUtils.readVLong.
func (r *reader) vint() int64 {
	first := int8(r.byte())
	if first >= -112 {
		return int64(first)
	}
	negative := first < -120
	n := -(int(first) + 112)
	if negative {
		n = -(int(first) + 120)
	}
	var v uint64
	for _, b := range r.take(uint64(n)) {
		v = v<<8 | uint64(b)
	}
	if negative {
		return int64(^v)
	}
	return int64(v)
}

func (r *reader) buffer() []byte { return r.take(uint64(r.vint())) } // a negative length is too long
func (r *reader) text() string   { return string(r.buffer()) }

func (r *reader) writable() (all []Token) {
	for n := r.vint(); n > 0 && !r.bad; n-- {
		r.text() // the alias
		all = append(all, Token{Identifier: r.buffer(), Password: r.buffer(), Kind: r.text(), Service: r.text()})
	}
	return all
}

func (r *reader) protobuf() (all []Token) {
	body := reader{p: r.take(r.uvarint())}
	for len(body.p) > 0 && !body.bad {
		if num, b := body.field(); num == 1 {
			all = append(all, body.entry(b))
		}
	}
	r.bad = r.bad || body.bad
	return all
}

// entry reads a CredentialsKVProto.
func (r *reader) entry(b []byte) (t Token) {
	entry := reader{p: b}
	for len(entry.p) > 0 && !entry.bad {
		num, b := entry.field()
		if num != 2 {
			continue
		}
		proto := reader{p: b}
		for len(proto.p) > 0 && !proto.bad {
			switch num, b := proto.field(); num {
			case 1:
				t.Identifier = b
			case 2:
				t.Password = b
			case 3:
				t.Kind = string(b)
			case 4:
				t.Service = string(b)
			}
		}
		entry.bad = entry.bad || proto.bad
	}
	r.bad = r.bad || entry.bad
	return t
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.bad, r.p = true, nil
		return 0
	}
	r.p = r.p[n:]
	return v
}

// field reads a field of bytes, the only type that these messages have.
func (r *reader) field() (num uint64, b []byte) {
	const wireBytes = 2
	tag := r.uvarint()
	if tag&7 != wireBytes {
		r.bad, r.p = true, nil
		return 0, nil
	}
	return tag >> 3, r.take(r.uvarint())
}
