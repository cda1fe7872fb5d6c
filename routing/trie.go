package routing

import "strings"

// The trie of one Host: a radix (path-compressed) trie over the bytes of path keys, laid out in
// three arrays without a pointer in them, so that the garbage collector does not walk them and a
// lookup stays within few cache lines.
//
//	nodes   16 bytes each; the root is 0; the children of a node are neighbours
//	edges   edges[i] is the byte that leads from the parent to nodes[i]
//	labels  the bytes that follow the edge, without a branch, up to the node; nodes of one family
//	        have theirs side by side
//
// The key of an Exact Route is its path; that of a Prefix Route is its path without the trailing
// slash. A key with both has its Exact Route right before its Prefix Route in Host.routes, hence
// one index and two flags.
//
// Order of decisions at a node, with i bytes of the path consumed:
//
//  1. The label differs from the path: stop, the answer is the last remembered Prefix.
//  2. The path ends here: Exact, else Prefix, else what is remembered.
//  3. The node has a Prefix Route and path[i] is '/': a whole segment ends, remember it.
//  4. No child for path[i]: stop as in 1. Otherwise go down.
//
// Going down never loses a better answer, since an Exact Route or a longer Prefix can only be below;
// "backtracking" is falling back to the one index remembered, never a second walk. So a lookup is
// linear in the path's length and does not depend on the number of Routes.
//
// Example: Prefix /, Prefix /api, Exact /api/v1, Prefix /api/v1/users, Prefix /apix.
//
//	0 ""                      Prefix /
//	└─ 1 '/' "api"            Prefix /api
//	   ├─ 2 '/' "v1"          Exact /api/v1
//	   │  └─ 4 '/' "users"    Prefix /api/v1/users
//	   └─ 3 'x' ""            Prefix /apix
//
//	/api/v1         node 0 remembers Prefix /, node 1 remembers Prefix /api, node 2 is the end: Exact.
//	/api/v1/usersX  node 4 is reached, yet the path goes on with 'X', not '/': its Prefix does not
//	                count, there is no child 'X', and the walk falls back over node 2, which has no
//	                Prefix, to what node 1 left: Prefix /api.
//	/apiy           node 1 is followed by 'y': /api is no whole segment here; no child 'y'; Prefix /.
type trie struct {
	nodes  []node
	edges  string
	labels string
	// shortcut is nil where there are so few keys that the walk is faster.
	shortcut *shortcut
	// expressions is nil but for a Host of regular expressions, which has nothing else of a trie.
	expressions *expressions
}

// node is one branching point or end of a key.
type node struct {
	// label is where labels has the node's, labelLen long.
	label uint32
	// child is the first child; 0, the root's own index, means none.
	child uint32
	// route is the position of the node's first Route in Host.routes; see ends.
	route    uint32
	labelLen uint16
	// lastChild is the number of children less one, so that 256 fit.
	lastChild uint8
	ends      uint8
}

// The bits of node.ends.
const (
	endsExact  = 1 << 0
	endsPrefix = 1 << 1
)

const (
	maxLabel = 1<<16 - 1
	// manyEdges is from where strings.IndexByte beats a loop.
	manyEdges = 8
)

// match returns the position of the best Route for path, or -1.
//
// hot: runs per request; no alloc, no lock.
func (t *trie) match(path []byte) int {
	best := -1
	n := &t.nodes[0]
	for i := 0; ; {
		if l := int(n.labelLen); l != 0 {
			if len(path)-i < l || string(path[i:i+l]) != t.labels[n.label:int(n.label)+l] {
				return best
			}
			i += l
		}
		if i == len(path) {
			if n.ends != 0 {
				return int(n.route)
			}
			return best
		}
		c := path[i]
		if c == '/' && n.ends&endsPrefix != 0 {
			best = int(n.route) + int(n.ends&endsExact)
		}
		if n.child == 0 {
			return best
		}
		// Most nodes have two or three children, for which a call would cost more than the search.
		edges := t.edges[n.child : int(n.child)+int(n.lastChild)+1]
		k := 0
		if len(edges) > manyEdges {
			k = strings.IndexByte(edges, c)
			if k < 0 {
				return best
			}
		} else {
			for edges[k] != c {
				if k++; k == len(edges) {
					return best
				}
			}
		}
		n = &t.nodes[int(n.child)+k]
		i++
	}
}

// A keyed is a Route's key during a build.
type keyed struct {
	key   string
	exact bool
}

// ends is the bit of node.ends for k.
func (k keyed) ends() uint32 {
	if k.exact {
		return endsExact
	}
	return endsPrefix
}

// newTrie builds the trie of keys, which must be sorted, Exact first among equals, and without
// duplicates. It goes breadth first, so that siblings are neighbours.
func newTrie(keys []keyed) *trie {
	// work is a node's keys, all of which share their first depth bytes; parallel to nodes.
	type work struct{ lo, hi, depth int }
	t := &trie{nodes: make([]node, 1, len(keys)*5/4+1)}
	var labels []byte
	edges := make([]byte, 1, len(keys)*5/4+1)
	queue := make([]work, 1, len(keys)*5/4+1)
	queue[0] = work{0, len(keys), 0}
	for at := 0; at < len(t.nodes); at++ {
		w := queue[at]
		label := commonPrefix(keys[w.lo].key[w.depth:], keys[w.hi-1].key[w.depth:])
		label = label[:min(len(label), maxLabel)]
		depth := w.depth + len(label)
		n := node{label: uint32(len(labels)), labelLen: uint16(len(label))}
		labels = append(labels, label...)
		lo := w.lo
		for ; lo < w.hi && len(keys[lo].key) == depth; lo++ {
			if n.ends == 0 {
				n.route = uint32(lo)
			}
			n.ends |= uint8(keys[lo].ends())
		}
		if lo < w.hi {
			n.child = uint32(len(t.nodes))
		}
		for lo < w.hi {
			edge := keys[lo].key[depth]
			hi := lo + 1
			for hi < w.hi && keys[hi].key[depth] == edge {
				hi++
			}
			t.nodes = append(t.nodes, node{})
			edges = append(edges, edge)
			queue = append(queue, work{lo, hi, depth + 1})
			lo = hi
		}
		if n.child != 0 {
			n.lastChild = uint8(len(t.nodes) - int(n.child) - 1)
		}
		t.nodes[at] = n
	}
	t.edges, t.labels = string(edges), string(labels)
	return t
}

func commonPrefix(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return a[:i]
}
