// Package sequencefile writes Hadoop's SequenceFiles (org.apache.hadoop.io.SequenceFile, version 6), Flume's default: the key is the event's time in milliseconds, a LongWritable, and the value its
// body, a BytesWritable or a Text. Numbers are big endian; a vint is Hadoop's (WritableUtils.writeVInt).
//
//	SEQ 06 | vint n, key's class | vint n, value's class | 1 if compressed | 1 if in blocks | codec's class, if compressed | 00 00 00 00 (no metadata) | sync, 16 random bytes
//	not compressed   records: length of key and value, 4 bytes | length of the key, 4 bytes | key | value
//	                 and, after some, a mark: ff ff ff ff | sync
//	in blocks        ff ff ff ff | sync | vint n | four buffers, each a vint of its length and that, compressed: n vints of key lengths, n keys, n vints of value lengths, n values
//	                 and at the end of the file a mark
//
//	LongWritable   8 bytes
//	BytesWritable  length, 4 bytes | bytes
//	Text           vint length | UTF-8
//
// A mark stands at the end of a finished file: Hadoop's readers pass over it. Nothing tells that a file was cut at a mark: its length, which the manifest has, does.
package sequencefile
