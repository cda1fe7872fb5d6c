package server

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// shown is what a client showed to the Host whose name it asked for. Owned by the loop once pending is
// false.
type shown struct {
	auth    *routing.ClientAuth
	leaf    *x509.Certificate // nil: none
	err     error             // what is wrong with it
	pending bool
	fields  []byte // lines for the Backend
}

var errNoCertificate = errors.New("no certificate was shown")

// examine has the client's certificate verified where the name that it asked for wants one, and returns
// true while that goes on: signatures are no work for a loop.
func (c *downConn) examine() (wait bool) {
	w := c.w
	snapshot := w.server.store.Load()
	if snapshot == nil {
		return false
	}
	state := c.tls.State()
	auth := snapshot.ClientAuthFor(state.ServerName)
	if auth == nil || auth.Mode == routing.ClientAuthOff {
		return false
	}
	s := &shown{auth: auth, err: errNoCertificate}
	c.shown = s
	if len(state.PeerCertificates) == 0 {
		s.describe()
		return false
	}
	select {
	case w.server.parking <- struct{}{}:
	default:
		s.err = errors.New("too many certificates wait to be verified")
		s.describe()
		return false
	}
	s.pending = true
	go func() {
		s.verify(state.PeerCertificates)
		<-w.server.parking
		w.loop.Post(func() {
			s.pending = false
			if c.shown == s && c.phase == phaseShake {
				c.pump()
			}
		})
	}()
	return true
}

// verify fills in what is to be known of the certificates that a client showed. That they make the verifier
// panic says that they are no good, and must not end the process.
func (s *shown) verify(chain []*x509.Certificate) {
	defer func() {
		if recover() != nil {
			s.leaf, s.err = nil, errors.New("the certificate cannot be verified")
		}
		s.describe()
	}()
	s.leaf = chain[0]
	s.err = s.auth.Verify(chain, time.Now())
}

// describe makes the lines that ingress-nginx sends to Backends.
func (s *shown) describe() {
	verdict := "SUCCESS"
	switch {
	case s.leaf == nil:
		verdict = "NONE"
	case s.err != nil:
		verdict = "FAILED:" + s.err.Error()
	}
	s.fields = h1.AppendField(nil, "ssl-client-verify", visible(verdict))
	if s.leaf == nil {
		return
	}
	s.fields = h1.AppendField(s.fields, "ssl-client-subject-dn", visible(s.leaf.Subject.String()))
	s.fields = h1.AppendField(s.fields, "ssl-client-issuer-dn", visible(s.leaf.Issuer.String()))
	if s.auth.PassCertificate {
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.leaf.Raw})
		// As nginx escapes it: no "+" is left that could be read as a space.
		s.fields = h1.AppendField(s.fields, "ssl-client-cert", strings.ReplaceAll(url.QueryEscape(string(block)), "+", "%20"))
	}
}

// visible replaces what must not stand in a field: what a certificate says was written by its owner.
func visible(text string) []byte {
	return bytes.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, []byte(text))
}

// checkTLS applies what a Route's Host wants of TLS connections. One that ends here was not opened under
// the name of a Host whose connections are passed on, and one with a cipher suite that the Host does not
// allow was opened under another's: their clients are told to open one under this name (RFC 9110 section
// 15.5.20).
func (x *Exchange) checkTLS(t *routing.HostTLS) *failure {
	c := x.c.peer()
	if c.listener.secure && (t.Passthrough || c.suite != 0 && t.CipherSuites != nil && !slices.Contains(t.CipherSuites, c.suite)) {
		return failMisdirected
	}
	if t.ClientAuth == nil {
		return nil
	}
	return x.checkClient(t.ClientAuth)
}

// checkClient applies what a Route's Host wants of clients. The handshake must have been for the same: a
// connection that was opened under another name has shown nothing that counts here.
func (x *Exchange) checkClient(auth *routing.ClientAuth) *failure {
	c := x.c.peer()
	switch {
	case auth.Mode == routing.ClientAuthOff:
		return nil
	case !c.listener.secure:
		return failClientCertificate
	case c.shown == nil || c.shown.auth.Identity != auth.Identity:
		return failMisdirected
	case auth.Mode == routing.ClientAuthOn && c.shown.err != nil,
		auth.Mode == routing.ClientAuthOptional && c.shown.leaf != nil && c.shown.err != nil:
		return failClientCertificate
	case !auth.Allows(c.shown.leaf):
		return failClientName
	}
	return nil
}

// errorPage is where a client without a good certificate is sent, "" for nowhere.
func (x *Exchange) errorPage(f *failure) string {
	if f != failClientCertificate || x.route == nil || x.route.ClientAuth() == nil {
		return ""
	}
	return x.route.ClientAuth().ErrorPage
}
