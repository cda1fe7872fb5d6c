package informer

import (
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// The default certificate comes from a Secret that the configuration names, and is parsed, kept and
// reported as others are; its Rejections belong to the Secret itself, because no Ingress refers to it.

// defaultName is the Secret of the default certificate; the zero value where none is configured.
func (c *Config) defaultName() routing.ObjectName {
	namespace, name, _ := strings.Cut(c.DefaultCertificate, "/")
	return routing.ObjectName{Namespace: namespace, Name: name}
}

// refreshDefault reads the default certificate again where it must, and reports whether it changed.
func (b *builder) refreshDefault(now time.Time) (changed bool) {
	p := b.certificates.fallback
	if p == nil {
		return false
	}
	name, was := b.cfg.defaultName(), p.live
	if !p.parsed {
		b.parse(p, name, b.credentialAbsence(name))
	}
	if p.live != was {
		b.certificates.expect(p.live, now)
	}
	var list []Rejection
	reject := func(reason string) {
		list = append(list, Rejection{
			Object: Object{Kind: "Secret", Namespace: name.Namespace, Name: name.Name},
			Reason: "this is the default certificate: " + reason,
		})
	}
	if p.fault != "" && p.live != nil {
		reject(p.fault + keptServed)
	} else if p.fault != "" {
		reject(p.fault + "; there is none")
	}
	if p.live != nil {
		if reason := objection(p.live, now); reason != "" {
			reject(reason)
		}
	}
	b.rejected.replace(subject{ofSecret, name}, list)
	return p.live != was
}
