package commitlog

import (
	"hash"
	"hash/crc32"
)

// newCRC computes what File.CRC is: CRC-32C of all bytes.
func newCRC() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }
