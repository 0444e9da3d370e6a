package conf

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// builder makes nodes out of the parser's tree: aliases and merges resolved, duplicate keys found.
type builder struct {
	c       *collector
	anchors map[string]*node
	merges  int  // entries copied by <<
	stopped bool // too large: the rest is not worth telling
}

func (b *builder) errorf(t *token.Token, format string, args ...any) *Problem {
	return b.c.add(SeverityError, place{key: tokenPos(t)}, format, args...)
}

// build never answers nil: what cannot be used becomes a badNode.
func (b *builder) build(n ast.Node, depth int) *node {
	out := &node{kind: badNode, size: 1}
	if n == nil || b.stopped {
		return out
	}
	out.pos = tokenPos(n.GetToken())
	if depth > maxDepth {
		b.stop(n, "blocks are nested more than %d deep", maxDepth)
		return out
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		b.mapping(n.Values, out, depth)
	case *ast.MappingValueNode:
		b.mapping([]*ast.MappingValueNode{n}, out, depth)
	case *ast.SequenceNode:
		out.kind = listNode
		for _, v := range n.Values {
			item := b.build(v, depth+1)
			out.items = append(out.items, item)
			out.size += item.size
		}
	case *ast.AnchorNode:
		out = b.build(n.Value, depth+1)
		b.anchors[n.Name.GetToken().Value] = out
		return out // counted already
	case *ast.AliasNode:
		return b.alias(n, out)
	case *ast.TagNode:
		b.errorf(n.Start, "YAML tags such as %s have no meaning here", clip(n.Start.Value)).Fixf("remove the tag; quote the value if it is a string")
	case *ast.NullNode:
		out.kind = nullNode
	default:
		b.scalar(n, out)
	}
	if !b.stopped && (out.size > maxNodes || b.merges > maxNodes) {
		b.stop(n, "with its aliases the configuration has more than %d values", maxNodes).Fixf("write what is repeated once, in a component of its own")
	}
	return out
}

func (b *builder) stop(n ast.Node, format string, args ...any) *Problem {
	b.stopped = true
	return b.errorf(n.GetToken(), format, args...)
}

func (b *builder) alias(n *ast.AliasNode, bad *node) *node {
	name := n.Value.GetToken().Value
	target, ok := b.anchors[name]
	if !ok {
		b.errorf(n.Value.GetToken(), "there is no anchor &%s above this line", clip(name)).Fixf("if the value is meant to begin with *, quote it")
		return bad
	}
	return target
}

func (b *builder) scalar(n ast.Node, out *node) {
	out.kind = scalarNode
	t := n.GetToken()
	switch n := n.(type) {
	case *ast.LiteralNode:
		out.text = n.Value.Value
	case *ast.StringNode:
		out.text = n.Value
	case *ast.BoolNode:
		out.text, out.scalar = t.Value, Bool
	case *ast.IntegerNode:
		out.text, out.scalar = t.Value, Integer
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.text, out.scalar = t.Value, Float
	default:
		out.kind = badNode
		b.errorf(t, "this kind of YAML value has no meaning here")
	}
}

// mapping adds the entries, then those merged in with <<, which never win over written ones.
func (b *builder) mapping(values []*ast.MappingValueNode, out *node, depth int) {
	out.kind = mapNode
	seen := make(map[string]int, len(values))
	var merges []*node
	for _, v := range values {
		value := b.build(v.Value, depth+1)
		if _, ok := v.Key.(*ast.MergeKeyNode); ok {
			merges = append(merges, b.merged(value, v)...)
			continue
		}
		t := v.Key.GetToken()
		if !scalarKey(v.Key) {
			b.errorf(t, "a key must be a plain word")
			continue
		}
		at := tokenPos(t)
		if line, ok := seen[t.Value]; ok {
			b.errorf(t, "key %q is written twice, the first time in line %d", clip(t.Value), line).Fixf("remove one of them")
			continue
		}
		seen[t.Value] = at.line
		if len(out.entries) == 0 {
			out.pos = at
		}
		out.entries = append(out.entries, entry{key: t.Value, keyPos: at, value: value})
		out.size += value.size
	}
	for _, m := range merges {
		for _, e := range m.entries {
			if _, ok := seen[e.key]; ok {
				continue
			}
			seen[e.key] = e.keyPos.line
			if b.merges++; b.merges > maxNodes {
				return
			}
			out.entries = append(out.entries, e)
			out.size += e.value.size
		}
	}
}

func scalarKey(k ast.MapKeyNode) bool {
	switch k.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return !strings.Contains(k.GetToken().Value, "\n")
	default:
		return false
	}
}

// merged are the blocks behind a <<: one, or a list of them.
func (b *builder) merged(value *node, at *ast.MappingValueNode) []*node {
	blocks := []*node{value}
	if value.kind == listNode {
		blocks = value.items
	}
	for _, m := range blocks {
		if m.kind == badNode {
			return nil
		}
		if m.kind != mapNode {
			b.errorf(at.Key.GetToken(), "<< merges blocks of keys, and this is %s", m.kind).Fixf("write `<<: *anchor`")
			return nil
		}
	}
	return blocks
}
