package informer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// canary is what an object has that is a canary of others. Its paths make no Routes: each looks for the Route of another object
// at the same host, with the same path and type, and gives that a second Backend (see canarySet). Immutable once the builder
// has it.
type canary struct {
	paths []canaryPath
	// choice is nil where the weights alone decide.
	choice  *policy.Canary
	weight  uint32
	total   uint32
	balance routing.Balance
	loose   bool
}

// canaryPath is one path of a canary. That of a default backend has the host and text of everyHost.
type canaryPath struct {
	host, text string
	pathType   routing.PathType
	to         reference
	field      string
}

// elsewhereHost stands for what no Host matches; no Host is called so.
const elsewhereHost = "*"

func (c *canary) equal(o *canary) bool {
	if c == nil || o == nil {
		return c == o
	}
	return slices.Equal(c.paths, o.paths) && c.weight == o.weight && c.total == o.total && c.balance == o.balance && c.loose == o.loose &&
		(c.choice == o.choice || c.choice != nil && o.choice != nil && *c.choice == *o.choice)
}

// hosts returns the hosts of the paths, once each; c may be nil.
func (c *canary) hosts() []string {
	if c == nil {
		return nil
	}
	seen := make(map[string]struct{}, len(c.paths))
	for _, p := range c.paths {
		seen[p.host] = struct{}{}
	}
	return slices.Sorted(maps.Keys(seen))
}

// canary compiles an object that is one.
func (c *compiler) canary() {
	s := &c.settings.Canary
	k := &canary{balance: c.settings.Balance, loose: s.Loose, total: uint32(s.Total), weight: uint32(min(max(s.Weight, 0), s.Total))}
	c.entry.canary = k
	choice := s.Choice
	if choice.Header == "" {
		for key, value := range map[string]string{"canary-by-header-value": choice.Value, "canary-by-header-pattern": choice.Pattern} {
			if value != "" {
				c.reject(c.annotationName(key), value, "it has no effect without canary-by-header")
			}
		}
		choice.Value, choice.Pattern, choice.Unread = "", "", false
	}
	if choice.Value != "" && choice.Pattern != "" {
		c.reject(c.annotationName("canary-by-header-pattern"), choice.Pattern, "it has no effect beside canary-by-header-value")
		choice.Pattern, choice.Unread = "", false
	}
	if choice != (policy.Canary{}) {
		k.choice = &choice
	}
	for i := range c.ing.Spec.Rules {
		rule := &c.ing.Spec.Rules[i]
		field := fmt.Sprintf("spec.rules[%d]", i)
		name, ok := hostName(rule.Host)
		if !ok {
			c.reject(field+".host", rule.Host, "want a DNS name, or \"*.\" and a DNS name, and no address or port; the rule is left out")
			continue
		}
		if rule.HTTP == nil {
			continue
		}
		for i := range rule.HTTP.Paths {
			p := &rule.HTTP.Paths[i]
			at := fmt.Sprintf("%s.http.paths[%d]", field, i)
			pathType, text, ok := c.pathType(at, p)
			if !ok {
				continue
			}
			if to, ok := c.reference(at+".backend", &p.Backend); ok {
				k.paths = append(k.paths, canaryPath{name, text, pathType, to, at})
			}
		}
	}
	if backend := c.ing.Spec.DefaultBackend; backend != nil {
		if to, ok := c.reference("spec.defaultBackend", backend); ok {
			k.paths = append(k.paths, canaryPath{host: elsewhereHost, to: to, field: "spec.defaultBackend"})
		}
	}
}

// parse reads the annotations of the object. Those that do not count in a canary have a Rejection each.
func (c *compiler) parse() {
	refused := make(map[string]struct{})
	c.settings = c.annotations.Parse(c.ing.Annotations, func(name, value, reason string) {
		refused[name] = struct{}{}
		c.reject(annotationField(name), value, reason)
	})
	if !c.settings.Canary.On {
		return
	}
	for name, value := range c.ing.Annotations {
		key, ok := strings.CutPrefix(name, annotation.OwnPrefix)
		if !ok {
			key, ok = strings.CutPrefix(name, annotation.NginxPrefix)
		}
		if _, told := refused[name]; ok && !told && !annotation.CanaryCounts(key) {
			c.reject(annotationField(name), value, "it has no effect in a canary: that of the main object counts")
		}
	}
}
