package informer

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// Object names the subject of a Rejection: a Kubernetes object, or a manifest file (Kind "File",
// Name its path).
type Object = source.Object

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

// rejectIngress gives a Rejection of a part of an Ingress.
func rejectIngress(name routing.ObjectName, field, value, reason string) Rejection {
	return Rejection{
		Object: Object{Kind: "Ingress", Namespace: name.Namespace, Name: name.Name},
		Field:  field, Value: plain.Short(value), Reason: reason,
	}
}

// rejectFile gives the Rejections of a manifest file, or of another entry of a folder.
func rejectFile(faults []source.Fault) (list []Rejection) {
	for _, f := range faults {
		r := Rejection{Object: Object{Kind: "File", Name: f.File}, Reason: f.Reason}
		if f.Object != "" {
			r.Field, r.Value = "object", plain.Short(f.Object)
		}
		list = append(list, r)
	}
	return list
}

// subject is the object, Host or name whose Rejections are replaced together, and the topic that they are about.
type subject struct {
	topic topic
	routing.ObjectName
}

// topic tells apart the Rejections of one object that come from different sets.
type topic uint8

const (
	ofIngress topic = iota
	ofClass
	ofSlice
	// ofSecret are those of the default certificate.
	ofSecret
	ofFile
	// ofAddresses are those of what the name of a Service resolves to.
	ofAddresses
	// ofHost are the conflicts between objects that name a Host.
	ofHost
	// ofTLS are those of the Secrets of an Ingress.
	ofTLS
	// ofPorts are those of what the slices of a Service lack.
	ofPorts
	// ofConfigMap are those of the ConfigMap of ingress-nginx's controller.
	ofConfigMap
	// ofServerName are the conflicts between the certificates for a name.
	ofServerName
)

// report is what a set gives where the Rejections of a subject may differ from before: all that there are now.
type report struct {
	of   subject
	list []Rejection
}

// rejectionSet holds the Rejections of every subject. Safe for concurrent use.
type rejectionSet struct {
	mu sync.Mutex
	// Guarded by mu; the slices are never edited, only replaced:
	bySubject map[subject][]Rejection

	// Owned by the goroutine that calls replace:

	// collect is set where added, the new Rejections, will be taken.
	collect bool
	added   []Rejection
}

// replace sets the Rejections of a subject and reports whether they differ from before.
func (s *rejectionSet) replace(of subject, list []Rejection) bool {
	slices.SortFunc(list, compareRejections)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.bySubject[of]
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
		delete(s.bySubject, of)
		return true
	}
	if s.bySubject == nil {
		s.bySubject = make(map[subject][]Rejection)
	}
	s.bySubject[of] = list
	return true
}

// replaceAll sets the Rejections of several subjects.
func (s *rejectionSet) replaceAll(reports []report) {
	for _, r := range reports {
		s.replace(r.of, r.list)
	}
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
	for _, r := range s.bySubject {
		list = append(list, r...)
	}
	s.mu.Unlock()
	slices.SortFunc(list, compareRejections)
	return list
}
