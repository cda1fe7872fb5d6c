package secret

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing"
)

// Fault is why a Secret is not served as a section of spec.tls asks. A plain value, with nothing of the content of the
// Secret in it.
type Fault struct {
	// Ingress and Section tell whose section it is, and which.
	Ingress routing.ObjectName
	Section int
	// Secret is the name that the section gives.
	Secret string
	Reason string
}

func (c claim) fault(reason string) Fault {
	return Fault{Ingress: c.source.Ingress, Section: c.section, Secret: c.secret.Name, Reason: reason}
}

// A Reason ends with what is served in place of a faulty Secret.
const (
	notServed  = "; its hosts get the default certificate"
	keptServed = "; the last good certificate of it stays in use until the Secret is deleted or the gateway restarts"
)

// faults returns the Faults of an Ingress's sections.
func (s *Set) faults(ingress routing.ObjectName, now time.Time) (list []Fault) {
	sections := s.references[ingress].Sections
	// A name that one section's certificate is not good for may be another's.
	covered := func(name string) bool {
		return slices.ContainsFunc(sections, func(o Section) bool { return isGood(s.certificates.live(o.Secret), name) })
	}
	for _, section := range sections {
		fault := func(reason string) {
			list = append(list, Fault{Ingress: ingress, Section: section.Position, Secret: section.Secret.Name, Reason: reason})
		}
		p := s.certificates.pairs[section.Secret]
		if p.fault != "" {
			fault(p.fault + p.instead())
		}
		if p.live == nil {
			continue
		}
		if reason := objection(p.live, now); reason != "" {
			fault(reason)
		}
		if reason := section.uncovered(p.live, covered); reason != "" {
			fault(reason)
		}
	}
	return list
}

func (p *pair) instead() string {
	if p.live != nil {
		return keptServed
	}
	return notServed
}

// maxUncovered bounds the hosts that one Fault names.
const maxUncovered = 3

// uncovered describes the hosts of a section for which its Certificate is not served. elsewhere reports whether some
// section of the object is good for a name.
func (s Section) uncovered(c *routing.Certificate, elsewhere func(name string) bool) (reason string) {
	const without = "; without another one the default certificate is"
	good := func(host string) bool { return isGood(c, host) }
	missing := slices.DeleteFunc(slices.Clone(s.Hosts), good)
	switch {
	case len(missing) > 0:
	case len(s.Hosts) > 0:
		return ""
	case len(s.Implied) == 0:
		return "neither this section nor a rule has a host that no other section lists, so that the certificate is served nowhere; list its hosts"
	case !slices.ContainsFunc(s.Implied, good):
		return "the certificate is good for no host of the object, " + plain.List(s.Implied, maxUncovered) + ", and is served nowhere" + without
	default:
		missing = slices.DeleteFunc(slices.Clone(s.Implied), func(host string) bool { return good(host) || elsewhere(host) })
	}
	if len(missing) == 0 {
		return ""
	}
	return "the certificate is not good for " + plain.List(missing, maxUncovered) + ", and is not served there" + without
}

// objection describes what clients will object to in a Certificate, or nothing.
func objection(c *routing.Certificate, now time.Time) string {
	const served = "; it is served all the same, and clients refuse it"
	switch validity(c, now) {
	case after:
		return fmt.Sprint("the certificate expired at ", c.NotAfter.Format(time.RFC3339), served)
	case before:
		return fmt.Sprint("the certificate is not valid before ", c.NotBefore.Format(time.RFC3339), served)
	}
	if nameless(c.Certificate.Leaf) {
		return "the certificate has no subject alternative name, and clients of today do not look at its common name" + served
	}
	return ""
}
