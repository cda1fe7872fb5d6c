package informer

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Object names the subject of a Rejection: a Kubernetes object, or a manifest file (Kind "File",
// Name its path). Namespace is empty for objects that have none. A plain value.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String returns "Kind namespace/name", or "Kind name" without a namespace.
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// Rejection is why an object, or a part of it, is not served as written. A plain value.
type Rejection struct {
	Object Object `json:"object"`
	// Field is the path of the part, as kubectl explain spells it; "" for the whole object.
	Field string `json:"field,omitempty"`
	// Value is the field's content, shortened; "" where the reason is that the field is empty.
	Value string `json:"value,omitempty"`
	// Reason names the fault, what happens instead, and the remedy.
	Reason string `json:"reason"`
}

// String returns one line: object, field, quoted value and reason.
func (r Rejection) String() string {
	var b strings.Builder
	b.WriteString(r.Object.String())
	if r.Field != "" {
		b.WriteString(": " + r.Field)
		if r.Value != "" {
			b.WriteString("=\"" + r.Value + "\"")
		}
	}
	b.WriteString(": " + r.Reason)
	return b.String()
}

func compareRejections(a, b Rejection) int {
	return cmp.Or(
		strings.Compare(a.Object.Kind, b.Object.Kind),
		strings.Compare(a.Object.Namespace, b.Object.Namespace),
		strings.Compare(a.Object.Name, b.Object.Name),
		strings.Compare(a.Field, b.Field),
		strings.Compare(a.Value, b.Value),
		strings.Compare(a.Reason, b.Reason),
	)
}

// maxValue bounds Rejection.Value: a snippet annotation may hold kilobytes.
const maxValue = 100

// shorten makes a value fit for one line of a log, an Event and a terminal.
func shorten(value string) string {
	value = printable(value, ' ')
	if len(value) <= maxValue {
		return value
	}
	cut := maxValue
	for !utf8.RuneStart(value[cut]) {
		cut--
	}
	return value[:cut] + "..."
}

// printable replaces characters that could end a line, move a terminal's cursor or turn the
// direction of text.
func printable(text string, instead rune) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return instead
		}
		return r
	}, text)
}

// rejectionSet holds the Rejections of every owner. An owner is the object whose compilation gave
// them, or the Host whose conflicts they are. Safe for concurrent use.
type rejectionSet struct {
	mu sync.Mutex
	// Guarded by mu; the slices are never edited, only replaced:
	byOwner map[objectKey][]Rejection

	// Owned by the goroutine that calls replace:

	// collect is set where added, the new Rejections, will be taken.
	collect bool
	added   []Rejection
}

// replace sets the Rejections of owner and reports whether they differ from before.
func (s *rejectionSet) replace(owner objectKey, list []Rejection) bool {
	slices.SortFunc(list, compareRejections)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byOwner[owner]
	if slices.Equal(old, list) {
		return false
	}
	if s.collect {
		for _, r := range list {
			if _, known := slices.BinarySearchFunc(old, r, compareRejections); !known {
				s.added = append(s.added, r)
			}
		}
	}
	if len(list) == 0 {
		delete(s.byOwner, owner)
		return true
	}
	if s.byOwner == nil {
		s.byOwner = make(map[objectKey][]Rejection)
	}
	s.byOwner[owner] = list
	return true
}

// takeAdded returns the Rejections that came since the last call.
func (s *rejectionSet) takeAdded() []Rejection {
	added := s.added
	s.added = nil
	return added
}

// all returns a sorted copy.
func (s *rejectionSet) all() []Rejection {
	s.mu.Lock()
	var list []Rejection
	for _, r := range s.byOwner {
		list = append(list, r...)
	}
	s.mu.Unlock()
	slices.SortFunc(list, compareRejections)
	return list
}
