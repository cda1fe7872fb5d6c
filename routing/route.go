package routing

import "fmt"

// PathType is how a Route's path is compared with a request's normalised path (Kubernetes Ingress
// spec.rules[].http.paths[].pathType).
type PathType uint8

const (
	// Exact matches the path byte for byte.
	Exact PathType = iota
	// Prefix matches whole segments: "/a/b" matches "/a/b", "/a/b/" and "/a/b/c", not "/a/bc".
	// A trailing slash of the Route's path is not significant.
	Prefix
	// ImplementationSpecific means Prefix for objects of our own class. Takeover modes compile
	// other semantics into other types before they reach this package.
	ImplementationSpecific
	// Regular matches by a regular expression: see Builder.BuildExpressions. No object asks for it by this name.
	Regular
)

// String returns the Kubernetes spelling.
func (t PathType) String() string {
	switch t {
	case Exact:
		return "Exact"
	case Prefix:
		return "Prefix"
	case ImplementationSpecific:
		return "ImplementationSpecific"
	case Regular:
		return "Regular"
	}
	return fmt.Sprintf("PathType(%d)", uint8(t))
}

// Elsewhere is the Backend of a Route that stands for what its Host has no path for: the default Route has the requests that its
// Filters do not answer, and without one they get 404. Its Filters see requests alone, and do not park.
const Elsewhere int32 = -2

// Forbidden is the Backend of a Route of a Host that is closed to everybody: it answers 403, as ingress-nginx does where client
// certificates are asked for that cannot be verified.
const Forbidden int32 = -3

// Route is one compiled (Host, path, PathType) with its Backend. Immutable once published, and
// safe for concurrent use. It lives in a slab of its Host: keep the pointer no longer than the
// Snapshot that gave it.
type Route struct {
	// Host is the Host's name as configured, "*.example.com" for a wildcard, "" for the catch-all.
	Host string
	// Path is compared with the normalised path of a request; it is normalised too (see ParsePath), and
	// Spelling is for people. That of Regular is the expression as it is written.
	Path string
	Type PathType
	// Default is true for the default backend's Route (spec.defaultBackend), which matches when no
	// other does.
	Default bool
	// secured is true where Source.TLS is set: a copy here, which spares other requests a look at their
	// Source, 1.4 % where 100,000 Routes are hit at random. Set by Builder.
	secured bool
	// Anonymous is true for objects taken over from ingress-nginx, where responses are as there: they do not name the
	// software that made them, neither the gateway nor the Backend, have the gateway's Date and nothing that a Backend
	// says to nginx, and over TLS Strict-Transport-Security.
	Anonymous bool
	// Backend indexes Snapshot.Backends; Elsewhere, Forbidden, or otherwise negative when the reference could not be
	// resolved, and the answer is 503.
	Backend int32
	Source  *Source
	// Attachment belongs to the data plane: the compiled filter chain and the counters of this
	// Route. Set by the Attach hook before the Route is published, opaque here.
	Attachment any
}

// TakenOver reports whether the Route is of an object that was taken over from ingress-nginx. Backends of these are told of
// clients in that controller's fields.
func (r *Route) TakenOver() bool { return r.Anonymous }
