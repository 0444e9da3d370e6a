package hdfssink

// SetAheadLimit makes the limit of 1 MiB reachable for a test.
func (s *Sink) SetAheadLimit(n uint64) { s.policy.ahead = n }

// Hold is a partition that holds so much memory and never does what it is asked to do.
func (b *Budget) Hold(bytes int64) (release func()) {
	a := b.open()
	a.tell(bytes, bytes)
	return a.close
}
