package native

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Protobuf's wire format, as much of it as the RPC headers need. The library's generated messages are in an internal package of its own,
// and a second generated copy of the same .proto files makes the protobuf registry panic.

const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

var errWire = errors.New("malformed protobuf message")

// field is one field of a message.
type field struct {
	num   int
	kind  int
	value uint64 // of a varint
	bytes []byte // of wireBytes; aliases the message
	at    int    // where the value begins in the message
}

// fields calls use for each field of msg until it returns false.
func fields(msg []byte, use func(field) bool) error {
	for at := 0; at < len(msg); {
		key, n := binary.Uvarint(msg[at:])
		if n <= 0 {
			return errWire
		}
		at += n
		f := field{num: int(key >> 3 & (1<<29 - 1)), kind: int(key & 7), at: at}
		switch f.kind {
		case wireVarint:
			if f.value, n = binary.Uvarint(msg[at:]); n <= 0 {
				return errWire
			}
			at += n
		case wireBytes:
			size, n := binary.Uvarint(msg[at:])
			if n <= 0 || size > uint64(len(msg)-at-n) {
				return errWire
			}
			at += n
			f.at = at
			f.bytes = msg[at : at+int(size)]
			at += int(size)
		case wire64, wire32:
			size := 8
			if f.kind == wire32 {
				size = 4
			}
			if len(msg)-at < size {
				return errWire
			}
			at += size
		default:
			return errWire
		}
		if !use(f) {
			return nil
		}
	}
	return nil
}

// delimited takes a length-prefixed message off the front of b.
func delimited(b []byte) (msg, rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, errWire
	}
	return b[n : n+int(size)], b[n+int(size):], nil
}

func appendDelimited(b, msg []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(msg))), msg...)
}

func appendVarint(b []byte, num int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(num)<<3|wireVarint), v)
}

func appendBytes[T []byte | string](b []byte, num int, v T) []byte {
	b = binary.AppendUvarint(b, uint64(num)<<3|wireBytes)
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// sint32 is protobuf's zigzag encoding.
func sint32(v int32) uint64 { return uint64(uint32(v<<1 ^ v>>31)) }

func unSint32(v uint64) int32 { return int32(uint32(v)>>1) ^ -int32(v&1) }

// frame puts the parts, each with its length before it, into one RPC packet:
//
//	uint32 length of the rest | varint length, part | varint length, part | …
func frame(parts ...[]byte) []byte {
	b := make([]byte, 4, 128)
	for _, p := range parts {
		b = appendDelimited(b, p)
	}
	return seal(b)
}

// seal writes the length of a packet whose first four bytes were left free.
func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// request is one of the library's packets, taken apart:
//
//	uint32 length | RpcRequestHeaderProto | RequestHeaderProto | the call's message
type request struct {
	callID int32
	method string
	header []byte // RequestHeaderProto
	body   []byte
}

func parseRequest(packet []byte) (request, error) {
	var r request
	if len(packet) < 4 || int(binary.BigEndian.Uint32(packet)) != len(packet)-4 {
		return r, fmt.Errorf("%w: a request is not one packet", errWire)
	}
	head, rest, err := delimited(packet[4:])
	if err != nil {
		return r, err
	}
	if err := fields(head, func(f field) bool {
		if f.num == 3 && f.kind == wireVarint {
			r.callID = unSint32(f.value)
		}
		return true
	}); err != nil || r.callID < 0 { // negative: part of the handshake, not a call
		return r, err
	}
	if r.header, rest, err = delimited(rest); err != nil {
		return r, err
	}
	if r.body, rest, err = delimited(rest); err != nil {
		return r, err
	}
	if len(rest) > 0 {
		return r, errWire
	}
	return r, fields(r.header, func(f field) bool {
		if f.num == 1 && f.kind == wireBytes {
			r.method = string(f.bytes)
		}
		return true
	})
}

// reply is an answer of the NameNode, without its length:
//
//	RpcResponseHeaderProto | the answer's message, if all went well
type reply struct {
	callID int32
	status uint64 // 0 success, 1 error, 2 fatal: the connection is closed
	class  string // of the Java exception
	words  string // its message, usually with a stack trace
	detail uint64
	rest   []byte // behind the header
}

func parseReply(packet []byte) (reply, error) {
	var r reply
	head, rest, err := delimited(packet)
	if err != nil {
		return r, err
	}
	r.rest = rest
	called := false
	err = fields(head, func(f field) bool {
		switch {
		case f.num == 1 && f.kind == wireVarint:
			r.callID, called = int32(uint32(f.value)), true
		case f.num == 2 && f.kind == wireVarint:
			r.status = f.value
		case f.num == 4 && f.kind == wireBytes:
			r.class = string(f.bytes)
		case f.num == 5 && f.kind == wireBytes:
			r.words = string(f.bytes)
		case f.num == 6 && f.kind == wireVarint:
			r.detail = f.value
		}
		return true
	})
	if err == nil && !called {
		err = fmt.Errorf("%w: an answer without a call id", errWire)
	}
	return r, err
}

// packet is the reply as a packet for the library, which knows the call by another id.
func (r reply) packet(callID int32) []byte {
	head := appendVarint(nil, 1, uint64(uint32(callID)))
	head = appendVarint(head, 2, r.status)
	if r.status != 0 {
		head = appendBytes(head, 4, r.class)
		head = appendBytes(head, 5, r.words)
		head = appendVarint(head, 6, r.detail)
		return frame(head)
	}
	return seal(append(appendDelimited(make([]byte, 4, len(r.rest)+32), head), r.rest...))
}

// refuseToReplace clears overwriteDest in a Rename2RequestProto {src = 1, dst = 2, overwriteDest = 3, moveToTrash = 4}. Anything that
// does not look exactly as expected is an error: it must not be sent.
func refuseToReplace(body []byte) error {
	flags := 0
	err := fields(body, func(f field) bool {
		switch {
		case f.num == 3 && f.kind == wireVarint && body[f.at] <= 1: // in one byte
			body[f.at] = 0
			flags++
		case f.num == 3:
			flags = 2
		}
		return true
	})
	if err == nil && flags != 1 {
		err = errors.New("rename2: the request has no overwriteDest where it was expected; it was not sent")
	}
	return err
}
