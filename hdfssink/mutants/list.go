package main

import "slices"

const (
	claimGo   = "hdfssink/commitlog/claim.go"
	commitGo  = "hdfssink/commitlog/commit.go"
	publishGo = "hdfssink/commitlog/publish.go"
	archiveGo = "hdfssink/commitlog/archive.go"
	chainGo   = "hdfssink/commitlog/chain.go"
	retryGo   = "ingest/agent/retry.go"
)

// mutants is the list of planted bugs.
func mutants() []mutant {
	return slices.Concat(fencing(), cleaning(), publishing(), keeping(), refusing(), draining(), rolling(), around())
}

// fencing are bugs in how a claim keeps others out.
func fencing() []mutant {
	return []mutant{
		{name: "skip the fence", edits: []edit{{
			claimGo,
			"err := c.log.o.FS.Rename(ctx, live, dead)\n",
			"err := error(nil)\n",
		}, {
			claimGo,
			"c.publish(ctx, m, m.fencedStage(c.p), how)",
			"c.publish(ctx, m, m.stage(c.p), how)",
		}}},
		{name: "reuse an epoch number: do not look again", edits: []edit{{
			claimGo,
			"if len(all) > 0 && all[len(all)-1] > c.epoch {",
			"if false {",
		}, {
			claimGo,
			"return all[:len(all)-1], nil",
			"return all[:slices.Index(all, c.epoch)], nil",
		}}},
		{name: "reuse an epoch number: count the epochs", edits: []edit{{
			claimGo,
			"return all[len(all)-1] + 1, nil",
			"return int64(len(all)) + 1, nil",
		}}},
		{name: "reuse an epoch number: make the directory in place", edits: []edit{{
			claimGo,
			"switch err := c.log.o.FS.Rename(ctx, c.claimDir(), c.p.epoch(next)); {",
			"switch err := c.log.o.FS.MkdirAll(ctx, c.p.live(next, c.live), 0); {",
		}}},
		{name: "reuse a live path", edits: []edit{{
			claimGo,
			"c.live = c.log.o.Nonce()",
			`c.live = "x"`,
		}, {
			claimGo,
			"path.Join(c.p.dir, claimMark+c.live)",
			"path.Join(c.p.dir, claimMark+c.log.o.Owner.Host)",
		}}},
		{name: "read the newest manifest before the fence", edits: []edit{{
			claimGo,
			"	dead, err := c.fence(ctx, lower)\n	if err != nil {\n		return nil, err\n	}\n	if err := c.recover(ctx, how); err != nil {\n		return nil, err\n	}\n",
			"	if err := c.recover(ctx, how); err != nil {\n		return nil, err\n	}\n	dead, err := c.fence(ctx, lower)\n	if err != nil {\n		return nil, err\n	}\n",
		}}},
		{name: "delete dead above the own epoch", edits: []edit{{
			claimGo,
			"	for _, d := range dead {\n		if len(lower)",
			"	all, _ := c.epochs(ctx)\n	for _, n := range all {\n		is, _ := c.log.o.FS.List(ctx, c.p.epoch(n))\n		for _, i := range is {\n" +
				"			if strings.HasPrefix(i.Name, deadMark) {\n				c.remove(ctx, path.Join(c.p.epoch(n), i.Name))\n			}\n		}\n	}\n	for _, d := range dead {\n		if len(lower)",
		}}},
		{name: "delete staging too early", edits: []edit{{
			claimGo,
			"	if err := c.recover(ctx, how); err != nil {\n		return nil, err\n	}\n	c.clean(ctx, lower, dead)\n",
			"	c.clean(ctx, lower, dead)\n	if err := c.recover(ctx, how); err != nil {\n		return nil, err\n	}\n",
		}}},
		{name: "do not finish the newest manifest", edits: []edit{{
			claimGo,
			"if !v.done[m.Seq] {",
			"if false {",
		}}},
	}
}

