package ingest

import (
	"encoding/binary"
	"hash/crc32"
)

// CRC is the fingerprint used in a [Mark]: CRC-32C over
//
//	timestamp (8 bytes, big endian) | len(key) (4 bytes; 0xffffffff: nil) | key | len(body) (4 bytes; the same) | body
func (e *Event) CRC() uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // returns the shared table; no work after the first call
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], uint64(e.Timestamp))
	binary.BigEndian.PutUint32(b[8:], length(e.Key))
	c := crc32.Update(0, table, b[:])
	c = crc32.Update(c, table, e.Key)
	binary.BigEndian.PutUint32(b[:4], length(e.Body))
	c = crc32.Update(c, table, b[:4])
	return crc32.Update(c, table, e.Body)
}

func length(b []byte) uint32 {
	if b == nil {
		return 0xffffffff
	}
	return uint32(len(b)) // an event is far below 4 GiB: it came in one fetch response
}
