// Package bench measures speed and memory against bounds that are measured beside them, in the same minutes: consuming alone and encoding
// alone, or real Flume on the same topic and the same HDFS. `make bench` runs it; [RESULTS.md] keeps what it said, and on which machine.
//
// Cost is CPU time, user and system, of one process. So everything that is measured runs in a process of its own (the real binary, or this
// test binary again in one of its roles), brokers in another, and runs take turns: what else the machine does meanwhile meets all alike.
// Nothing here fails because of a time.
//
// [RESULTS.md]: https://github.com/penstock-io/penstock/blob/main/integration/bench/RESULTS.md
package bench
