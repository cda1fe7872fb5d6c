package annotation

import (
	"slices"
	"strings"
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
	// Key follows a prefix; a trailing "*" stands for anything.
	Key   string
	Scope Scope
	// Value describes the form of values, and Default what holds without one; "" where nothing does.
	Value, Default string
	// OwnOnly is true for keys that ingress-nginx does not have.
	OwnOnly bool
	// Needs is the key without which this one has no effect, and Unless the one beside which it has none; "" for neither.
	// A value without effect is a Rejection. The key in Needs is read first.
	Needs, Unless string
	// Set checks a value and puts it into s. An error is why it is refused, and what happens instead.
	Set func(s *Settings, value string) error
	// Get returns what Set sets, for tests.
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

// find returns the Row of a key without prefix: the one of exactly this key if there is one, else the one with the
// longest beginning that fits, or nil. own is true where the prefix was OwnPrefix.
func find(key string, own bool) (found *Row) {
	for i := range rows {
		r := &rows[i]
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
