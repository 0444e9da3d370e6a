// Package parquetfile writes events as Parquet: with raw columns, so that any topic can be landed without a schema, or with those of a schema.
//
// A file (all integers little endian):
//
//	"PAR1"
//	row group 0:  column chunk 0: [dictionary page] data page … data page
//	              column chunk 1: …                              chunks follow each other without a gap
//	row group 1:  …
//	footer:       FileMetaData, Thrift compact protocol          starts where the last chunk ends
//	length of the footer, 4 bytes
//	"PAR1"
//
// A data page (version 1, compressed as a whole) holds n values of one column, of whole rows:
//
//	[length, 4 bytes | repetition levels, RLE]   columns below a repeated group
//	[length, 4 bytes | definition levels, RLE]   columns that can be null or missing
//	values that are there, PLAIN                 bytes: length (4) and bytes; int64: 8 bytes; boolean: a bit
//	or their numbers in the dictionary           strings of a schema, while they repeat themselves: see dictionary
//
// The columns, and those that only dead letters have:
//
//	required group schema {
//	  optional binary key;
//	  optional binary body;
//	  required group headers (MAP) {            repeated keys stay repeated, in the producer's order
//	    repeated group key_value {
//	      required binary key (STRING);         dead letters: plain binary, since keys may be no UTF-8
//	      optional binary value;
//	    }
//	  }
//	  required int64 timestamp (TIMESTAMP(MILLIS, UTC));
//	  required binary topic (STRING);           dictionary: one value in a file
//	  required int32 partition;                 dictionary: one value in a file
//	  required int64 offset;
//	  optional binary reason (STRING);          dead letters
//	  optional binary path (STRING);            dead letters
//	  optional binary detail (STRING);          dead letters
//	}
//
// With a schema, its fields take the place of key, body and headers; the columns kafka_timestamp, kafka_topic, kafka_partition and
// kafka_offset, as above, follow (origin: false leaves them out), and the footer has the schema as penstock.schema:
//
//	boolean             boolean, a bit each                 array   group (LIST) { repeated group list { element } }
//	int, long           int32, int64                        map     group (MAP) { repeated group key_value { required key; value } }
//	float, double       float, double                       record  group
//	string, enum, uuid  binary (STRING)                     bytes   binary
//	date                int32 (DATE)                        fixed   fixed_len_byte_array
//	time-*              int32/int64 (TIME, UTC)             decimal fixed_len_byte_array (DECIMAL), as few bytes as hold the precision
//	timestamp-*         int64 (TIMESTAMP, UTC or local)
//
// # Three small parts
//
// A row source (raw, typed) puts the parts of an event into column builders; a column builder (column) encodes values into pages and
// compresses each page as it fills; a file writer (file) puts the pages of a row group one after the other and keeps the footer's
// metadata.
//
// The pages' contents are made here and not by arrow's column writers, for memory and speed: those keep three buffers of a page's size
// for each column, make a new zstd encoder for each page, take buffers from a pool that their allocator does not see (so that
// no exact figure for what an encoder holds exists), and keep the caller's bytes as statistics. Page headers, schema and footer are arrow's.
package parquetfile
