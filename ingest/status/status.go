// Package status is the tree of component states that health, metrics and the status page are renderings of.
// Components know nothing of it: the agent reports what their calls return.
package status

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// State of a component.
type State int

// The states.
const (
	Stopped State = iota
	OK
	Stopping
	Starting
	Retrying
	Failed
)

func (s State) String() string {
	switch s {
	case Stopped:
		return "Stopped"
	case OK:
		return "OK"
	case Stopping:
		return "Stopping"
	case Starting:
		return "Starting"
	case Retrying:
		return "Retrying"
	case Failed:
		return "Failed"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// MarshalJSON writes the state's name.
func (s State) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Node is one component in the tree. Safe for concurrent use.
type Node struct {
	name   string
	parent *Node
	mu     *sync.Mutex // one for the whole tree: changes are rare and snapshots are whole
	now    func() time.Time

	state    State
	reason   string
	since    time.Time
	attempts int
	children map[string]*Node
}

// New makes the root of a tree.
func New(name string) *Node {
	n := &Node{name: name, mu: new(sync.Mutex), now: time.Now, state: Starting, children: map[string]*Node{}}
	n.since = n.now()
	return n
}

// Child returns the child of that name, made on first use in state Starting.
func (n *Node) Child(name string) *Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, ok := n.children[name]
	if !ok {
		c = &Node{name: name, parent: n, mu: n.mu, now: n.now, state: Starting, since: n.now(), children: map[string]*Node{}}
		n.children[name] = c
	}
	return c
}

// Set changes the state. Since changes only when the state does; attempts counts consecutive Retrying and Failed reports.
func (n *Node) Set(s State, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch s {
	case Retrying, Failed:
		n.attempts++
	case OK, Stopped:
		n.attempts = 0
	case Starting, Stopping:
	}
	if s != n.state {
		n.state, n.since = s, n.now()
	}
	n.reason = reason
}

// Remove takes the node and all below it out of the tree, e.g. when a partition has been given up.
func (n *Node) Remove() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.parent != nil && n.parent.children[n.name] == n {
		delete(n.parent.children, n.name)
	}
}

// Snapshot is a node and all below it at one moment.
type Snapshot struct {
	Name     string     `json:"name"`
	State    State      `json:"state"`
	Reason   string     `json:"reason,omitempty"`
	Since    time.Time  `json:"since"`
	Attempts int        `json:"attempts,omitempty"`
	Children []Snapshot `json:"children,omitempty"`
}

// Snapshot returns the tree as it is now, children sorted by name.
func (n *Node) Snapshot() Snapshot {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.snapshot()
}

func (n *Node) snapshot() Snapshot {
	s := Snapshot{Name: n.name, State: n.state, Reason: n.reason, Since: n.since, Attempts: n.attempts}
	for _, c := range n.children {
		s.Children = append(s.Children, c.snapshot())
	}
	slices.SortFunc(s.Children, func(a, b Snapshot) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// Unready lists why the tree is not ready, one line for each component: everything that is Failed, Starting or Stopping,
// and what has been Retrying for longer than patience. Empty means ready.
func (s Snapshot) Unready(now time.Time, patience time.Duration) []string {
	var out []string
	s.walk("", func(path string, n Snapshot) {
		bad := n.State == Failed || n.State == Starting || n.State == Stopping ||
			n.State == Retrying && now.Sub(n.Since) >= patience
		if bad {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s: %s since %s: %s", path, n.State, n.Since.UTC().Format(time.RFC3339), n.Reason), ": "))
		}
	})
	return out
}

func (s Snapshot) walk(above string, visit func(path string, n Snapshot)) {
	path := strings.TrimPrefix(above+"/"+s.Name, "/")
	visit(path, s)
	for _, c := range s.Children {
		c.walk(path, visit)
	}
}

// Text renders the tree, one line for each component, the failing ones with their reason.
func (s Snapshot) Text() string {
	var b strings.Builder
	s.text(&b, 0)
	return b.String()
}

func (s Snapshot) text(b *strings.Builder, depth int) {
	fmt.Fprintf(b, "%*s%s: %s since %s", 2*depth, "", s.Name, s.State, s.Since.UTC().Format(time.RFC3339))
	if s.Attempts > 0 {
		fmt.Fprintf(b, " (attempt %d)", s.Attempts)
	}
	if s.Reason != "" {
		fmt.Fprintf(b, ": %s", s.Reason)
	}
	b.WriteByte('\n')
	for _, c := range s.Children {
		c.text(b, depth+1)
	}
}
