package informer

import (
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/routing"
)

// sections reads spec.tls, after the rules. A section without a Secret asks for the gateway's default
// certificate, and has nothing to read here.
func (c *compiler) sections() {
	listed := make(map[string]bool)
	var list []secret.Section
	for i := range c.ing.Spec.TLS {
		spec := &c.ing.Spec.TLS[i]
		section := secret.Section{Position: i, Secret: routing.ObjectName{Namespace: c.ing.Namespace, Name: spec.SecretName}}
		for j, host := range spec.Hosts {
			name, ok := hostName(host)
			if !ok || name == "" {
				c.reject(fmt.Sprintf("spec.tls[%d].hosts[%d]", i, j), host,
					"want a DNS name, or \"*.\" and a DNS name, and no address or port; the name is left out")
				continue
			}
			listed[name] = true
			section.Hosts = append(section.Hosts, name)
		}
		if spec.SecretName == "" {
			continue
		}
		slices.Sort(section.Hosts)
		section.Hosts = slices.Compact(section.Hosts)
		list = append(list, section)
	}
	var implied []string
	for _, h := range c.entry.hosts {
		if h.name != "" && !listed[h.name] {
			implied = append(implied, h.name)
		}
	}
	for i := range list {
		list[i].Implied = implied
	}
	c.references.Sections = list
}
