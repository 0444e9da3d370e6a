// Package ingest is the vocabulary of Penstock: events, offsets, partitions, and the interfaces between
// channels and sinks. It imports the standard library only.
//
// A channel is a log of partitions. A sink drains one partition at a time from the offset that it knows to be
// next. The position is an argument of [Stream.Read], never a hidden cursor, so that a restart is a recovery
// and there is one code path for both:
//
//	Channel.Drain ── for each partition that this agent owns ──▶ Sink.Drain(ctx, stream)
//	                                                               recover → read(next) → append → roll → commit
package ingest
