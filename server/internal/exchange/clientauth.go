package exchange

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/clientcert"
)

// checkTLS applies what a Route's Host wants of TLS connections. One that ends here was not opened under
// the name of a Host whose connections are passed on, and one with a cipher suite that the Host does not
// allow was opened under another's: their clients are told to open one under this name (RFC 9110 section
// 15.5.20).
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

// checkClient applies what a Route's Host wants of clients. The handshake must have been for the same: a
// connection that was opened under another name has shown nothing that counts here.
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
	case clientcert.NoGood:
		return failClientCertificate
	case clientcert.OtherName:
		return failClientName
	}
	return nil
}

// errorPage is where a client without a good certificate is sent, "" for nowhere.
func (x *Core) errorPage(f *Failure) string {
	if f != failClientCertificate || x.route == nil || x.route.ClientAuth() == nil {
		return ""
	}
	return x.route.ClientAuth().ErrorPage
}
