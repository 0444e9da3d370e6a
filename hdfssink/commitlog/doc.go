// Package commitlog is the commit protocol of the HDFS sink: it publishes every offset of a partition in exactly one file, whoever
// crashes, sleeps or believes to own the partition still. It uses what every HDFS client can do: create fails when the parent is missing or the
// name is taken, and a rename of a file or directory is atomic and refuses an existing target. It knows nothing of events, formats or Kafka.
//
// # On disk
//
//	<state>/<sink>/sink.json                      immutable: cluster, group (see sinkInfo)
//	<state>/<sink>/dead/<topic>+<p>/….dead        dead letters, published like any file
//	<state>/<sink>/<topic>[~<life>]+<partition>/
//	    claim-<random>/                           a claim being built
//	    epoch-0000000007/                         one ownership; the newest 16 stay
//	        by=<host>,<pid>,<start>/              for people
//	        live-<random>/                        staging: open files, .commit-<nonce>, .archive-<nonce>
//	        dead-<random>/                        the same, fenced
//	    log/0000000012.json                       a manifest: one commit (see Manifest)
//	    log/0000000012.done/                      all its files are published
//	    log/archive-0000000000-0000000999.json.zst
//
// Numbers are padded, so that a listing in pages, which goes by names, comes to the newest last.
//
// # Claim
//
//  1. Build claim-<random>/{by=…, live-<random>}, list, rename it to epoch-<newest+1>. It appears whole; a number in use refuses.
//  2. List again. A higher epoch: we are fenced. A listing without our own epoch is too old to tell: list again.
//  3. Rename live-* of every lower epoch to dead-*. From here on an earlier owner can create nothing (the parent is missing) and commit nothing (the
//     manifest's source is missing).
//  4. Read the newest manifest. An epoch above ours: fenced. Without .done: finish it, with the files in dead-*.
//  5. Delete the dead-* of lower epochs, epochs beyond the newest 16, claims forgotten for an hour.
//  6. Compare topic id and hint.
//
// # Commit
//
// Make the directories and see that the names are free; write the manifest as live-*/.commit-<nonce>; rename it to log/<seq>.json, the point of no return; rename each file;
// make log/<seq>.done. No manifest is written while the one before lacks its .done, so only the newest can be unfinished.
//
// A refusal is an answer. Only where no answer came is the outcome looked up: a manifest by its nonce, a file by its id. An unanswered call may still be carried out
// later; all that can come late here is either wanted (the same rename again), or has lost its source, or makes a directory that nobody reads.
//
// # Why each part is there
//
// Three things keep two owners apart, and the tests (and hdfssink/mutants) show that each is needed. The fence takes away the paths of earlier owners. The
// manifest's name is a compare-and-swap on seq for whoever the fence has not reached yet. Neither holds alone: a directory rename does not stop a writer that has its file open, and seqs
// become free again when manifests are archived; so the fence must be complete (step 2 catches a claimant that slept until its number was free again) and no
// path may come back (random parts).
//
//   - A final name that is taken is foreign only if our staging directory is still there: a later owner publishes the same events under the same name
//     after it has fenced us.
//   - A file that is nowhere is lost only if the manifest has no .done, is still in the log, and no epoch is above ours: otherwise somebody else has published it
//     and a reader took it away since.
//   - Manifests are deleted in ascending order, .json before .done, and 0.done never; so two look-ups after the listing (is the next manifest there? can the newest
//     be read?) prove that what looked newest is, even when the listing was old.
//   - A life ends with a sealing manifest, not by deleting or moving directories: whoever claims the old life later finds the seal, and no late call of anybody
//     can leave a stray .done or manifest in the new one.
//   - A reader may delete a published file only after its manifest is done; before, it may stop the partition (accept-missing gets it going).
package commitlog
