package routing

import (
	"iter"
	"strings"
)

// Host is one exact or wildcard name, or the catch-all "", and the paths under it. Made by
// Builder.BuildHost. Immutable, safe for concurrent use, and shared by consecutive Tables.
//
// A Host of few Routes keeps their paths in text, right behind its name, and is scanned: its name and
// path are then compared within two or three neighbouring cache lines, and it costs two allocations
// beside its Routes. Larger ones have a trie, and really large ones a shortcut past it. The Host
// itself is one cache line. Where paths are regular expressions they stand in the order in which they are tried.
type Host struct {
	// text is the name, and for a Host without a trie its records after it.
	text string
	// routes is sorted by key, Exact first; trie and records refer to it by position.
	routes []Route
	trie   *trie
	// text[keyAt:keyEnd] is the key in the index of Table; text[:keyEnd] is the name.
	keyAt, keyEnd uint32
	// tls is nil for most; see WithTLS.
	tls *HostTLS
}

type hostKind uint8

const (
	exactHost hostKind = iota
	wildcardHost
	catchAllHost
)

func kindOf(name string) hostKind {
	switch {
	case name == "":
		return catchAllHost
	case strings.HasPrefix(name, "*."):
		return wildcardHost
	}
	return exactHost
}

// wildcardKey is the part after "*." in the name of a wildcard Host.
func wildcardKey(name string) string { return name[len("*."):] }

// Name returns the name as configured, in lower case: "example.com", "*.example.com", or "" for the
// catch-all.
func (h *Host) Name() string { return h.text[:h.keyEnd] }

// Routes yields the Routes sorted by path, a parent before its children and Exact before Prefix; regular expressions in the
// order in which they are tried.
func (h *Host) Routes() iter.Seq[*Route] {
	return func(yield func(*Route) bool) {
		for i := range h.routes {
			if !yield(&h.routes[i]) {
				return
			}
		}
	}
}

// key is compared by the Table's index.
//
// hot: runs per request; must inline.
func (h *Host) key() string { return h.text[h.keyAt:h.keyEnd] }

func (h *Host) size() int {
	if h == nil {
		return 0
	}
	return len(h.routes)
}

// match returns the best Route for path, or nil.
//
// hot: runs per request; no alloc, no lock.
func (h *Host) match(path []byte) *Route {
	var i int
	switch {
	case h.trie == nil:
		i = scanRecords(h.text[h.keyEnd:], h.routes, path)
	case h.trie.shortcut != nil && len(path) <= maxShortcutPath:
		i = h.trie.shortcut.match(h.routes, path)
	case h.trie.expressions != nil:
		return h.trie.expressions.match(h.routes, path)
	default:
		i = h.trie.match(path)
	}
	if uint(i) < uint(len(h.routes)) {
		return &h.routes[i]
	}
	return nil
}

// The records of a Host are one head for each Route, in the order of Host.routes, and behind the heads
// the keys in the same order. A head is a kind byte, the length of the key in two bytes (low first),
// and the last byte of the key. So most Routes are passed over by what stands in one cache line, without a
// look at their keys.
const (
	recordHead   = 4
	recordExact  = 'E'
	recordPrefix = 'P'
	// maxRecords is where the scan begins to cost more than the walk of a trie: 33 against 29 ns at 16
	// keys, 25 against 30 at 8 (BenchmarkForm). A trie is also four places in memory more, and with
	// 10,000 Hosts of ten Routes each, hit at random, none of them is in a cache.
	maxRecords = 16
	// maxRecordKey is the largest length that two bytes can hold.
	maxRecordKey = 1<<16 - 1
)

func appendRecords(text []byte, keys []keyed) []byte {
	for _, k := range keys {
		kind, last := byte(recordPrefix), byte(0)
		if k.exact {
			kind = recordExact
		}
		if n := len(k.key); n > 0 {
			last = k.key[n-1]
		}
		text = append(text, kind, byte(len(k.key)), byte(len(k.key)>>8), last)
	}
	for _, k := range keys {
		text = append(text, k.key...)
	}
	return text
}

// scanRecords returns the position of the best Route for path among the records of routes, or -1. Keys
// that are prefixes of one path sort by length, so the last that covers it is the longest.
//
// A byte of every Route is read on the way, and nothing waits for these reads: where Host and Routes
// are in no cache, the Route found in the end has come from memory at the same time as the records.
//
// hot: runs per request; no alloc, no lock.
func scanRecords(records string, routes []Route, path []byte) int {
	best := -1
	end := len(routes) * recordHead
	var types PathType
	for i := range routes {
		types |= routes[i].Type
		head := records[i*recordHead : i*recordHead+recordHead]
		n := int(head[1]) | int(head[2])<<8
		at := end
		end += n
		if n >= len(path) {
			if n > len(path) {
				continue
			}
		} else if path[n] != '/' || head[0] == recordExact {
			continue
		}
		if n > 0 && path[n-1] != head[3] || string(path[:n]) != records[at:end] {
			continue
		}
		if head[0] == recordExact {
			return i
		}
		best = i
	}
	if types > Exact|Prefix|ImplementationSpecific {
		panic("BUG: Route of unknown type") // and without a use the reads would be left out
	}
	return best
}

// endsSegment reports whether the first n bytes of path end where a segment ends.
//
// hot: runs per request; must inline.
func endsSegment(path []byte, n int) bool { return n == len(path) || path[n] == '/' }

// key is the form of r's path that is compared: Exact ones as they are, others without trailing
// slashes, so that "/" becomes "", which every path has as its first zero segments; a default
// backend stands for "/" too.
//
// hot: runs per request; no alloc.
func (r *Route) key() string {
	if r.Default {
		return ""
	}
	if r.Type == Exact {
		return r.Path
	}
	n := len(r.Path)
	for n > 0 && r.Path[n-1] == '/' {
		n--
	}
	return r.Path[:n]
}

// keyed returns r's key with its kind.
func (r *Route) keyed() keyed { return keyed{r.key(), r.Type == Exact && !r.Default} }
