package policy

// KindRewrite is the Kind of Rewrite.
const KindRewrite Kind = "rewrite"

// Rewrite replaces the path that the Backend is sent (nginx.ingress.kubernetes.io/rewrite-target). The query stays. A Route
// whose own path is Target, as it is written (Route.Spelling), keeps the paths of its requests, as in ingress-nginx.
type Rewrite struct {
	// Target is the new path, in the form of a request target: it begins with "/", and every byte is legal in one.
	Target string
}

// Kind implements Filter.
func (*Rewrite) Kind() Kind { return KindRewrite }

// Equal implements Filter.
func (r *Rewrite) Equal(f Filter) bool { return r.Target == f.(*Rewrite).Target }

// AppendText implements Filter.
func (r *Rewrite) AppendText(b []byte) []byte { return append(append(b, "to "...), Word(r.Target)...) }
