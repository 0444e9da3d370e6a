// Package textdecoder turns lines of text into rows of a schema's columns: separated values (RFC 4180, and its relatives with tabs), or the named groups of a regular expression (RE2's, in
// linear time). The schema's fields are single values, no records, lists or maps.
//
// A value of a field is what package jsondecoder takes for its type, without quotes: numbers (here leading zeros and + are fine), true and false (also 1 and 0), timestamps as ISO 8601 or numbers.
// A value that is not there has the field's default, or is null. That is: a group that did not match; the null text of separated values; an empty value, unless it is quoted or the field is a
// string that can neither be null nor has a default.
//
// Refusals: null_body, invalid_utf8, invalid_csv (a quote where none may be), wrong_columns (more or fewer than the schema has), no_match, and those of jsondecoder with the field as their path.
package textdecoder
