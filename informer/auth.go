package informer

import (
	"fmt"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// auth decides, before there are Routes, who may ask. What cannot be carried out closes the object.
func (c *compiler) auth() {
	if b := c.basicAuth(); b != nil {
		c.settings.Policy.Set(b)
	}
	if j := c.jwt(); j != nil {
		c.settings.Policy.Set(j)
	}
	if e, ok := c.settings.Policy.Filter(policy.KindExternal).(*policy.External); ok {
		e.Refused, e.Allowed = c.backends.screen.ranges()
	}
	if c.settings.AnyOf {
		c.anyOf()
	}
}

// basicAuth returns what auth-type asks for, nil where that is nothing or cannot be carried out.
func (c *compiler) basicAuth() *policy.BasicAuth {
	s := c.settings.BasicAuth
	if !s.Asked {
		if s.Secret != "" {
			c.reject(c.annotationName("auth-secret"), s.Secret, "it has no effect without auth-type")
		}
		return nil
	}
	refuse := func(fault string) {
		c.closed("passwords are asked for and cannot be verified")
		if fault != "" {
			c.reject(c.annotationName("auth-secret"), s.Secret, fault+"; every path of the object answers 503")
		}
	}
	if s.Secret == "" {
		refuse("auth-type needs it")
		return nil
	}
	m, name, fault := c.credential(s.Secret)
	if m == nil {
		refuse(fault)
		return nil
	}
	users := m.File
	if s.Map {
		users = m.Map
	}
	switch {
	case users.Fault != "":
		refuse(users.Fault)
		return nil
	case users.Unusable > 0:
		c.reject(c.annotationName("auth-secret"), s.Secret,
			fmt.Sprintf("%d users of the Secret have no hash of a form and a cost that is taken; they cannot log in", users.Unusable))
	case users.Users.Len() == 0:
		c.reject(c.annotationName("auth-secret"), s.Secret, "the Secret has no users; nobody can log in")
	}
	return &policy.BasicAuth{Realm: s.Realm, Secret: name.String(), Users: users.Users}
}

// anyOf puts the conditions of the Policy into one, of which any is enough. One alone stays as it is.
func (c *compiler) anyOf() {
	p := &c.settings.Policy
	any := &policy.AnyOf{}
	any.Access, _ = p.Filter(policy.KindAccess).(*policy.Access)
	any.Basic, _ = p.Filter(policy.KindBasicAuth).(*policy.BasicAuth)
	any.JWT, _ = p.Filter(policy.KindJWT).(*policy.JWT)
	any.External, _ = p.Filter(policy.KindExternal).(*policy.External)
	list := any.Conditions()
	if len(list) < 2 {
		return
	}
	for _, f := range list {
		p.Remove(f.Kind())
	}
	p.Set(any)
}

// closed makes every Route of the object answer 503. The Policy keeps the first of several reasons.
func (c *compiler) closed(reason string) {
	if c.settings.Policy.Closed == "" {
		c.settings.Policy.Closed = reason
	}
}

// conditions are the Kinds of Filters that a request must satisfy to be let in.
var conditions = []policy.Kind{policy.KindAccess, policy.KindBasicAuth, policy.KindJWT, policy.KindExternal, policy.KindAnyOf}

// screened reports whether a Policy depends on the addresses that nobody may have.
func screened(p *policy.Policy) bool {
	if any, ok := p.Filter(policy.KindAnyOf).(*policy.AnyOf); ok {
		return any.External != nil || any.JWT != nil && any.JWT.URL != ""
	}
	j, _ := p.Filter(policy.KindJWT).(*policy.JWT)
	return p.Filter(policy.KindExternal) != nil || j != nil && j.URL != ""
}
