// Package textfile writes the bodies of events as lines, as Flume's text serializer does; keys and headers are not kept.
//
// A file is a run of pieces, each of some lines, each compressed on its own, and at the end of a compressed file an empty
// piece. So encoders hold one piece of plain text and no compressor, and a file that was cut between two pieces does not pass for
// a whole one. Tools read it as one stream (zcat, zstdcat, Hadoop's codecs): members of gzip and frames of zstd may follow each other.
//
//	none:  body '\n' body '\n' …
//	gzip:  member( body '\n' … ) member( … ) … member( )     the last, of no lines, is 20 bytes
//	zstd:  frame( body '\n' … )  frame( … )  … frame( )      the last, of no lines, is 9 bytes
//	snappy: length chunk … length chunk … 0                 see snappyCodec
//
// An uncompressed file cannot say where it ends: Inspect only sees that it does not end within a line. The length in the
// commit protocol's manifest says the rest.
package textfile
