package policy

// KindHost is the Kind of Host.
const KindHost Kind = "host"

// HostVariables are those that a Host may have.
var HostVariables = Variables{"host", "http_", "ingress_name", "namespace", "remote_addr", "scheme", "service_name", "service_port"}

// Host replaces the Host that the Backend is sent by one that is made for each request (nginx.ingress.kubernetes.io/upstream-vhost
// with variables). What is no host then is answered 400.
type Host struct {
	// Template is as ParseTemplate takes it, with HostVariables.
	Template string
}

// Kind implements Filter.
func (*Host) Kind() Kind { return KindHost }

// Equal implements Filter.
func (h *Host) Equal(f Filter) bool { return *h == *f.(*Host) }

// AppendText implements Filter.
func (h *Host) AppendText(b []byte) []byte {
	return append(append(b, "sent is "...), Word(h.Template)...)
}
