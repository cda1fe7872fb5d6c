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

// What is passed on of a certificate is bounded, because it goes with every request of its connection, be it of ten
// bytes. What is beyond a bound is as good as a certificate that cannot be verified: a part of a name may be another's.
const (
	// MaxClientCertificate bounds the client's own, as DER has it: those of RSA-4096 take 2 KiB, those of
	// ML-DSA-87 7. In a field it is half as long again, and Backends take some 16 KiB of fields in all. The
	// others that are shown may be as long on average.
	MaxClientCertificate = 8 << 10
	// MaxClientName bounds a distinguished name as text. RFC 5280 has 64 characters for most of its parts.
	MaxClientName = 2 << 10
	// maxVerdict cuts off what went wrong, which may hold names out of certificates.
	maxVerdict = 256
)

// Cert is the certificate of a connection, and what is wrong with it by the rules of the Host that the connection was opened
// for. It is made by New. The handshake's goroutine owns it until the handshake has ended, and the loop from then on.
type Cert struct {
	auth    *routing.ClientAuth
	leaf    *x509.Certificate // nil: none
	err     error             // what is wrong with it
	allowed bool              // its name is one that auth wants
	expiry  time.Time         // of a good one
	until   int64             // the same on the loop's clock
	fields  []byte            // lines for the Backend
}

var (
	errNoCertificate     = errors.New("no certificate was shown")
	errCertificateSize   = fmt.Errorf("the certificate is larger than %d KiB", MaxClientCertificate>>10)
	errCertificateNames  = fmt.Errorf("the certificate's names are longer than %d KiB", MaxClientName>>10)
	errCertificatePanics = errors.New("the certificate cannot be verified")
	errExpired           = errors.New("the certificate has expired since it was shown")
)

// New returns what is to be filled in by a handshake with a client that must show what auth says, nil where
// that is nothing.
func New(auth *routing.ClientAuth) *Cert {
	if auth == nil || auth.Mode == routing.ClientAuthOff {
		return nil
	}
	return &Cert{auth: auth, err: errNoCertificate, allowed: auth.Allows(nil)}
}

// check fills in what is to be known of the certificates that a client showed: as a part of the handshake, because
// signatures are no work for a loop, and those who wait for theirs are served in turn. That they make the verifier
// panic says that they are no good, and must not end the process.
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
	if len(s.leaf.Raw) > MaxClientCertificate {
		s.err, s.allowed = errCertificateSize, s.auth.Allows(nil) // no name of it counts
		return
	}
	s.expiry, s.err = s.auth.Verify(state.PeerCertificates, time.Now())
}

// Asked returns how much a client may show, and what is to look at it: nothing where no certificate is asked for.
func (s *Cert) Asked() (room int, check func(tls.ConnectionState)) {
	if s == nil {
		return 0, nil
	}
	return s.auth.MaxShown() * MaxClientCertificate, s.check
}

// Began takes note that the handshake has ended.
func (s *Cert) Began(now int64) {
	s.until = math.MaxInt64
	if left := int64(time.Until(s.expiry)); s.err == nil && left < math.MaxInt64-now {
		s.until = now + left
	}
}

// Age looks whether a certificate that was good when it was shown still is.
//
// hot: runs per request; no alloc, no lock.
func (s *Cert) Age(now int64) {
	if now >= s.until {
		s.expire()
	}
}

func (s *Cert) expire() {
	s.until, s.err = math.MaxInt64, errExpired
	s.describe()
}

// describe makes the lines that ingress-nginx sends to Backends.
func (s *Cert) describe() {
	var subject, issuer []byte
	named := s.leaf != nil && len(s.leaf.Raw) <= MaxClientCertificate
	if named {
		subject, issuer = visible(s.leaf.Subject.String()), visible(s.leaf.Issuer.String())
		if len(subject) > MaxClientName || len(issuer) > MaxClientName {
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

// Verdict is what a request is told because of its connection's certificate.
type Verdict uint8

const (
	Allowed     Verdict = iota
	Misdirected         // the connection was opened under the name of another Host, and has shown nothing that counts
	NoGood              // none was shown, or one that cannot be verified
	OtherName           // a good one, of a name that is not wanted
)

// Judge gives the verdict on a connection's certificate by what a Host asks for. s is nil where none was asked for.
//
// hot: runs per request to such a Host; no alloc, no lock.
func (s *Cert) Judge(auth *routing.ClientAuth) Verdict {
	switch {
	case s == nil || s.auth.Identity != auth.Identity:
		return Misdirected
	case auth.Mode == routing.ClientAuthOn && s.err != nil,
		auth.Mode == routing.ClientAuthOptional && s.leaf != nil && s.err != nil:
		return NoGood
	case !s.allowed:
		return OtherName
	}
	return Allowed
}

// Lines returns what a Backend is told of the certificate: complete field lines.
func (s *Cert) Lines() []byte { return s.fields }
