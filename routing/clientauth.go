package routing

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// ClientAuth is the policy for client certificates of a Host (annotations auth-tls-*). Immutable once
// published, safe for concurrent use.
type ClientAuth struct {
	Mode ClientAuthMode
	// Roots are the authorities of client certificates, and Revoked what they have taken back.
	Roots   *x509.CertPool
	Revoked Revocations
	// Depth is the largest number of intermediate certificates between the client's and the
	// authority's.
	Depth int
	// PassCertificate has the Backend be sent the certificate, besides the verdict.
	PassCertificate bool
	// ErrorPage is where a client without a good certificate is redirected to; "" answers 400.
	ErrorPage string
	// MatchName must match from the start "CN=" and the common name of the client's certificate; the zero
	// value for any. What does not match is answered 403.
	MatchName expression.Expression
	// Secret is where the authorities come from.
	Secret ObjectName
	// Identity is equal where a handshake asks for and verifies the same: Mode, Roots, Revoked, Depth
	// and MatchName. A request on a connection whose handshake had another Identity must be answered
	// 421.
	Identity [sha256.Size]byte
}

// ClientAuthMode is whether a certificate is asked for, and what it must be.
type ClientAuthMode uint8

const (
	// ClientAuthOff asks for none.
	ClientAuthOff ClientAuthMode = iota
	// ClientAuthOn requires a good certificate.
	ClientAuthOn
	// ClientAuthOptional accepts a good certificate, or none.
	ClientAuthOptional
	// ClientAuthOptionalNoCA accepts any certificate or none; the Backend is told the verdict.
	ClientAuthOptionalNoCA
)

// String returns the spelling of the auth-tls-verify-client annotation.
func (m ClientAuthMode) String() string {
	return [...]string{"off", "on", "optional", "optional_no_ca"}[m]
}

// ErrRevoked is returned by ClientAuth.Verify for a certificate that an authority has taken back.
var ErrRevoked = errors.New("verify client: its certificate is revoked")

// Asks returns what a handshake asks for. It never fails the handshake: the verdict belongs to a
// request, whose answer is 400 (see Verify), as in ingress-nginx.
func (a *ClientAuth) Asks() tls.ClientAuthType {
	if a == nil || a.Mode == ClientAuthOff {
		return tls.NoClientCert
	}
	return tls.RequestClientCert
}

// MaxShown is how many certificates a client may show: its own, the intermediates, and the authority's, which many
// send without need. Each further one makes chains to try, a signature each.
func (a *ClientAuth) MaxShown() int { return a.Depth + 2 }

// Verify reports what is wrong with the certificates that a client has shown, the leaf first: nil for good ones, and
// until when they are. It verifies signatures: not for event loops. Mode is not looked at.
func (a *ClientAuth) Verify(shown []*x509.Certificate, now time.Time) (until time.Time, err error) {
	if len(shown) == 0 {
		return until, errors.New("verify client: it shows no certificate")
	}
	if len(shown) > a.MaxShown() {
		return until, fmt.Errorf("verify client: it shows more than %d certificates", a.MaxShown())
	}
	roots := a.Roots
	if roots == nil {
		// Not the system's roots: the object named none of them.
		roots = x509.NewCertPool()
	}
	chains, err := shown[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: poolOf(shown[1:]), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return until, fmt.Errorf("verify client: %w", err)
	}
	if !withinDepth(chains, a.Depth) {
		return until, fmt.Errorf("verify client: more than %d intermediate certificates", a.Depth)
	}
	for _, chain := range chains {
		first := chain[0].NotAfter
		for _, c := range chain {
			if a.Revoked.Has(c) {
				return until, ErrRevoked
			}
			if c.NotAfter.Before(first) {
				first = c.NotAfter
			}
		}
		if first.After(until) && len(chain)-2 <= a.Depth {
			until = first
		}
	}
	return until, nil
}

// Allows reports whether a client's certificate, which may be nil, has a name that MatchName
// matches. ingress-nginx looks for the pattern anywhere in the whole subject, where it may stand in
// an organisation's name. It runs a user's expression: not for event loops.
func (a *ClientAuth) Allows(leaf *x509.Certificate) bool {
	return a.MatchName == (expression.Expression{}) || leaf != nil && a.MatchName.Match("CN="+leaf.Subject.CommonName)
}

// Equal reports whether a and o, which may be nil, are the same policy.
func (a *ClientAuth) Equal(o *ClientAuth) bool {
	if a == nil || o == nil {
		return a == o
	}
	return a.Identity == o.Identity && a.PassCertificate == o.PassCertificate && a.ErrorPage == o.ErrorPage && a.MatchName == o.MatchName
}

// String is the line of Dump, without its Host.
func (a ClientAuth) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s roots %s depth %d", a.Mode, policy.Word(a.Secret.String()), a.Depth)
	if len(a.Revoked) > 0 {
		b.WriteString(" revocations")
	}
	if a.PassCertificate {
		b.WriteString(" passed on")
	}
	if a.ErrorPage != "" {
		b.WriteString(" error page " + policy.Word(a.ErrorPage))
	}
	if a.MatchName != (expression.Expression{}) {
		b.WriteString(" name " + policy.Word(a.MatchName.String()))
	}
	return b.String() + " id " + hex.EncodeToString(a.Identity[:4])
}

// Revocations are the serial numbers of revoked certificates by their issuer, both as DER has them. A
// nil one has none.
type Revocations map[string]map[string]struct{}

// Add takes the serial numbers of a list in. Not for use after publishing.
func (r Revocations) Add(list *x509.RevocationList) {
	serials := r[string(list.RawIssuer)]
	if serials == nil {
		serials = make(map[string]struct{}, len(list.RevokedCertificateEntries))
		r[string(list.RawIssuer)] = serials
	}
	for _, e := range list.RevokedCertificateEntries {
		serials[string(e.SerialNumber.Bytes())] = struct{}{}
	}
}

// Has reports whether a certificate is revoked.
func (r Revocations) Has(c *x509.Certificate) bool {
	_, revoked := r[string(c.RawIssuer)][string(c.SerialNumber.Bytes())]
	return revoked
}
