package conf

import (
	"fmt"
	"strings"
	"unicode"
)

// nearest is the candidate that somebody who wrote word most likely meant, "" if none is near.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+1
	plain := fold(word)
	for _, c := range candidates {
		if fold(c) == plain {
			return c
		}
		if d := distance(plain, fold(c)); d <= bestDistance && (best == "" || d < distance(plain, fold(best))) && d < len(c) {
			best = c
		}
	}
	return best
}

// fold takes away what people vary: rollSize, roll-size and roll_size are one.
func fold(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// distance counts insertions, deletions, substitutions and swaps of neighbors.
func distance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

// didYouMean is the Fix for a word that is none of the candidates.
func didYouMean(word string, candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	if n := nearest(word, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return "known: " + strings.Join(candidates, ", ")
}
