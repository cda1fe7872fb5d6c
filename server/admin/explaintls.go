package admin

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// describeHandshake adds what a TLS client that asks for name receives before its request. It returns
// false where the connection is passed on, and there is no request to follow.
func (a *Answer) describeHandshake(b *strings.Builder, s *routing.Snapshot, name string, q Question) bool {
	fmt.Fprintf(b, "tls      server name %s\n", policy.Word(name))
	if to, ok := s.PassthroughFor(name); ok {
		if to == nil {
			a.Status = 503
			b.WriteString("answer   none: the connection is to be passed on, and is closed, because its Service does not exist or was refused\n")
			return false
		}
		shown := viewBackend(to)
		a.Backend = &shown
		fmt.Fprintf(b, "tls      passed on as it is, whatever the path; the client sees the certificate of the backend\nbackend  %s, balanced %s\n", policy.Word(to.Key.String()), to.Balance)
		a.describeEndpoints(b, to, q)
		return false
	}
	certificates := s.CertificatesFor(name)
	switch {
	case len(certificates) > 0:
		for _, c := range certificates {
			fmt.Fprintf(b, "tls      certificate %s\n", c)
		}
	case s.DefaultCertificate != nil:
		fmt.Fprintf(b, "tls      no certificate for this name; the default one %s\n", s.DefaultCertificate)
	default:
		b.WriteString("tls      no certificate for this name, and no default one; the gateway's own, which no client trusts\n")
	}
	if suites := s.CipherSuitesFor(name); suites != nil {
		var names []string
		for _, suite := range suites {
			names = append(names, tls.CipherSuiteName(suite))
		}
		fmt.Fprintf(b, "tls      up to TLS 1.2 with %s\n", strings.Join(names, ", "))
	}
	if auth := s.ClientAuthFor(name); asks(auth) {
		fmt.Fprintf(b, "tls      client certificate %s\n", auth)
	}
	return true
}

// describeRefusal adds that the Route's Host refuses the request's connection, where it does: one that was
// opened for another name, or in clear text.
func (a *Answer) describeRefusal(b *strings.Builder, s *routing.Snapshot, r *routing.Route, secure bool, name string) {
	t := r.TLS()
	switch {
	case t == nil:
	case secure && t.Passthrough, secure && asks(t.ClientAuth) && !t.ClientAuth.Equal(s.ClientAuthFor(name)):
		a.Status = 421
		fmt.Fprintf(b, "answer   421, the host of the request has other rules for TLS than the server name %s\n", policy.Word(name))
	case !secure && asks(t.ClientAuth):
		a.Status = 400
		b.WriteString("answer   400, the host asks for client certificates, and clear text has none\n")
	}
}

func asks(a *routing.ClientAuth) bool { return a != nil && a.Mode != routing.ClientAuthOff }
