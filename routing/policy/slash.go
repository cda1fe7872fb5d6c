package policy

// KindSlash is the Kind of Slash.
const KindSlash Kind = "slash"

// Slash redirects every request to its path with a slash behind it: for the Routes that are a path of ingress-nginx without the
// slash at its end.
type Slash struct{}

// Kind implements Filter.
func (*Slash) Kind() Kind { return KindSlash }

// Equal implements Filter.
func (*Slash) Equal(Filter) bool { return true }

// AppendText implements Filter.
func (*Slash) AppendText(b []byte) []byte {
	return append(b, "redirect to the path with a slash behind it"...)
}
