// Package readers holds the readers of Parquet and Avro that share no code with Penstock, for the tests that need an independent witness:
// setup.sh makes their environment below build/, dump.py prints rows. Beside them xitongsys/parquet-go reads within Go tests.
package readers
