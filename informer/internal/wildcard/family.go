package wildcard

import (
	"iter"
	"maps"
	"strings"
)

// None is what Of returns where no wildcard stands for a name. No Host and no server name is called so.
const None = "*"

// Of returns the wildcard that stands for an exact name, or None.
func Of(name string) string {
	if Is(name) {
		return None
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		return "*." + parent
	}
	return None
}

// Is reports whether a name is a wildcard.
func Is(name string) bool { return strings.HasPrefix(name, "*.") }

// Family holds exact names by the wildcards that stand for them. Made by make; owned by one goroutine.
type Family map[string]map[string]struct{}

// Add puts a name in, unless no wildcard stands for it.
func (f Family) Add(name string) {
	w := Of(name)
	if w == None {
		return
	}
	if f[w] == nil {
		f[w] = make(map[string]struct{})
	}
	f[w][name] = struct{}{}
}

// Remove takes a name out, if it is in.
func (f Family) Remove(name string) {
	w := Of(name)
	if delete(f[w], name); len(f[w]) == 0 {
		delete(f, w)
	}
}

// Below yields the names that a wildcard stands for.
func (f Family) Below(wildcard string) iter.Seq[string] { return maps.Keys(f[wildcard]) }
