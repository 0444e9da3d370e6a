package hadoopxml

import (
	"fmt"
	"strings"
)

// maxSubstitutions is Java's.
const maxSubstitutions = 20

// maxExpanded bounds what twenty substitutions can blow up to.
const maxExpanded = 1 << 20

// substitute replaces ${…} as Java does, one at a time from the left, looking again at what came in.
func (c *Config) substitute(expr string) (string, error) {
	value := expr
	for range maxSubstitutions {
		start, end := findVariable(value)
		if start < 0 {
			return value, nil
		}
		name := value[start:end]
		replacement, ok := c.variable(name)
		if !ok {
			return value, nil
		}
		if strings.Contains(replacement, "${"+name+"}") {
			return expr, nil // it refers to itself
		}
		value = value[:start-2] + replacement + value[end+1:]
		if len(value) > maxExpanded {
			return "", fmt.Errorf("the value grows beyond %d bytes by substitution", maxExpanded)
		}
	}
	return "", fmt.Errorf("more than %d substitutions in %q; look for variables that refer to one another", maxSubstitutions, clip(expr))
}

// findVariable finds the name in the first ${name} that has no blank, $ or nothing in it: in ${a${b}} that is b.
func findVariable(s string) (start, end int) {
	from := 1
next:
	for {
		if from >= len(s) {
			return -1, -1
		}
		brace := strings.IndexByte(s[from:], '{')
		if brace < 0 {
			return -1, -1
		}
		brace += from
		if brace+2 >= len(s) {
			return -1, -1
		}
		if s[brace-1] != '$' {
			from = brace + 1
			continue
		}
		for i := brace + 1; i < len(s); i++ {
			switch s[i] {
			case '}':
				if i > brace+1 {
					return brace + 1, i
				}
				from = i + 1
				continue next
			case ' ', '$':
				from = i + 1
				continue next
			}
		}
		return -1, -1
	}
}

// variable is what ${name} stands for.
func (c *Config) variable(name string) (string, bool) {
	if env, ok := strings.CutPrefix(name, "env."); ok && env != "" {
		if value, ok := c.environment(env); ok {
			return value, true
		}
	} else if value, ok := c.systemProperty(name); ok {
		return value, true
	}
	for _, today := range names(name) {
		if p, ok := c.raw(today); ok {
			return p.Raw, true
		}
	}
	return "", false
}

// environment understands NAME, NAME:-default (also if empty) and NAME-default (only if unset).
func (c *Config) environment(expr string) (string, bool) {
	name, fallback, ok := strings.Cut(expr, "-")
	if !ok {
		return c.getenv(expr)
	}
	if before, ok := strings.CutSuffix(name, ":"); ok {
		if value, ok := c.getenv(before); ok && value != "" {
			return value, true
		}
		return fallback, true
	}
	if value, ok := c.getenv(name); ok {
		return value, true
	}
	return fallback, true
}
