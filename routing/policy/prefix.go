package policy

// KindPrefix is the Kind of Prefix.
const KindPrefix Kind = "prefix"

// Prefix tells Backends where the paths that they are sent begin for clients, as X-Forwarded-Prefix
// (nginx.ingress.kubernetes.io/x-forwarded-prefix). It stands beside a Rewrite.
type Prefix struct {
	// Prefix is the value of the field, which replaces the client's.
	Prefix string
	// Target is that of the Rewrite: a Route whose own path it is keeps its paths, and has no field.
	Target string
}

// Kind implements Filter.
func (*Prefix) Kind() Kind { return KindPrefix }

// Equal implements Filter.
func (p *Prefix) Equal(f Filter) bool { return *p == *f.(*Prefix) }

// AppendText implements Filter.
func (p *Prefix) AppendText(b []byte) []byte {
	return append(append(append(b, Word(p.Prefix)...), " beside "...), Word(p.Target)...)
}
