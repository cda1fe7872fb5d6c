package policy

// KindCookies is the Kind of Cookies.
const KindCookies Kind = "proxy-cookie"

// Cookies changes the attributes of cookies that a Backend sets (nginx.ingress.kubernetes.io/proxy-cookie-domain and -path). A
// Change that is zero changes nothing.
type Cookies struct {
	// Domain is for a Domain that is From, in any case and with or without a dot before it.
	Domain Change
	// Path is for a Path that begins with From.
	Path Change
}

// Change replaces From by To. Comparable.
type Change struct{ From, To string }

// Kind implements Filter.
func (*Cookies) Kind() Kind { return KindCookies }

// Equal implements Filter.
func (c *Cookies) Equal(f Filter) bool { return *c == *f.(*Cookies) }

// AppendText implements Filter.
func (c *Cookies) AppendText(b []byte) []byte {
	b = c.Domain.appendTo(append(b, "domain"...))
	return c.Path.appendTo(append(b, ", path"...))
}

func (c Change) appendTo(b []byte) []byte {
	if c == (Change{}) {
		return append(b, " stays"...)
	}
	return append(append(append(append(b, " from "...), Word(c.From)...), " to "...), Word(c.To)...)
}
