// Package avrofile writes Avro object container files (Apache Avro 1.12 specification, "Object Container Files"):
//
//	Obj 0x01
//	header    a map of bytes, in Avro's encoding: avro.schema, avro.codec, and ours (penstock.*)
//	sync      16 random bytes, the same in the whole file
//	blocks    long n | long bytes | n datums, compressed together | sync
//
// Without a schema an event is a record of key, body, headers, timestamp, topic, partition and offset; with one the datum is that of the event's fields, and, if asked
// for, of where it came from behind them. Datums that are in the schema already are checked, and copied as they are.
//
// Nothing in a file tells that it was cut between two blocks: its length, which the manifest has, does.
package avrofile
