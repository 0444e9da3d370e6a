package main

const (
	hintGo     = "hdfssink/commitlog/hint.go"
	openGo     = "hdfssink/commitlog/open.go"
	manifestGo = "hdfssink/commitlog/manifest.go"
	setsGo     = "hdfssink/commitlog/offsets.go"
	memoryGo   = "hdfssink/memory.go"
	deadlineGo = "hdfssink/roll.go"
	escapeGo   = "hdfssink/escape.go"
	genesisGo  = "hdfssink/genesis.go"
)

// refusing are bugs in what a claim, or a commit, has to refuse.
func refusing() []mutant {
	return []mutant{
		{name: "go on whatever directory the hint names", test: "^TestHints", edits: []edit{{
			hintGo, "case ours && info.Dir != here && !c.adopted(", "case false && !c.adopted(",
		}}},
		{name: "go on though the group has a hint and we have no state", test: "^TestHints", edits: []edit{{
			hintGo, "case !c.state.Exists && c.p.life == 1:", "case false:",
		}}},
		{name: "go on though the hint names a newer manifest", test: "^TestHints", edits: []edit{{
			hintGo, "|| h.Seq > c.state.Seq || next", "|| next",
		}}},
		{name: "go on though the hint is beyond low", test: "^TestHints", edits: []edit{{
			hintGo, " || next > c.state.Low\n", "\n",
		}, {
			hintGo, "func (c *Claim) olderThan(h hintInfo, next ingest.Offset) bool {", "func (c *Claim) olderThan(h hintInfo, _ ingest.Offset) bool {",
		}}},
		{name: "go on though another sink has drained the topic", test: "^TestRenamedSink", edits: []edit{{
			hintGo, "if !there || c.otherCluster(ctx, e.Name) {", "if there = false; !there || c.otherCluster(ctx, e.Name) {",
		}}},
		{name: "go on with a topic that was made again", test: "^TestHints", edits: []edit{{
			hintGo, `if was == "" || l.TopicID == "" || was == l.TopicID {`, `if was == "" || l.TopicID == "" || was != "-" {`,
		}}},
		{name: "forget the topic's id", test: "^TestTheTopicsIDIsKept", edits: []edit{{
			claimGo, "c.topic = cmp.Or(r.Log.TopicID, c.topic)", "c.topic = cmp.Or(r.Log.TopicID)",
		}}},
		{name: "two groups on one state", test: "^TestOpenRefuses", edits: []edit{{
			openGo, `if group != "" && l.info.Group != "" && group != l.info.Group {`, `if false {`,
		}}},
		{name: "replace a foreign file", test: "^TestProtocolForeignFile", edits: []edit{{
			publishGo,
			"			return false, c.foreign(f.Final, \"after the commit that is to publish a file there\")",
			"			return false, c.log.o.FS.RemoveAll(ctx, f.Final)",
		}}},
		{name: "believe a manifest without its checksum", test: "^TestCorrupt", edits: []edit{{
			manifestGo, "is != said {", "is != said && is == \"\" {",
		}}},
		{name: "an offset may be done twice", test: "^TestCommitRefusesBugs", edits: []edit{{
			setsGo, "if p.ahead.Intersects(b) {", "if false {",
		}}},
		{name: "commit into a life that has ended", test: "^TestLives", edits: []edit{{
			claimGo, "if c.newest == nil || c.newest.Sealed == nil {", "if c.newest == nil || c.newest.Seq >= 0 {",
		}}},
	}
}

// cleaning are bugs in what a claim deletes.
func cleaning() []mutant {
	return []mutant{
		{name: "keep every epoch", edits: []edit{{
			claimGo, "		c.remove(ctx, c.p.epoch(lower[0]))\n", "",
		}}},
		{name: "keep what is dead", edits: []edit{{
			claimGo, "			c.remove(ctx, d)\n", "			_ = d\n",
		}}},
		{name: "keep forgotten claims", edits: []edit{{
			claimGo, "now.Sub(e.ModTime) > staleClaim {", "now.Sub(e.ModTime) > 1000*staleClaim {",
		}}},
		{name: "any claim is forgotten", edits: []edit{{
			claimGo, "now.Sub(e.ModTime) > staleClaim {", "now.Sub(e.ModTime) >= 0*staleClaim {",
		}}},
	}
}

