package policy

// KindCanary is the Kind of Canary.
const KindCanary Kind = "canary"

// Canary says which requests go to the second Share of their Route's Split, and which to the first, before the weights
// decide (nginx.ingress.kubernetes.io/canary-by-header and canary-by-cookie).
type Canary struct {
	// Header is the name of a field: the value always asks for the canary, and never for the main Backend. With Value that
	// value alone asks for the canary, and with Pattern those that it matches anywhere. "" for none.
	Header, Value, Pattern string
	// Unread is true where Pattern is none that can be matched: requests with the field stay at the main Backend.
	Unread bool
	// Cookie is the name of a cookie, whose value is always or never; "" for none.
	Cookie string
}

// Kind implements Filter.
func (*Canary) Kind() Kind { return KindCanary }

// Equal implements Filter.
func (c *Canary) Equal(f Filter) bool { return *c == *f.(*Canary) }

// AppendText implements Filter.
func (c *Canary) AppendText(b []byte) []byte {
	b = append(append(b, "by header "...), Word(c.Header)...)
	b = append(append(b, " value "...), Word(c.Value)...)
	b = append(append(b, " pattern "...), Word(c.Pattern)...)
	if c.Unread {
		b = append(b, " which cannot be read and matches nothing"...)
	}
	return append(append(b, ", cookie "...), Word(c.Cookie)...)
}
