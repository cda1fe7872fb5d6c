package policy

import "strconv"

// KindHash is the Kind of Hash.
const KindHash Kind = "hash"

// HashVariables are those that a Hash may have.
var HashVariables = Variables{
	"arg_", "args", "best_http_host", "binary_remote_addr", "cookie_", "host", "http_", "http_host", "ingress_name", "is_args", "namespace",
	"pass_access_scheme", "query_string", "remote_addr", "request_method", "request_uri", "scheme", "service_name", "service_port", "the_real_ip", "uri",
}

// Hash sends requests for which a text is equal to one Endpoint (nginx.ingress.kubernetes.io/upstream-hash-by).
type Hash struct {
	// Template is as ParseTemplate takes it, with HashVariables.
	Template string
	// Among is to how many Endpoints they go, by chance; 0 or 1 for one.
	Among int
}

// Kind implements Filter.
func (*Hash) Kind() Kind { return KindHash }

// Equal implements Filter.
func (h *Hash) Equal(f Filter) bool { return *h == *f.(*Hash) }

// AppendText implements Filter.
func (h *Hash) AppendText(b []byte) []byte {
	b = append(append(b, "of "...), Word(h.Template)...)
	return strconv.AppendInt(append(b, " among "...), int64(h.Among), 10)
}
