package policy

import (
	"iter"
	"slices"
	"strings"
)

// KindRewrite is the Kind of Rewrite.
const KindRewrite Kind = "rewrite"

// RewriteVariables are those that a Rewrite may have beside its groups.
var RewriteVariables = Variables{"host", "scheme"}

// Rewrite replaces the path that the Backend is sent (nginx.ingress.kubernetes.io/rewrite-target). The query stays. A Route
// whose own path is Target, as it is written (Route.Spelling), keeps the paths of its requests, as in ingress-nginx.
type Rewrite struct {
	// Target is the new path, in the form of a request target: it begins with "/", and every byte is legal in one. Or it is a
	// URL, or begins with $scheme: requests are redirected there. $1 to $9, and $ with a name, stand for what a group of
	// the Route's expression has matched; and there are RewriteVariables.
	Target string
	// Paths are the expressions of the object's paths, as they are written, where Target has groups: sorted.
	Paths []string
}

// Kind implements Filter.
func (*Rewrite) Kind() Kind { return KindRewrite }

// Equal implements Filter.
func (r *Rewrite) Equal(f Filter) bool {
	o := f.(*Rewrite)
	return r.Target == o.Target && slices.Equal(r.Paths, o.Paths)
}

// AppendText implements Filter.
func (r *Rewrite) AppendText(b []byte) []byte {
	b = append(append(b, "to "...), Word(r.Target)...)
	for i, p := range r.Paths {
		b = append(append(b, [...]string{" by ", ","}[min(i, 1)]...), Word(p)...)
	}
	return b
}

// Names yields the names of groups in Target: what stands behind a $ and is no number, and none of RewriteVariables.
func (r *Rewrite) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, after := range strings.Split(r.Target, "$")[1:] {
			n := strings.IndexFunc(after, notOfVariable)
			if n < 0 {
				n = len(after)
			}
			if name := after[:n]; name != "" && (name[0] < '1' || name[0] > '9') && !RewriteVariables.has(name) && !yield(name) {
				return
			}
		}
	}
}
