package sequencefile

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/penstock-io/penstock/formats/pieces"
	"github.com/penstock-io/penstock/ingest"
)

var errDone = errors.New("write sequencefile: the encoder is closed or abandoned")

const (
	keySize = 8
	escape  = "\xff\xff\xff\xff"
)

// encoder implements formats.Encoder. It holds the records since the last mark, and nothing before the first event. Of records that are to be compressed the open piece has the values; their keys
// and lengths are beside it.
type encoder struct {
	format  *Format
	out     pieces.Output
	keys    []byte // of a block
	lengths []byte // of its values
	rows    int
}

// Append implements formats.Encoder.
func (e *encoder) Append(ev *ingest.Event) error {
	if e.out.Err != nil {
		return e.out.Err
	}
	if refused := e.format.check(ev); refused != nil {
		return refused
	}
	const most = 2*4 + keySize + 9 // what a record has beside the body
	if e.rows > 0 && len(e.out.Open)+len(ev.Body)+most > e.format.pool.Size() {
		if err := e.writeBlock(); err != nil {
			return err
		}
	}
	e.add(ev)
	if len(e.out.Open) > e.format.pool.Size() { // one event larger than a block: not kept
		return e.Flush()
	}
	return nil
}

func (e *encoder) add(ev *ingest.Event) {
	var room [9]byte
	length := appendLength(room[:0], len(ev.Body), e.format.text)
	value := len(length) + len(ev.Body)
	e.rows++
	if e.format.codec != "" {
		e.keys = binary.BigEndian.AppendUint64(e.keys, uint64(ev.Timestamp))
		e.lengths = appendVint(e.lengths, value)
		e.out.Append(length, ev.Body)
		return
	}
	var head [2*4 + keySize]byte
	binary.BigEndian.PutUint32(head[:], uint32(keySize+value))
	binary.BigEndian.PutUint32(head[4:], keySize)
	binary.BigEndian.PutUint64(head[8:], uint64(ev.Timestamp))
	e.out.Append(head[:], length, ev.Body)
}

// Buffered implements formats.Encoder.
func (e *encoder) Buffered() int64 {
	return e.out.Buffered() + int64(cap(e.keys)+cap(e.lengths))
}

// Size implements formats.Encoder: the open block is taken to shrink as those before it did.
func (e *encoder) Size() int64 {
	open := int64(len(e.out.Open) + len(e.keys) + len(e.lengths))
	guess := open
	if e.format.codec != "" {
		guess /= 4
	}
	return e.out.Written() + e.out.Shrunk(open, guess) + int64(len(e.format.header)) + 2*pieces.MarkSize
}

// Flush implements formats.Encoder: one block.
func (e *encoder) Flush() error {
	err := e.out.Flush(e.writeBlock)
	e.keys, e.lengths = nil, nil
	return err
}

// writeBlock writes the block, and a mark behind records that are not compressed, which have none before them. It keeps the buffers: a file that has filled a block will fill another.
func (e *encoder) writeBlock() error {
	if e.rows == 0 {
		return nil
	}
	if err := e.out.Begin(e.format.header); err != nil {
		return err
	}
	block := e.out.Open
	e.out.Raw += int64(len(block) + len(e.keys) + len(e.lengths))
	if e.format.codec == "" {
		block = append(append(block, escape...), e.out.Mark...)
	} else {
		block = e.packed()
		defer e.format.pool.Put(block)
	}
	e.out.Open, e.keys, e.lengths, e.rows = e.out.Open[:0], e.keys[:0], e.lengths[:0], 0
	return e.out.Write(block)
}

// packed is the block as it is in the file.
func (e *encoder) packed() []byte {
	block := append(append(e.format.pool.Get(), escape...), e.out.Mark...)
	block = appendVint(block, e.rows)
	scratch := e.format.pool.Get()
	keyLengths := slices.Repeat([]byte{keySize}, e.rows)
	for _, buffer := range [][]byte{keyLengths, e.keys, e.lengths, e.out.Open} {
		scratch = e.format.compress(scratch[:0], buffer)
		block = append(appendVint(block, len(scratch)), scratch...)
	}
	e.format.pool.Put(scratch)
	return block
}

// Close implements formats.Encoder. The header, which has the metadata of a file, was written before it was known.
func (e *encoder) Close(map[string]string) error {
	if err := e.Flush(); err != nil {
		return err
	}
	empty := e.out.Mark == nil
	if err := e.out.Begin(e.format.header); err != nil {
		return err
	}
	if e.format.codec != "" || empty {
		if err := e.out.Write(append([]byte(escape), e.out.Mark...)); err != nil {
			return err
		}
	}
	e.Abandon()
	return nil
}

// Abandon implements formats.Encoder.
func (e *encoder) Abandon() {
	e.out.Abandon(errDone)
	e.keys, e.lengths = nil, nil
}
