package informer

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing"
)

// entry is one Ingress, compiled. Immutable once the builder has it.
type entry struct {
	// controller is the spec.controller of its class; NginxController means takeover.
	controller string
	source     *routing.Source
	// hosts has one element per name, sorted. One without Routes claims the name, so that no less
	// specific Host answers for it.
	hosts []hostRoutes
	// fallback is the Route of spec.defaultBackend in an object without rules.
	fallback *routing.Route
	// clientAuth is what the object requires of the clients of its hosts; nil for nothing.
	clientAuth *routing.ClientAuth
	// closesHosts is true where clientAuth cannot be carried out, which closes the hosts for every
	// other object too. authWaits is true while the only cause is a Secret that may still arrive.
	closesHosts, authWaits bool
	// passthrough is true when the object asks for TLS connections to be passed on.
	passthrough bool
	// ciphers are the suites that the object sets for its hosts.
	ciphers annotation.Ciphers
	// sentTo is what the object asks of its hosts and of plain HTTP.
	sentTo sentTo
	// regular is what the object wants of the paths of its hosts.
	regular regularity
	// canary is what a canary has, which has neither hosts nor a fallback; nil for all others.
	canary *canary
	// slots has one reference per resolved backend of the object.
	slots []*slot
	// services are those the object refers to, whether they exist or not.
	services map[routing.ObjectName]struct{}
}

type hostRoutes struct {
	name   string
	routes []routing.Route
	// written has one for each Route.
	written []writtenPath
}

// writtenPath is the path of a Route as its object has it: the text of an expression where the host has these.
type writtenPath struct {
	field, text string
	// fault is why the path cannot be served but as an expression, "" where it can, and value what is to blame.
	fault, value string
}

// routesOf returns the Routes of one Host.
func (e *entry) routesOf(host string) []routing.Route { return e.onHost(host).routes }

// onHost returns what the object has for one Host.
func (e *entry) onHost(host string) hostRoutes {
	i, ok := slices.BinarySearchFunc(e.hosts, host, func(h hostRoutes, name string) int {
		return strings.Compare(h.name, name)
	})
	if !ok {
		return hostRoutes{}
	}
	return e.hosts[i]
}

// same reports whether e and o make the same Routes, so that the Hosts of e can stay.
func (e *entry) same(o *entry) bool {
	sameRoute := func(a, b routing.Route) bool {
		a.Source, b.Source = nil, nil
		return a == b
	}
	return e.source.Created == o.source.Created && e.source.LastName == o.source.LastName && e.closesHosts == o.closesHosts && e.authWaits == o.authWaits &&
		e.clientAuth.Equal(o.clientAuth) && e.passthrough == o.passthrough && e.ciphers == o.ciphers &&
		e.regular.same(&o.regular) && e.canary.equal(o.canary) && (e.canary == nil || e.controller == o.controller) &&
		e.source.Policy.Equal(o.source.Policy) && e.sentTo.equal(&o.sentTo) &&
		(e.fallback == nil) == (o.fallback == nil) &&
		(e.fallback == nil || sameRoute(*e.fallback, *o.fallback)) &&
		slices.EqualFunc(e.hosts, o.hosts, func(a, b hostRoutes) bool {
			return a.name == b.name && slices.EqualFunc(a.routes, b.routes, sameRoute) && slices.Equal(a.written, b.written)
		})
}

// compare sorts entries by the precedence in conflicts.
func (e *entry) compare(o *entry) int {
	return e.source.Compare(o.source)
}

func (e *entry) name() routing.ObjectName { return e.source.Ingress }

func (e *entry) namespace() string { return e.source.Ingress.Namespace }

// serviceNames returns the Services that the object refers to; e may be nil.
func (e *entry) serviceNames() map[routing.ObjectName]struct{} {
	if e == nil {
		return nil
	}
	return e.services
}
