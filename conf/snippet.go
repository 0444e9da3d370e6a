package conf

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// snippet writes an entry anew under another name, with some values replaced or added and some keys left out, as YAML to copy.
func snippet(name string, n *node, replace map[string]string, omit ...string) string {
	var b strings.Builder
	b.WriteString("  " + name + ":\n")
	seen := map[string]bool{}
	for _, e := range n.entries {
		if slices.Contains(omit, e.key) {
			continue
		}
		value, ok := replace[e.key]
		if !ok {
			value = flowValue(e, 0)
		}
		seen[e.key] = true
		b.WriteString("    " + quoted(e.key) + ": " + value + "\n")
	}
	keys := make([]string, 0, len(replace))
	for key := range replace {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if !seen[key] {
			b.WriteString("    " + key + ": " + replace[key] + "\n")
		}
	}
	return b.String()
}

// flowValue is flow, but for a secret that should not have been written.
func flowValue(e entry, depth int) string {
	if e.value.kind == scalarNode && soundsSecret(e.key) && !isReference(e.value.text) {
		return mask
	}
	return flow(e.value, depth)
}

// flow writes a node on one line. It stops at a depth and a length at which nobody would copy it.
func flow(n *node, depth int) string {
	const most = 16
	if depth > 4 {
		return "…"
	}
	var parts []string
	switch n.kind {
	case nullNode:
		return "null"
	case scalarNode:
		if n.scalar != String {
			return n.text
		}
		return quoted(n.text)
	case listNode:
		for _, item := range n.items {
			if parts = append(parts, flow(item, depth+1)); len(parts) == most {
				break
			}
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		for _, e := range n.entries {
			if parts = append(parts, quoted(e.key)+": "+flowValue(e, depth+1)); len(parts) == most {
				break
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
}

func quoted(text string) string {
	if len(text) > 200 {
		text = clip(text)
	}
	plain := regexp.MustCompile(`^[A-Za-z/_][A-Za-z0-9/_.:@+-]*[A-Za-z0-9/_]$|^[A-Za-z]$`)
	// A plain scalar that YAML reads as something else than a string needs quotes.
	if plain.MatchString(text) && !regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off)$`).MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}
