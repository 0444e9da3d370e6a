package main

const (
	sinkGo     = "hdfssink/sink.go"
	drainGo    = "hdfssink/drain.go"
	appendGo   = "hdfssink/append.go"
	rollGo     = "hdfssink/commit.go"
	openFileGo = "hdfssink/openfile.go"
)

// draining are bugs in what the sink makes of the protocol. Its tests are in ./hdfssink.
func draining() []mutant {
	all := []mutant{
		{name: "drain: commit the hint first", test: "^TestTheHintComesLast", edits: []edit{{
			rollGo,
			"	err := d.publish(m)\n",
			"	_ = d.stream.Commit(d.work, ingest.Hint{Next: d.next, Metadata: d.claim.HintFor().Metadata})\n	err := d.publish(m)\n",
		}}},
		{name: "drain: trust a second close", test: "^TestAFileThatFails", edits: []edit{{
			openFileGo,
			"	if s.err = s.file.Close(ctx); s.err != nil {\n",
			"	if s.err = s.file.Close(ctx); s.err != nil {\n		s.err = s.file.Close(ctx)\n	}\n	if s.err != nil {\n",
		}}},
		{name: "drain: start from the group's offset", test: "^TestCrashBeforeEveryCall", edits: []edit{{
			drainGo,
			"	return d.recover(ctx, info)\n",
			"	err = d.recover(ctx, info)\n	if hasHint {\n		d.next = hint.Next\n	}\n	return err\n",
		}}},
		{name: "drain: gap without evidence", test: "^TestRefusals", edits: []edit{{
			drainGo,
			"		if err := d.s.readRefusal(",
			"		if errors.Is(err, ingest.ErrUnexplainedGap) {\n			r := ingest.Range{First: d.next, Next: d.next + 1}\n" +
				"			return ingest.Batch{Range: r, Gaps: []ingest.Gap{{Range: r, Reason: ingest.GapAccepted}}}, nil\n		}\n		if err := d.s.readRefusal(",
		}}},
		{name: "drain: claim again after fencing", test: "^TestTwoOwnersThatDoNotKnowOfEachOther", edits: []edit{{
			sinkGo,
			"	err := s.drain(ctx, stream)\n",
			"	err := s.drain(ctx, stream)\n	for errors.Is(err, ingest.ErrFenced) {\n		err = s.drain(ctx, stream)\n	}\n",
		}}},
		{name: "drain: append what is done again", test: "^TestCrashBeforeEveryCall", edits: []edit{{
			appendGo,
			"	if d.done.done(e.Offset) {",
			"	if d.done.done(e.Offset) && false {",
		}}},
		{name: "drain: a failed file takes the others along", test: "^TestAFileThatFails", edits: []edit{{
			rollGo,
			"	if len(whole) > 0 || !d.pending.empty() {\n",
			"	if failure == nil && (len(whole) > 0 || !d.pending.empty()) {\n",
		}}},
		{name: "drain: being fenced looks like a passing error", test: "^TestTwoOwnersThatDoNotKnowOfEachOther", edits: []edit{{
			drainGo,
			"if lost := d.claim.Lost(d.work); lost != nil {",
			"if lost := error(nil); lost != nil {",
		}}},
		{name: "drain: forget what was filtered", test: "^TestProgressWithoutFilesIsCommitted", edits: []edit{{
			rollGo,
			"Filtered: d.pending.filtered.bitmap(), ",
			"",
		}}},
	}
	for i := range all {
		all[i].pkg = "./hdfssink"
	}
	return all
}
