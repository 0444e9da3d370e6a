// Package chaos shows "exactly once" on the real cluster: two agents land a kerberised topic as Parquet on a kerberised HDFS while they
// are killed, frozen and thrown out of their group, and while servers die under them.
//
//	plan ──▶ faults, one after the other, each with evidence that it happened; between two of them events must be committed again
//	producer ──▶ topic ──▶ two agents ──▶ HDFS ◀── sampler: every visible file is whole and never changes
//	    └──▶ oracle.Ledger ──▶ oracle.Judge ◀── two readers of all that is visible at the end, and penstock verify
//
// The short plan runs in `make test`; PENSTOCK_NIGHTLY=1 is the long one. PENSTOCK_SEED repeats the choices of a run (not its timing).
package chaos
