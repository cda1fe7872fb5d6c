package informer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
)

// clientAuth is what the annotations auth-tls-* say. Comparable; the zero value is none of them.
type clientAuth struct {
	// named is true once any of them is there, but for auth-tls-verify-client: off.
	named  bool
	secret string
	off    bool
	mode   routing.ClientAuthMode
	// depth is one more than auth-tls-verify-depth says, 0 for the default.
	depth     int
	pass      bool
	errorPage string
	name      expression.Expression
}

// clientAuth decides, before there are Routes, what the object wants of its clients. What cannot be
// carried out closes the object, and its hosts with it.
func (c *compiler) clientAuth() {
	s := c.settings.clientAuth
	if s.off || !s.named || c.settings.closedTLS {
		return
	}
	refuse := func(fault string) {
		c.settings.policy.Closed = "client certificates are asked for and cannot be verified"
		c.entry.closesHosts = true
		if c.entry.authWaits = fault == ""; fault != "" {
			c.reject(c.annotationName("auth-tls-secret"), s.secret, fault+"; the hosts of the object answer 503")
		}
	}
	if s.secret == "" {
		refuse("the other auth-tls-* need it")
		return
	}
	m, name, fault := c.credential(s.secret)
	switch {
	case m == nil:
	case m.rootsFault != "":
		fault = m.rootsFault
	case m.roots == nil:
		fault = "the Secret has no " + rootsKey
	case m.revokedFault != "":
		fault = m.revokedFault
	}
	if m == nil || fault != "" {
		refuse(fault)
		return
	}
	a := &routing.ClientAuth{
		Mode: routing.ClientAuthOn, Roots: m.roots, Revoked: m.revoked, Depth: defaultDepth,
		PassCertificate: s.pass, ErrorPage: s.errorPage, Secret: name,
	}
	if s.mode != routing.ClientAuthOff {
		a.Mode = s.mode
	}
	if s.depth > 0 {
		a.Depth = s.depth - 1
	}
	a.MatchName = s.name
	identity := fmt.Appendf(nil, "%s %d %x", a.Mode, a.Depth, m.authorities)
	if name := a.MatchName.String(); name != "" {
		identity = append(append(identity, ' '), name...)
	}
	a.Identity = sha256.Sum256(identity)
	c.entry.clientAuth = a
	if len(c.ing.Spec.Rules) == 0 && c.ing.Spec.DefaultBackend != nil {
		c.reject(c.annotationName("auth-tls-secret"), s.secret,
			"client certificates are asked for by host, and the object has no rules; its default backend answers 503")
	}
}

func setAuthSecret(s *settings, _, value string) error {
	s.clientAuth.named, s.clientAuth.secret = true, value
	return nil
}

func setAuthMode(s *settings, _, value string) error {
	if value == routing.ClientAuthOff.String() {
		s.clientAuth.off = true
		return nil
	}
	s.clientAuth.named = true
	for m := routing.ClientAuthOn; m <= routing.ClientAuthOptionalNoCA; m++ {
		if value == m.String() {
			s.clientAuth.mode = m
			return nil
		}
	}
	return errors.New("want on, off, optional or optional_no_ca; on is assumed")
}

func setAuthDepth(s *settings, _, value string) (err error) {
	s.clientAuth.named = true
	s.clientAuth.depth, err = parseDepth(value)
	return err
}

func setAuthPass(s *settings, _, value string) error {
	s.clientAuth.named = true
	on, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("want true or false; false is assumed")
	}
	s.clientAuth.pass = on
	return nil
}

func setAuthPage(s *settings, _, value string) error {
	s.clientAuth.named = true
	u, err := url.Parse(value)
	absolute := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	path := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/")
	if (!absolute && !path) || u.User != nil || strings.ContainsAny(value, "$\\ \"<>") {
		return errors.New("want a URL of http or https, or a path, without variables; clients are answered 400 instead")
	}
	s.clientAuth.errorPage = value
	return nil
}

func setAuthName(s *settings, key, value string) error {
	s.clientAuth.named = true
	// Both, because a bracket may close ours.
	_, err := expression.Parse(value)
	joined, joinedErr := expression.Parse("^(?:" + value + ")")
	if err == nil {
		err = joinedErr
	}
	if err == nil && !strings.HasPrefix(value, "CN=") {
		err = errors.New("it does not begin with CN=")
	}
	if err != nil {
		s.closedTLS = true
		s.policy.Closed = "want CN= and a regular expression of RE2; the hosts of the object answer 503"
		return fmt.Errorf("%w: %s", err, s.policy.Closed)
	}
	s.clientAuth.name = joined
	return nil
}

func setPassthrough(s *settings, _, value string) error {
	on, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("want true or false; false is assumed")
	}
	s.passthrough = on
	return nil
}
