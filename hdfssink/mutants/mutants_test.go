package main

import "testing"

// TestTextsOccurOnce fails as soon as the code has moved away from a planted bug; whether the bugs are caught takes minutes and is
// `make mutants`.
func TestTextsOccurOnce(t *testing.T) {
	b := bench{root: "../..", dir: t.TempDir()}
	for _, m := range mutants() {
		if _, err := b.overlay(m); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}
