package policy

import "strconv"

const (
	// DefaultTransport is the Strict-Transport-Security of ingress-nginx.
	DefaultTransport = "max-age=31536000; includeSubDomains"
	// NoTransport stands for no field.
	NoTransport = "off"
)

// Transport is what Strict-Transport-Security says (RFC 6797).
type Transport struct {
	// MaxAge is how long browsers come over TLS alone, seconds.
	MaxAge     int
	SubDomains bool
	// Preload asks for a place in the lists that browsers are delivered with.
	Preload bool
}

// String returns the value of the field.
func (t Transport) String() string {
	s := "max-age=" + strconv.Itoa(t.MaxAge)
	if t.SubDomains {
		s += "; includeSubDomains"
	}
	if t.Preload {
		s += "; preload"
	}
	return s
}