// rolling are bugs in when files are finished, and in what is checked then.
func rolling() []mutant {
	all := []mutant{
		{name: "drain: believe a file's length", test: "^TestAFileThatIsNotWhatWasWritten", edits: []edit{{
			openFileGo, "if info.Size != s.size || info.Dir {", "if info.Dir {",
		}}},
		{name: "drain: believe a file's footer", test: "^TestAFileThatIsNotWhatWasWritten", edits: []edit{{
			openFileGo, "if err := f.inspect(ctx, info.Size); err != nil {", "if err := ctx.Err(); err != nil {",
		}}},
		{name: "drain: one refused directory keeps all files back", test: "^TestOneClosedDirectory", edits: []edit{{
			rollGo, "if err == nil || !leaveOut(err) ", "if err == nil || err != nil ",
		}}},
		{name: "drain: every file is tried under a refused manifest", test: "^TestARefusedManifest", edits: []edit{{
			rollGo, "return errors.Is(err, commitlog.ErrTarget) && ", "return errors.Is(err, commitlog.ErrNotCommitted) && ",
		}}},
		{name: "drain: retention is not our business", test: "^TestAQuarterOfTheRetention", edits: []edit{{
			drainGo, "d.policy.retention = info.Retention", "d.policy.retention = 0 * info.Retention",
		}}},
		{name: "drain: ahead has no bound", test: "^TestAheadIsBounded", edits: []edit{{
			rollGo, "for _, i := range lagging(firsts, d.next) {", "for _, i := range lagging(nil, d.next) {",
		}}},
		{name: "drain: ahead is looked at with the next event", test: "^TestAheadIsBoundedOnAQuietTopic", edits: []edit{{
			drainGo, "	if d.due {\n		return d.s.o.Now()\n	}\n", "",
		}}},
		{name: "drain: each file has a commit of its own", test: "^TestDueSoonGoesAlong", edits: []edit{{
			rollGo, "d.markDueBy(now.Add(rollSoon))", "d.markDueBy(now)",
		}}},
		{name: "drain: late events keep a file of their own open for ever", test: "^TestRollPolicyByTime", edits: []edit{{
			deadlineGo, "&& f.opened.Before(f.windowEnd) {", "&& !f.opened.Before(f.windowEnd) {",
		}}},
		{name: "drain: a quiet topic commits nothing", test: "^TestProgressWithoutFilesIsCommitted", edits: []edit{{
			rollGo, "(!at.IsZero() && !at.After(now))", "(!at.IsZero() && at.After(now) && false)",
		}}},
		{name: "drain: end without a commit", test: "^TestManifestsSayWhy", edits: []edit{{
			drainGo, "	return d.rollAll(reason)\n", "	d.log.Debug(reason)\n	return nil\n",
		}}},
		{name: "drain: stop means stop, not commit", test: "^TestEndBeforeEveryCall", edits: []edit{{
			drainGo, "context.AfterFunc(e.Grace, func() { cancel(context.Cause(e.Grace)) })", "cancel(context.Cause(e.Grace))",
		}}},
		{name: "drain: memory without a bound", test: "^TestMemoryIsBounded|^TestStoppedWhileItWaits", edits: []edit{{
			memoryGo, "if wanted, waited = d.account.wait(ctx); waited {", "if wanted, waited = reliefNone, false; waited {",
		}}},
		{name: "drain: never too often fenced", test: "^TestTwoOwnersThatDoNotKnowOfEachOther", edits: []edit{{
			sinkGo, ">= maxFencings {", ">= 1000*maxFencings {",
		}}},
		{name: "drain: whoever does not know its outcome is not fenced", test: "^TestAnUnknownOutcomeOfAFencedOwner", edits: []edit{{
			drainGo, "	if errors.Is(err, ingest.ErrFenced) || d.work.Err() != nil {\n", "	if d.over || errors.Is(err, ingest.ErrFenced) || d.work.Err() != nil {\n",
		}}},
		{name: "drain: drop what cannot be written", test: "^TestDeadLetters$", edits: []edit{{
			appendGo, "	if d.s.o.DeadLetters == nil {\n", "	if d.s.o.DeadLetters != nil {\n		return nil\n	}\n	if d.s.o.DeadLetters == nil {\n",
		}}},
		{name: "drain: believe that the log is the same", test: "^TestRefusals", edits: []edit{{
			drainGo, "	if st.HasMark {\n", "	if st.HasMark && false {\n",
		}}},
		{name: "drain: start is for every partition that appears", test: "^TestStart", edits: []edit{{
			genesisGo, "> startWindow:", "> 1000*startWindow:",
		}}},
		{name: "drain: a value may hide its directory", test: "^TestPaths", edits: []edit{{
			escapeGo, "(i == 0 && componentStart && (c == '.' || c == '_'))", "(i == 0 && componentStart && c == 0)",
		}}},
	}
	for i := range all {
		all[i].pkg = "./hdfssink"
	}
	return all
}
