package policy

// KindLocation is the Kind of Location.
const KindLocation Kind = "proxy-redirect"

// Location replaces From where a Backend's Location begins with it, or the URL of its Refresh, by To
// (nginx.ingress.kubernetes.io/proxy-redirect-from and -to).
type Location struct{ From, To string }

// Kind implements Filter.
func (*Location) Kind() Kind { return KindLocation }

// Equal implements Filter.
func (l *Location) Equal(f Filter) bool { return *l == *f.(*Location) }

// AppendText implements Filter.
func (l *Location) AppendText(b []byte) []byte {
	return append(append(append(append(b, "from "...), Word(l.From)...), " to "...), Word(l.To)...)
}
