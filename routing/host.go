package routing

import (
	"iter"
	"strings"
)

// Host is one exact or wildcard name, or the catch-all "", and the paths under it. Made by
// Builder.BuildHost. Immutable, safe for concurrent use, and shared by consecutive Tables.
//
// A Host of few Routes keeps its paths in text, right behind its name, and is scanned: its name and
// path are then compared within one or two cache lines, and it costs two allocations beside its
// Routes. Larger ones have a trie, and really large ones a shortcut past it.
type Host struct {
	// hash is that of key.
	hash uint64
	// text is the name, and for a Host without a trie one record per Route after it.
	text string
	// routes is sorted by key, Exact first; trie and records refer to it by position.
	routes   []Route
	trie     *trie
	shortcut *shortcut
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

// wildcardKey is what follows "*." in the name of a wildcard Host.
func wildcardKey(name string) string { return name[len("*."):] }

// Name returns the name as configured, in lower case: "example.com", "*.example.com", or "" for the
// catch-all.
func (h *Host) Name() string { return h.text[:h.keyEnd] }

// Routes yields the Routes sorted by path, a parent before its children and Exact before Prefix.
func (h *Host) Routes() iter.Seq[*Route] {
	return func(yield func(*Route) bool) {
		for i := range h.routes {
			if !yield(&h.routes[i]) {
				return
			}
		}
	}
}

// key is what the Table's index compares.
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
		i = scanRecords(h.text[h.keyEnd:], path)
	case h.shortcut != nil && len(path) <= maxShortcutPath:
		i = h.shortcut.match(h.routes, path)
	default:
		i = h.trie.match(path)
	}
	if uint(i) < uint(len(h.routes)) {
		return &h.routes[i]
	}
	return nil
}

// A record is a kind byte, the length of the key in two bytes (low first), and the key. Records
// follow each other in the order of Host.routes.
const (
	recordHead   = 3
	recordExact  = 'E'
	recordPrefix = 'P'
	// maxRecords is where the trie becomes faster than the scan, and cheap beside its Routes.
	maxRecords = 4
	// maxRecordKey is what the two length bytes can say.
	maxRecordKey = 1<<16 - 1
)

func appendRecord(text []byte, exact bool, key string) []byte {
	kind := byte(recordPrefix)
	if exact {
		kind = recordExact
	}
	text = append(text, kind, byte(len(key)), byte(len(key)>>8))
	return append(text, key...)
}

// scanRecords returns the position of the best Route for path among records, or -1. Keys that are
// prefixes of one path sort by length, so the last that covers it is the longest.
//
// hot: runs per request; no alloc, no lock.
func scanRecords(records string, path []byte) int {
	best := -1
	for i := 0; len(records) >= recordHead; i++ {
		n := int(records[1]) | int(records[2])<<8
		exact := records[0] == recordExact
		key := records[recordHead : recordHead+n]
		records = records[recordHead+n:]
		if len(path) < n || string(path[:n]) != key {
			continue
		}
		switch {
		case exact && len(path) == n:
			return i
		case !exact && endsSegment(path, n):
			best = i
		}
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
