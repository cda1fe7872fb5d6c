package informer

import (
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// login returns what oidc-issuer and its kin ask for, nil where that is nothing or cannot be carried out.
func (c *compiler) login() *policy.Login {
	s := c.settings.Login
	if !s.Asked {
		return nil
	}
	refuse := func(key, value, fault string) {
		c.closed("people are to sign in and cannot")
		if fault != "" {
			c.reject(annotationField(annotation.OwnPrefix+key), value, fault+"; every path of the object answers 503")
		}
	}
	l := s.Policy
	for _, needed := range []struct{ key, value string }{{"oidc-issuer", l.Issuer}, {"oidc-client-id", l.Client}, {"oidc-secret", s.Secret}} {
		if needed.value != "" {
			continue
		}
		if c.settings.Policy.Closed == "" { // otherwise its value may have a Rejection already
			refuse(needed.key, "", "nobody can sign in without it")
		}
		return nil
	}
	m, name, fault := c.credential(s.Secret)
	switch {
	case m == nil:
		refuse("oidc-secret", s.Secret, fault)
		return nil
	case m.SessionFault != "":
		refuse("oidc-secret", s.Secret, m.SessionFault)
		return nil
	case m.SessionKey.Empty():
		refuse("oidc-secret", s.Secret, "the Secret has no key "+secret.SessionKey)
		return nil
	}
	l.Secret, l.ClientSecret, l.Key, l.OldKey = name.String(), m.ClientSecret, m.SessionKey, m.OldSessionKey
	l.Refused, l.Allowed = c.backends.screen.ranges()
	return &l
}

// ofLogin rejects a callback that no path of the object leads to. Called once the object has its Routes.
func (c *compiler) ofLogin() {
	path := c.settings.Login.Policy.Callback
	if path == "" || c.settings.Policy.Closed != "" || c.mayBeRegular() {
		return
	}
	for _, h := range c.entry.hosts {
		led := false
		for _, r := range h.routes {
			base := strings.TrimSuffix(r.Path, "/")
			led = led || r.Path == path || r.Type != routing.Exact && (path == base || strings.HasPrefix(path, base+"/"))
		}
		if !led && len(h.routes) > 0 {
			c.reject(annotationField(annotation.OwnPrefix+"oidc-callback-path"), path, "no path of the object on the host "+h.name+" leads there, so that nobody can sign in on it")
		}
	}
}
