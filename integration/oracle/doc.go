// Package oracle counts events in published files. It is the witness that tests of "exactly once" rest on, so it believes
// nobody: events are known by the producer and the number in their bodies, what was sent is in a [Ledger] that the sender
// kept, files are whatever a plain **/*.parquet finds, hidden names included, and they are read by readers that share no code
// with the writer: [ReadFiles] on xitongsys/parquet-go, [ReadWithDuckDB] on DuckDB.
//
//	ledger := oracle.NewLedger(4)              // sender: ledger.Sent(producer, seq, body)
//	judge := oracle.NewJudge(ledger, "clicks")
//	err := oracle.ReadFiles(ctx, dir, judge.Add)
//	report := judge.Report()                   // lost, doubled, disordered, foreign, corrupt
package oracle
