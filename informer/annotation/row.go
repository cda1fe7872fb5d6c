package annotation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Prefixes of the names that are read. A key under OwnPrefix wins over the same key under NginxPrefix.
const (
	OwnPrefix   = "sluice-gateway.io/"
	NginxPrefix = "nginx.ingress.kubernetes.io/"
)

// LegacyClass is the annotation that named the class before spec.ingressClassName did. The API gives it precedence over
// the field. It decides which controller an object belongs to, and is no Row.
const LegacyClass = "kubernetes.io/ingress.class"

// Scope names the things that a value applies to.
type Scope string

// The Scopes.
const (
	ScopeRoute   Scope = "route"   // the Routes of the object
	ScopeBackend Scope = "backend" // the Backends of the object
	ScopeHost    Scope = "host"    // the Hosts of the object, for all objects
	ScopeObject  Scope = "object"  // whether and how the object is served at all
)

// Row is one annotation.
type Row struct {
	// Key follows a prefix; a trailing "*" stands for anything. A program's own may be a whole name, such as example.com/note.
	Key   string
	Scope Scope
	// Value describes the form of values, and Default what holds without one; "" where nothing does.
	Value, Default string
	// OwnOnly is true for keys that ingress-nginx does not have.
	OwnOnly bool
	// Needs is the key without which this one has no effect, and Unless the one beside which it has none; "" for neither.
	// A value without effect is a Rejection. The key in Needs is read first.
	Needs, Unless string
	// Secures is true where the object must not be served without what a value asks for: one that is refused closes it.
	Secures bool
	// Set checks a value and puts it into s. An error is why it is refused, and what happens instead.
	Set func(s *Settings, value string) error
	// Get returns what Set sets, for tests; rows of programs have none.
	Get func(s *Settings) any
	// Doc describes the annotation's effect, in sentences.
	Doc string
}

// rows are all Rows, one for each Key, sorted once the package is initialised.
var rows []Row

// add registers the Rows of one file, so that a new concern changes no other file.
func add(list ...Row) struct{} {
	rows = append(rows, list...)
	return struct{}{}
}

func init() {
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Key, b.Key) })
}

// Table is the annotations that a program knows: the gateway's, and its own. Made by NewTable, and immutable; nil is the
// gateway's alone.
type Table struct{ rows []Row }

func (t *Table) all() []Row {
	if t == nil {
		return rows
	}
	return t.rows
}

// NewTable returns the gateway's Rows with those of a program's filters, which have to be new. attachable are the filters that
// the key filters can attach, with what attaches each.
func NewTable(more []Row, attachable map[policy.Kind]Attach) (*Table, error) {
	t := &Table{rows: slices.Clone(rows)}
	for _, r := range more {
		switch {
		case r.Key == "" || strings.ContainsFunc(r.Key, func(c rune) bool { return c <= ' ' || c > '~' || c == '*' || c == '|' || c == '`' }):
			return nil, fmt.Errorf("annotation %q: want a key of visible letters", r.Key)
		case strings.HasPrefix(r.Key, OwnPrefix), strings.HasPrefix(r.Key, NginxPrefix), r.Key == LegacyClass:
			return nil, fmt.Errorf("annotation %q: want a key without the prefix, or one with a domain of your own", r.Key)
		case r.Set == nil || r.Doc == "" || strings.ContainsAny(r.Doc+r.Value+r.Default, "|\n"):
			return nil, fmt.Errorf("annotation %q: want a check, and a text of one line without bars", r.Key)
		case slices.ContainsFunc(t.rows, func(o Row) bool { return o.Key == r.Key }):
			return nil, fmt.Errorf("annotation %q: the key is taken", r.Key)
		}
		r.OwnOnly = true
		t.rows = append(t.rows, r)
	}
	for i := range t.rows {
		if t.rows[i].Key == filtersKey {
			t.rows[i].Set = attaching(attachable)
		}
	}
	slices.SortFunc(t.rows, func(a, b Row) int { return strings.Compare(a.Key, b.Key) })
	return t, nil
}

// key returns the key of an annotation's name, and whether it is one to be read.
func (t *Table) key(name string) (key string, ours bool) {
	if key, ok := strings.CutPrefix(name, OwnPrefix); ok {
		return key, true
	}
	if key, ok := strings.CutPrefix(name, NginxPrefix); ok {
		return key, true
	}
	return name, t != nil && strings.Contains(name, "/") && slices.ContainsFunc(t.rows, func(r Row) bool { return r.Key == name })
}

// find returns the Row of a key: the one of exactly this key if there is one, else the one with the longest beginning that
// fits, or nil. own is true where the prefix was not NginxPrefix.
func (t *Table) find(key string, own bool) (found *Row) {
	list := t.all()
	for i := range list {
		r := &list[i]
		if r.OwnOnly && !own {
			continue
		}
		if r.Key == key {
			return r
		}
		// Rows are sorted: a longer beginning comes later.
		if stem, any := strings.CutSuffix(r.Key, "*"); any && strings.HasPrefix(key, stem) {
			found = r
		}
	}
	return found
}

// find is Table.find in the gateway's own Table.
func find(key string, own bool) *Row { return (*Table)(nil).find(key, own) }
