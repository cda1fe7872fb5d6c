package exchange

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/clientcert"
)

// checkTLS applies the TLS rules of a Route's Host. Two kinds of connections were opened under another name than the Host's:
// any that ends here, where the Host's are passed through, and one whose cipher suite the Host does not allow. Their clients
// are answered 421, to open a connection under this name (RFC 9110 section 15.5.20).
func (x *Core) checkTLS(t *routing.HostTLS) *Failure {
	c := x.down.Peer()
	if c.Listener.TLS && (t.Passthrough || c.Suite != 0 && t.CipherSuites != nil && !slices.Contains(t.CipherSuites, c.Suite)) {
		return failMisdirected
	}
	if t.ClientAuth == nil {
		return nil
	}
	return x.checkClient(t.ClientAuth)
}

// checkClient applies a Route's ClientAuth. The handshake must have applied the same one: a certificate that was shown on a
// connection under another name proves nothing to this Host.
func (x *Core) checkClient(auth *routing.ClientAuth) *Failure {
	c := x.down.Peer()
	if c.Certificate != nil {
		c.Certificate.Age(x.w.Now())
	}
	switch {
	case auth.Mode == routing.ClientAuthOff:
		return nil
	case !c.Listener.TLS:
		return failClientCertificate
	}
	switch c.Certificate.Judge(auth) {
	case clientcert.Misdirected:
		return failMisdirected
	case clientcert.Invalid:
		return failClientCertificate
	case clientcert.WrongName:
		return failClientName
	}
	return nil
}

// errorPage is the page that a client without a good certificate is redirected to; "": none.
func (x *Core) errorPage(f *Failure) string {
	if f != failClientCertificate || x.route == nil || x.route.ClientAuth() == nil {
		return ""
	}
	return x.route.ClientAuth().ErrorPage
}
