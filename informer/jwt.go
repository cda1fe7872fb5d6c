package informer

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// jwt returns what jwt-keys and its kin ask for, nil where that is nothing or cannot be carried out.
func (c *compiler) jwt() *policy.JWT {
	s := c.settings.JWT
	if !s.Asked {
		return nil
	}
	field := annotationField(annotation.OwnPrefix + "jwt-keys")
	refuse := func(fault string) {
		c.closed("tokens are asked for and cannot be verified")
		if fault != "" {
			c.reject(field, s.Keys, fault+"; every path of the object answers 503")
		}
	}
	j := s.Policy
	if s.Keys == "" {
		if c.settings.Policy.Closed == "" { // otherwise its value has a Rejection already
			refuse("without it tokens cannot be verified, and the other annotations of tokens guard nothing")
		}
		return nil
	}
	if strings.Contains(s.Keys, "://") {
		j.URL = s.Keys
		j.Refused, j.Allowed = c.backends.screen.ranges()
		return &j
	}
	m, name, fault := c.credential(s.Keys)
	if m == nil {
		refuse(fault)
		return nil
	}
	if m.KeySetFault != "" {
		refuse(m.KeySetFault)
		return nil
	}
	if m.KeySet.Empty() {
		refuse("the Secret has no key " + secret.KeySetKey)
		return nil
	}
	if m.KeySetUnusable > 0 {
		c.reject(field, s.Keys, fmt.Sprintf("%d keys of the Secret are of no type, use or size that is taken; what they sign is refused", m.KeySetUnusable))
	}
	j.Secret, j.Keys = name.String(), m.KeySet
	return &j
}
