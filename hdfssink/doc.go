// Package hdfssink empties streams into files of a distributed file system, exactly once.
//
// # The path of a batch
//
// [Sink.Drain] is one life of one partition, in one goroutine, without locks across waits:
//
//	begin    Describe, Hint → commitlog: claim, genesis if there is no state → Stream.Check(mark)
//	read     Stream.Read(next) until a file is due (drain.go)
//	append   event → bucket (router.go) → encoder → staged file, made at its first bytes (openfile.go)
//	count    buffered memory; limits by size; what the budget asks for (memory.go, budget.go)
//	rollDue  what is due (roll.go), with what is due within 5 s (commit.go):
//	         close the encoders → close the files → length and footer → commitlog: manifest, renames → hint
//
// A position is an argument, so a restart is a recovery: after any error the caller calls Drain again, which claims again and
// reads from the committed low. Offsets that are done beyond low are skipped.
//
// # When something fails
//
// A file's first error is final. It is dropped, its offsets are not done; all other open files are finished and committed, and then
// the drain ends with the error. The caller's back-off bounds how often that happens, and every life commits what the other buckets have
// by then. A bucket that fails in each life stops the partition near the offset at which its file is due: nothing is lost, and the error
// says what to mend. While the file system is away, and while reads fail in passing, the open files
// wait for minutes (patience.go) before the life is given up.
//
// Events that cannot be written (no time, a time out of bounds, no header, a name that HDFS cannot have, what the format refuses) go into
// the dead letters, a file like the others and in the same commit. Nothing is dropped but what an interceptor drops.
//
// What only an operator can decide is a permanent error with the command that decides it (refusals.go).
//
// # Paths
//
// The escapes are Flume's: %a %A %b %B %c %d %D %e %H %I %j %k %l %m %M %n %p %s %S %t %y %Y %z, %{header}, %[localhost], and %% for a
// percent sign. %{topic} and %{partition} are the event's origin, whatever its headers say; %{key} is a header or, failing that, Kafka's
// key. %{field:user.id} is a field of the event's body, which PathFields finds. Values are escaped as Hive does (%XX), and so is a '.' or '_' where a name begins. A missing or empty value that is all of
// what follows "key=" is __HIVE_DEFAULT_PARTITION__; elsewhere it is missing_header, or a dead letter. What differs from Flume: an
// unknown escape is an error and not empty, and names of months and days are always English.
package hdfssink
