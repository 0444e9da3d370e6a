// Package schema says what the columns of a file are: a [Schema] is a record of typed fields, read from an Avro schema ([Parse]), and
// flattened into leaves, one for each column. A [Row] is one event in these columns, between a decoder, which fills it, and an encoder,
// which reads it; either knows only this package, so that each decoder feeds each format.
//
// Nested and repeated values are told by levels, as in Parquet and in the Dremel paper (Melnik et al., 2010): the definition level counts
// the optional and repeated steps of a leaf's path that are there, the repetition level says at which repeated step a value goes on.
//
//	optional group user { required binary id; }     id: definition 0 = no user, 1 = there
//	optional group tags (LIST) { repeated group list { optional binary element; } }
//	                                                element: definition 0 = no list, 1 = an empty one, 2 = a null in it, 3 = there
//	                                                         repetition 0 = first of its row, 1 = another of the same list
package schema
