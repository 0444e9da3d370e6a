// Package avrodecoder turns Avro datums (Apache Avro 1.12 specification, "Binary Encoding") into rows of a schema's columns: an event is one record, without
// a header before it. The schema must be the one that it was written with.
//
//	boolean         a byte, 0 or 1
//	int, long       zigzag varint, at most 5 and 10 bytes; also date, time-*, timestamp-*
//	float, double   4 and 8 bytes, little endian
//	bytes, string   long n | n bytes; also uuid (string) and decimal (bytes: two's complement, big endian)
//	fixed           its bytes; also decimal
//	enum            int: the number of the symbol
//	union           long: the number of the branch | the value, nothing for null
//	record          its fields
//	array, map      blocks until one of 0: long n | n elements, or long -n | long bytes | n elements; an element of a map: string | value
//
// Refusals: null_body, invalid_avro (cut short, or bytes that nothing of this schema begins with, or that follow the record), invalid_utf8, out_of_range, bad_value,
// too_many_values; as in package jsondecoder, with the path of the fault.
package avrodecoder
