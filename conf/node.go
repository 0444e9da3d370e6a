package conf

// pos is where something stands in the file. The zero pos is nowhere.
type pos struct {
	line, col, width int // in characters; line and col count from 1
}

type nodeKind int

const (
	scalarNode nodeKind = iota
	nullNode
	listNode
	mapNode
	badNode // was reported already: what it should have been is not known, and nothing more is said of it
)

func (k nodeKind) String() string {
	switch k {
	case nullNode:
		return "empty"
	case listNode:
		return "a list"
	case mapNode:
		return "a block of keys"
	default:
		return "a single value"
	}
}

// node is a YAML value with its place. Aliases are resolved: the same node may hang in several places, so a tree of nodes is
// never changed after it was built, and nothing walks it without knowing that its size is bounded (maxNodes).
type node struct {
	pos     pos
	kind    nodeKind
	scalar  ScalarKind
	text    string
	items   []*node
	entries []entry
	size    int // nodes below and including this one, aliases counted as often as they are used
}

// entry is a key and its value.
type entry struct {
	key    string
	keyPos pos
	value  *node
}

// entry finds a key; n may be nil.
func (n *node) entry(key string) (entry, bool) {
	if n == nil || n.kind != mapNode {
		return entry{}, false
	}
	for _, e := range n.entries {
		if e.key == key {
			return e, true
		}
	}
	return entry{}, false
}

// place is what a problem is about: a path and, if it was written, the key and value that stand there.
type place struct {
	path string
	key  pos   // of the key, or of the list item; for the document, its first line
	node *node // nil: not written
}

// mark is where to point at: a short value itself, or the key of a whole block.
func (p place) mark() pos {
	if p.node != nil && p.node.kind == scalarNode && p.node.pos.line > 0 {
		return p.node.pos
	}
	return p.key
}

func (p place) child(key string) place {
	c := place{path: join(p.path, key), key: p.key}
	if e, ok := p.node.entry(key); ok {
		c.key, c.node = e.keyPos, e.value
	}
	return c
}

func (p place) item(i int) place {
	c := place{path: index(p.path, i), key: p.key}
	if p.node != nil && p.node.kind == listNode && i < len(p.node.items) {
		c.node = p.node.items[i]
		c.key = c.node.pos
	}
	return c
}
