// Package native is a dfs.FS over HDFS's own protocols, on github.com/colinmarc/hdfs. That library encodes the calls and moves the
// blocks; what a sink must be able to rely on is done around it, because alone it replaces the target of a rename, sends
// requests unprotected, forgets deadlines and goroutines, and does not tell a lost answer from a refusal.
//
// # How it hangs together
//
//		FS ──▶ link + hdfs.Client: one for each call, open file, reader
//		         │ nameConn: a virtual connection; the library's requests, one Write each,
//		         │           are looked at, changed or answered here
//		         ▼
//		        mux ──▶ nnConn: the one TCP connection to a NameNode: handshake (GSSAPI, signed or sealed both ways),
//		         │              requests numbered, answers matched, one goroutine writing, one reading
//		         └───▶ dataConn: a connection to a DataNode: a deadline for each read and write; failures are kept
//		                 └─▶ saslConn: the handshake that DataNodes ask for, and what was agreed on: signed or sealed both ways
//
//	  - The library is told that DataNodes ask for nothing: the NameNode's word that data are encrypted is changed on the way (plainDefaults).
//	  - Rename is the call rename2 with its flag overwriteDest cleared on the way; a request in which the flag is not where it is expected is
//	    not sent. The look at the target that the library takes first is answered "not there" without asking.
//	  - A request that left without an answer makes a call with effects fail with dfs.ErrNoAnswer: after a broken connection, a time-out, or the
//	    end of the context. What provably never left, or was refused for a passing reason (safe mode, standby), is tried again
//	    for Options.Patience, and is dfs.ErrUnavailable then. Reads are tried again in both cases.
//	  - Everything else is an exception of the NameNode, in its words, with what to do.
//	  - A file has a lease of its own, renewed every 30 s while it is open. Abort, a failed Close or the end of the process let it run
//	    out; RemoveAll drops it at once.
//	  - A DataNode that is lost or silent ends the file, at the next Write. There is no pipeline recovery: whoever wrote
//	    the file writes another.
//	  - Credentials are asked for when a connection is made, and not kept. Nothing else lives longer than a file, so data
//	    encryption keys and tickets cannot grow old.
//
// The library reports transfer errors only at Close, and would call a second Close a success; see dataConn and writer.
package native
