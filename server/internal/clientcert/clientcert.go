package clientcert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// The parts of a certificate that Backends are sent are bounded, because they go with every request of its connection, even
// one of ten bytes. A certificate beyond a bound counts as one that cannot be verified: a cut name may be another client's.
const (
	// MaxCertificate bounds the client's own certificate, bytes of DER: those of RSA-4096 take 2 KiB, those of ML-DSA-87 7.
	// In a field it is half as long again, and Backends take some 16 KiB of fields in all. The other certificates of the
	// chain may be as long on average. Exported for tests alone.
	MaxCertificate = 8 << 10
	// MaxName bounds a distinguished name, bytes of text. RFC 5280 has 64 characters for most of its parts. Exported for
	// tests alone.
	MaxName = 2 << 10
	// maxVerdict cuts the text of an error, which may hold names from certificates.
	maxVerdict = 256
)

// Cert is the certificate of a connection, and its faults by the rules of the Host that the connection was opened for. Made
// by New. The handshake's goroutine owns it until the handshake has ended, and the loop from then on.
type Cert struct {
	auth    *routing.ClientAuth
	leaf    *x509.Certificate // nil: the client showed none
	err     error             // why the certificate is bad; nil: it is good
	allowed bool              // auth allows its name
	expiry  time.Time         // of a good certificate
	until   int64             // the expiry on the loop's clock
	fields  []byte            // lines for the Backend
}

var (
	errNoCertificate     = errors.New("no certificate was shown")
	errCertificateSize   = fmt.Errorf("the certificate is larger than %d KiB", MaxCertificate>>10)
	errCertificateNames  = fmt.Errorf("the certificate's names are longer than %d KiB", MaxName>>10)
	errCertificatePanics = errors.New("the certificate cannot be verified")
	errExpired           = errors.New("the certificate has expired since it was shown")
)

// New returns a Cert for a handshake to fill in, by the rules of auth; nil where auth asks for no certificate.
func New(auth *routing.ClientAuth) *Cert {
	if auth == nil || auth.Mode == routing.ClientAuthOff {
		return nil
	}
	return &Cert{auth: auth, err: errNoCertificate, allowed: auth.Allows(nil)}
}

// check verifies the certificates that a client showed. It runs as a part of the handshake, whose goroutines are bounded and
// take turns, because to verify signatures would hold up a loop. A panic of the verifier makes the certificates bad ones,
// and must not end the process.
func (s *Cert) check(state tls.ConnectionState) {
	defer func() {
		if recover() != nil {
			s.leaf, s.err, s.allowed = nil, errCertificatePanics, false
		}
		s.describe()
	}()
	if len(state.PeerCertificates) == 0 {
		return
	}
	s.leaf = state.PeerCertificates[0]
	s.allowed = s.auth.Allows(s.leaf)
	if len(s.leaf.Raw) > MaxCertificate {
		s.err, s.allowed = errCertificateSize, s.auth.Allows(nil) // no name of it counts
		return
	}
	s.expiry, s.err = s.auth.Verify(state.PeerCertificates, time.Now())
}

// ForHandshake returns the arguments of wire.Sock.AcceptTLS: how many bytes of certificates the client may send, and the
// function that verifies them. Both are zero where s is nil.
func (s *Cert) ForHandshake() (room int, check func(tls.ConnectionState)) {
	if s == nil {
		return 0, nil
	}
	return s.auth.MaxShown() * MaxCertificate, s.check
}

// HandshakeEnded converts the expiry to the loop's clock, on which now is the present.
func (s *Cert) HandshakeEnded(now int64) {
	s.until = math.MaxInt64
	if left := int64(time.Until(s.expiry)); s.err == nil && left < math.MaxInt64-now {
		s.until = now + left
	}
}

// Age makes a certificate bad that has expired since it was shown. now is on the loop's clock.
//
// hot: runs per request; no alloc, no lock.
func (s *Cert) Age(now int64) {
	if now >= s.until {
		s.expire()
	}
}

// expire notes that the certificate has expired.
func (s *Cert) expire() {
	s.until, s.err = math.MaxInt64, errExpired
	s.describe()
}

// describe makes the field lines for Backends, under the names that ingress-nginx uses.
func (s *Cert) describe() {
	var subject, issuer []byte
	named := s.leaf != nil && len(s.leaf.Raw) <= MaxCertificate
	if named {
		subject, issuer = visible(s.leaf.Subject.String()), visible(s.leaf.Issuer.String())
		if len(subject) > MaxName || len(issuer) > MaxName {
			s.err, named = errCertificateNames, false
		}
	}
	verdict := "SUCCESS"
	switch {
	case s.leaf == nil:
		verdict = "NONE"
	case s.err != nil:
		verdict = "FAILED:" + s.err.Error()
		verdict = strings.ToValidUTF8(verdict[:min(len(verdict), maxVerdict)], "")
	}
	s.fields = h1.AppendField(nil, "ssl-client-verify", visible(verdict))
	if !named {
		return
	}
	s.fields = h1.AppendField(s.fields, "ssl-client-subject-dn", subject)
	s.fields = h1.AppendField(s.fields, "ssl-client-issuer-dn", issuer)
	if s.auth.PassCertificate {
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.leaf.Raw})
		// nginx's escaping, in which no "+" is left that could be read as a space.
		s.fields = h1.AppendField(s.fields, "ssl-client-cert", strings.ReplaceAll(url.QueryEscape(string(block)), "+", "%20"))
	}
}

// visible replaces bytes that must not stand in a field: the owner of a certificate may have chosen them.
func visible(text string) []byte {
	return bytes.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, []byte(text))
}

// Verdict says whether a request may go on by the certificate of its connection.
type Verdict uint8

const (
	Allowed     Verdict = iota
	Misdirected         // the connection was opened under the name of another Host, by other rules
	Invalid             // no certificate was shown, or one that cannot be verified
	WrongName           // a good certificate, of a name that is not allowed
)

// Judge gives the verdict on a connection's certificate by auth, the rules of the Host of a request. s is nil where the
// connection was opened without any.
//
// hot: runs per request to such a Host; no alloc, no lock.
func (s *Cert) Judge(auth *routing.ClientAuth) Verdict {
	switch {
	case s == nil || s.auth.Identity != auth.Identity:
		return Misdirected
	case auth.Mode == routing.ClientAuthOn && s.err != nil,
		auth.Mode == routing.ClientAuthOptional && s.leaf != nil && s.err != nil:
		return Invalid
	case !s.allowed:
		return WrongName
	}
	return Allowed
}

// Lines returns the field lines that tell a Backend of the certificate, each with CR LF. They are not to be written to, and
// valid as long as s; Age may replace them.
func (s *Cert) Lines() []byte { return s.fields }
