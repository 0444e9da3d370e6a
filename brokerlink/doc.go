// Package brokerlink is everything that Penstock knows of Kafka. It makes existing topics a channel ([Channel]) whose streams
// are partitions, on github.com/IBM/sarama and nothing else.
//
// The consumer group hands out partitions and does nothing more. This package speaks the group's protocol itself, with sarama's
// requests and its cooperative-sticky plan, instead of using sarama's ConsumerGroup: that one starts to fetch each claim at the group's
// offset, moves an offset that is out of range to a default, ends the whole session when one partition has no leader, and cannot change
// its topics without ending the session. So there are no claims here that would have to be paused:
//
//	Channel.Drain ── member: join → sync → (stop what was revoked, start what is new) → heartbeats ─┐
//	      ▲                                                                                         │
//	      └──────────────── rebalance, new topics or partitions, lost session ◀─────────────────────┘
//
// Events come from a fetch loop for each partition (fetcher), on a connection of its own, at the offset that [ingest.Stream]'s
// Read is given. One connection for each partition, because:
//   - a long poll holds up nobody: not the heartbeats, not another partition whose sink has just caught up,
//   - a batch that cannot be decoded fails one partition (sarama decodes a response as a whole),
//   - an uncompressed event points into its response; a slow partition would keep the data of all the others in memory.
//
// The price is a connection (and a SASL exchange at its start) for each partition, and one request in each fetch.max_wait for an idle one.
//
// What sarama has decoded is handed on without a copy: Key and Body of an event point into sarama's buffer, which is
// never used again, so they stay intact for as long as anybody holds them. The slices of events and headers are the stream's
// and are used again by the next Read.
//
// Authentication happens inside the dialer, before sarama sees the connection: TLS, then SaslHandshake and SaslAuthenticate
// frames of our own (see sasl.go). So one Kerberos login serves all connections, and an error can say what the broker offers instead.
package brokerlink
