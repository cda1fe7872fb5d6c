package annotation

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// maxAliases bounds the Hosts that one object makes beside its own.
const maxAliases = 64

var _ = add(
	Row{
		Key: "server-alias", Scope: ScopeHost, Value: "names, with commas between", Default: "none",
		Set: setAliases,
		Get: func(s *Settings) any { return strings.Join(s.Aliases, " ") },
		Doc: "More names of the object's hosts, at which all that these have is served: paths of other objects, and settings of TLS. \"*.\" before a name stands for one label. " +
			"A name that an object has as a host is none. Of several objects of a host the oldest with aliases counts, of those in the namespace that the host belongs to; " +
			"where several hosts of a namespace want a name the one that sorts first has it, and of several namespaces that of the oldest object. Names are sent to HTTPS by ssl-redirect where a tls section of the object lists them, or a wildcard host with one stands for them. " +
			fmt.Sprintf("Regular expressions are refused, and so is what is beyond %d names; the other names of a list stay.", maxAliases),
	},
)

func setAliases(s *Settings, value string) error {
	var names, bad []string
	for part := range strings.SplitSeq(value, ",") {
		name := strings.ToLower(strings.TrimSpace(part))
		switch {
		case name == "":
		case validHost(name) && slices.Contains(names, name):
		case validHost(name) && len(names) < maxAliases:
			names = append(names, name)
		case len(bad) < maxUnknown:
			bad = append(bad, brief(strings.TrimSpace(part)))
		case len(bad) == maxUnknown:
			bad = append(bad, "and others")
		}
	}
	slices.Sort(names)
	s.Aliases = names
	switch {
	case len(bad) > 0:
		return fmt.Errorf("%s: left out; want DNS names, or \"*.\" and a DNS name, at most %d, and no regular expressions", strings.Join(bad, ", "), maxAliases)
	case len(names) == 0:
		return errors.New("want DNS names, with commas between; there is no alias")
	}
	return nil
}

// validHost accepts what a rule of an Ingress may have as its host, in lower case.
func validHost(name string) bool {
	if strings.HasPrefix(name, "*.") {
		return len(validation.IsWildcardDNS1123Subdomain(name)) == 0
	}
	_, err := netip.ParseAddr(name)
	return err != nil && len(validation.IsDNS1123Subdomain(name)) == 0
}
