package policy

// KindSlash is the Kind of Slash.
const KindSlash Kind = "slash"

// Slash redirects every request to its path with a slash behind it: for the Routes that are a path of ingress-nginx without the
// slash at its end.
type Slash struct {
	// Relative sends the path alone. Otherwise it becomes a URL with the scheme that the client speaks with the gateway and the
	// host of the request.
	Relative bool
}

// Kind implements Filter.
func (*Slash) Kind() Kind { return KindSlash }

// Equal implements Filter.
func (s *Slash) Equal(f Filter) bool { return *s == *f.(*Slash) }

// AppendText implements Filter.
func (s *Slash) AppendText(b []byte) []byte {
	b = append(b, "redirect to the path with a slash behind it"...)
	if s.Relative {
		b = append(b, " relative"...)
	}
	return b
}
