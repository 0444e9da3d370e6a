// Package jsondecoder turns JSON events (RFC 8259) into rows of a schema's columns. A [Plan] is compiled once for a schema; its decoders see bytes
// and fill a [schema.Row]: no map, no interface, and no allocation for an event.
//
// Strict: an event is one JSON object in UTF-8 and nothing else. What does not fit is refused with a code, and the path of the fault:
//
//	null_body          the event has no body (a tombstone)
//	invalid_utf8       a byte that begins no UTF-8 character
//	invalid_json       not RFC 8259: also single surrogates, control characters in strings, leading zeros, a second value
//	not_an_object      JSON, and no object at the top
//	too_deep           objects and lists more than 512 deep
//	too_many_values    lists and maps with more than two million values in their columns
//	duplicate_key      a field is there twice
//	missing_field      a field without null and without default is not there
//	null_value         null, where the schema does not allow it
//	wrong_type         a string for a number, and so on
//	out_of_range       a number, date or time that the column cannot hold
//	inexact            digits that the column cannot hold: a fraction for an integer, more digits than a decimal's scale
//	bad_value          a string that is no date, time, UUID, base64, symbol of the enum, or of another length than the fixed has
//	unknown_field      a field that the schema does not have, if those are refused
//
// What the kinds take, beside null where it is allowed:
//
//	boolean            true, false
//	int, long          numbers without a fraction: 1, 1.0 and 1e3 are
//	float, double      numbers, to the nearest; out_of_range if that is infinite
//	string             strings
//	bytes, fixed       strings of base64 (RFC 4648, with padding)
//	enum               strings: one of the symbols
//	decimal            numbers, or strings of the same form; exact
//	uuid               strings: 8-4-4-4-12 hexadecimal digits; lower case in the column
//	date               strings YYYY-MM-DD, or numbers of days
//	time-*             strings HH:MM:SS[.fraction], or numbers of the type's unit
//	timestamp-*        strings YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM), also with a space for the T, or numbers of the type's unit, or of
//	                   the one that the property "json-unit" beside "logicalType" names: s, ms, us, ns;
//	                   local-timestamp-*: without a zone. Digits finer than the unit are cut off, towards the past.
//	record             objects; the names of fields and their aliases
//	array, map         lists; objects, whose keys may come twice as Parquet's may
package jsondecoder
