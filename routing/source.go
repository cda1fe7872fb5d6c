package routing

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// ObjectName names a namespaced Kubernetes object.
type ObjectName struct{ Namespace, Name string }

// String returns "namespace/name".
func (n ObjectName) String() string { return n.Namespace + "/" + n.Name }

// Compare sorts by namespace, then by name.
func (n ObjectName) Compare(o ObjectName) int {
	return cmp.Or(strings.Compare(n.Namespace, o.Namespace), strings.Compare(n.Name, o.Name))
}

// Source is the object that a Route comes from. All Routes of an Ingress share one Source; those on a
// Host with a HostTLS share one of their own for it, and so do those with a Split. Immutable once published.
type Source struct {
	Ingress ObjectName
	// Created is the object's metadata.creationTimestamp in Unix seconds; the oldest wins a
	// conflict, then the lexically smaller namespace/name.
	Created int64
	// LastName is true for an object that wins against one of its age whose namespace/name sorts before its own, as in
	// ingress-nginx. It loses against one of its age without.
	LastName bool
	// Policy holds what the object asks of requests; nil for nothing.
	Policy *policy.Policy
	// TLS is the HostTLS of the Route's Host, whichever object set it; nil for none. It is here, and not
	// in Route, because a Route fills a cache line.
	TLS *HostTLS
	// Split shares the requests of the Route out; nil for most, whose Backend has all. A Route with one has a Source of its
	// own, for the reason that TLS is here.
	Split *Split
}

// Compare is negative when s wins a conflict with o: the older object does, then the one without LastName, then the one whose
// namespace/name sorts first, or last where both have LastName, and an object wins over none (nil).
func (s *Source) Compare(o *Source) int {
	switch {
	case s == o:
		return 0
	case s == nil:
		return 1
	case o == nil:
		return -1
	}
	if c := cmp.Compare(s.Created, o.Created); c != 0 {
		return c
	}
	if s.LastName != o.LastName {
		if o.LastName {
			return -1
		}
		return 1
	}
	c := strings.Compare(s.Ingress.String(), o.Ingress.String())
	if s.LastName {
		return -c
	}
	return c
}

// WinsOver gives, as a clause, why s wins a conflict with o, for sentences that end with "wins because". Within one
// object the order of its Routes decides.
func (s *Source) WinsOver(o *Source) string {
	switch {
	case s == o, s != nil && o != nil && s.Ingress == o.Ingress:
		return "it is listed first in the same object"
	case o == nil:
		return "the other comes from no object"
	case s.Created != o.Created:
		return fmt.Sprintf("it is older (%s, against %s)", seconds(s.Created), seconds(o.Created))
	}
	switch {
	case s.LastName != o.LastName:
		return "both are equally old and the other is taken over from ingress-nginx"
	case s.LastName:
		return "both are equally old and its name sorts last, which decides in ingress-nginx"
	}
	return "both are equally old and its name sorts first"
}

func (s *Source) name() string {
	if s == nil {
		return "no object"
	}
	return "Ingress " + s.Ingress.String()
}

func seconds(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
