package informer

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/routing"
)

// clientAuth decides, before there are Routes, what the object requires of its clients. Settings
// that cannot be carried out close the object, and its hosts with it.
func (c *compiler) clientAuth() {
	s := c.settings.ClientAuth
	if s.Off || !s.Asked || c.settings.ClosesHosts {
		return
	}
	refuse := func(fault string) {
		c.settings.Policy.Closed = "client certificates are asked for and cannot be verified"
		c.entry.closesHosts, c.entry.forbids = true, s.Secret != "" && c.entry.controller == NginxController
		if c.entry.authWaits = fault == ""; fault != "" {
			c.reject(c.annotationName("auth-tls-secret"), s.Secret, fault+"; the hosts of the object are closed")
		}
	}
	if s.Secret == "" {
		refuse("the other auth-tls-* need it")
		return
	}
	if name := annotation.Name(c.ing.Annotations, "auth-tls-secret"); c.entry.controller == NginxController && !strings.Contains(s.Secret, "/") &&
		strings.HasPrefix(name, annotation.NginxPrefix) {
		refuse("want namespace/name, as ingress-nginx does")
		return
	}
	m, name, fault := c.credential(s.Secret)
	switch {
	case m == nil:
	case m.RootsFault != "":
		fault = m.RootsFault
	case m.Roots == nil:
		fault = "the Secret has no " + secret.AuthoritiesKey
	case m.RevokedFault != "":
		fault = m.RevokedFault
	}
	if m == nil || fault != "" {
		refuse(fault)
		return
	}
	a := &routing.ClientAuth{
		Mode: s.Mode, Roots: m.Roots, Revoked: m.Revoked, Depth: s.Depth,
		PassCertificate: s.Pass, ErrorPage: s.ErrorPage, MatchName: s.Name, Secret: name,
	}
	identity := fmt.Appendf(nil, "%s %d %x", a.Mode, a.Depth, m.AuthoritiesSum)
	if name := a.MatchName.String(); name != "" {
		identity = append(append(identity, ' '), name...)
	}
	a.Identity = sha256.Sum256(identity)
	c.entry.clientAuth = a
	if len(c.ing.Spec.Rules) == 0 && c.ing.Spec.DefaultBackend != nil {
		c.reject(c.annotationName("auth-tls-secret"), s.Secret,
			"client certificates are asked for by host, and the object has no rules; its default backend answers 503")
	}
}
