package secret

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// pair is a Secret that becomes a Certificate, parsed.
type pair struct {
	// parsed is false where the Secret has changed since.
	parsed bool
	// live is the served Certificate, nil for none, and from the object that live was made of.
	live *routing.Certificate
	from *corev1.Secret
	// fault is the error in the present state of the Secret. Both live and fault are set while the last good state is
	// served, and neither while the Secret may still arrive.
	fault string
}

// certificate returns the served Certificate; p may be nil.
func (p *pair) certificate() *routing.Certificate {
	if p == nil {
		return nil
	}
	return p.live
}

// parse reads a Secret again, nil where it is not there because of absence. A Secret that was good and is broken now
// keeps its last good Certificate until it is deleted or nothing refers to it: a failed renewal must not take a host
// down whose Certificate clients still accept, and ingress-nginx does the same. After a restart there is none.
func (p *pair) parse(name routing.ObjectName, secret *corev1.Secret, absence string) {
	p.parsed = true
	if secret == nil {
		*p = pair{parsed: true, fault: absence}
		return
	}
	if p.from != nil && same(p.from, secret) {
		// Same bytes as the good one that is served: nothing to report.
		p.fault = ""
		return
	}
	parsed, fault := parsePair(secret)
	if p.fault = fault; parsed != nil {
		p.live, p.from = routing.NewCertificate(name, parsed), secret
	}
}