// publishing are bugs in how a commit gets into the log and its files to their names.
func publishing() []mutant {
	return []mutant{
		{name: "ignore rename's answer: files", edits: []edit{{
			publishGo,
			"case err == nil:\n			return nil\n		case unsure(err), errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):\n",
			"case err == nil || !unsure(err):\n			return nil\n		case unsure(err):\n",
		}}},
		{name: "ignore rename's answer: manifest", edits: []edit{{
			commitGo,
			"case err == nil:\n			return nil\n		case unsure(err):\n			sent = true\n",
			"case err == nil || !again(err):\n			return nil\n		case unsure(err):\n			sent = true\n",
		}}},
		{name: "an unanswered rename counts as done: files", edits: []edit{{
			publishGo,
			"case err == nil:\n			return nil\n		case unsure(err), ",
			"case err == nil || unsure(err):\n			return nil\n		case ",
		}}},
		{name: "an unanswered rename counts as done: manifest", edits: []edit{{
			commitGo,
			"case err == nil:\n			return nil\n		case unsure(err):\n			sent = true\n",
			"case err == nil || unsure(err):\n			return nil\n		case sent:\n			sent = true\n",
		}}},
		{name: "an unanswered rename counts as not done: manifest", edits: []edit{{
			commitGo,
			"case unsure(err):\n			sent = true\n",
			"case unsure(err):\n			return ErrNotCommitted\n",
		}}},
		{name: "any manifest at our place is ours", edits: []edit{{
			commitGo,
			"case err == nil && is.Nonce == m.Nonce:",
			"case err == nil && is.Nonce != \"\":",
		}}},
		{name: "done by length", edits: []edit{{
			publishGo,
			"case err == nil && i.ID == f.ID:",
			"case err == nil && i.Size == f.Size:",
		}}},
		{name: "manifest rename overwrites", edits: []edit{{
			commitGo,
			"err := c.log.o.FS.Rename(ctx, from, c.p.manifest(m.Seq))",
			"err := c.log.o.FS.RemoveAll(ctx, c.p.manifest(m.Seq))\n		if err == nil {\n			err = c.log.o.FS.Rename(ctx, from, c.p.manifest(m.Seq))\n		}",
		}}},
		{name: "publish before the manifest is in the log", edits: []edit{{
			commitGo,
			"	if err := c.land(ctx, from, m); err != nil {",
			"	if err := c.publish(ctx, m, c.Live(), strict); err != nil {\n		return err\n	}\n	if err := c.land(ctx, from, m); err != nil {",
		}}},
		{name: "done before the renames", edits: []edit{{
			publishGo,
			"	for i := range m.Files {\n",
			"	if err := mkdir(ctx, c.log.o.FS, c.p.done(m.Seq), 0); err != nil {\n		return err\n	}\n	for i := range m.Files {\n",
		}}},
		{name: "publish without making the directory: commit", edits: []edit{{
			commitGo,
			"if dir := path.Dir(f.Final); !c.made[dir] {",
			"if dir := path.Dir(f.Final); false {",
		}}},
		{name: "publish without making the directory: recovery", edits: []edit{{
			publishGo,
			"if lookErr == nil && errors.Is(err, fs.ErrNotExist) {",
			"if false {",
		}}},
		{name: "a name that is taken is always foreign", edits: []edit{{
			commitGo,
			"if !still {",
			"if still = true; !still {",
		}}},
		{name: "a file that is nowhere is always lost", edits: []edit{{
			publishGo,
			"if done, err = exists(ctx, c.log.o.FS, c.p.done(m.Seq)); err != nil || done {\n		return done, err\n	}",
			"done = false",
		}, {
			publishGo,
			"} else if !there {\n		return false, c.fenced(ctx)",
			"} else if there = true; !there {\n		return false, c.fenced(ctx)",
		}, {
			publishGo,
			"if len(all) == 0 || all[len(all)-1] != c.epoch {",
			"if all = nil; all != nil {",
		}}},
	}
}

// keeping are bugs in what the log says and how long.
func keeping() []mutant {
	return []mutant{
		{name: "no genesis", edits: []edit{{
			commitGo,
			"	m.First, m.Low, m.Mark = first, first, mark\n	return c.write(ctx, m)\n",
			"	m.First, m.Low, m.Mark, m.Seq = first, first, mark, -1\n	c.newest, c.state = m, m.state()\n	return nil\n",
		}}},
		{name: "archive deletes before its rename", edits: []edit{{
			archiveGo,
			"	if err := c.log.o.FS.Rename(ctx, temp, ",
			"	for n := s.first; n <= s.last; n++ {\n		_ = c.drop(ctx, n)\n	}\n	if err := c.log.o.FS.Rename(ctx, temp, ",
		}}},
		{name: "archive takes the newest", edits: []edit{{
			archiveGo,
			"next := span{last + 1, c.state.Seq - 1}",
			"next := span{last + 1, c.state.Seq}",
		}}},
		{name: "forget ahead", edits: []edit{{
			commitGo,
			"Set{ahead}, Set{in.Filtered}",
			"Set{func() *roaring64.Bitmap { ahead.Clear(); return ahead }()}, Set{in.Filtered}",
		}}},
		{name: "start from the group's offset", edits: []edit{{
			claimGo,
			"	c.topic = cmp.Or(",
			"	if r.HasHint {\n		c.state.Low = r.Hint.Next\n	}\n	c.topic = cmp.Or(",
		}}},
		{name: "believe the listing of the log", edits: []edit{{
			chainGo,
			"if there, err := exists(ctx, fsys, p.manifest(n+1)); err != nil || there {",
			"if there, err := false, error(nil); err != nil || there {",
		}}},
	}
}

// around are bugs in the places where the sink, or its caller, could undo what the protocol does.
func around() []mutant {
	return []mutant{
		{name: "drain: accept what retention has deleted unasked", pkg: "./hdfssink", test: "^TestRefusals", edits: []edit{{
			drainGo,
			"case d.s.c.OnGap != \"accept\":",
			"case false:",
		}}},
		{name: "drain: no genesis", pkg: "./hdfssink", test: "^TestStart", edits: []edit{{
			drainGo,
			"	if !d.claim.State().Exists {\n",
			"	if false {\n",
		}}},
		{name: "drain: delete staged files of an unknown outcome", pkg: "./hdfssink", test: "^TestStagedFilesOutliveAnUnknownOutcome", edits: []edit{{
			rollGo,
			"if !d.over { // else",
			"if true { // else",
		}}},
		{name: "agent: claim again after fencing", pkg: "./ingest/agent", test: "^TestFencedSinkClaimsAgainOnlyAfterConfirmation", edits: []edit{{
			retryGo,
			"err := s.Confirm(ctx)\n",
			"err := ctx.Err()\n",
		}}},
	}
}
