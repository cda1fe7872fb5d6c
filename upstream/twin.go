package upstream

// A Pod with an IPv4 and an IPv6 address is two Endpoints of its Backend, and one place to go: they are
// twins (routing.Backend.Twins). Of two twins one is the face: it is balanced, judged and picked, so that the Pod counts
// once; the other stands aside and keeps its pool. As with Happy Eyeballs (RFC 8305), an address that
// cannot be connected to is left for the other family at once:
//
//   - A failure to connect makes the twin the face, with the verdict so far: the Pod's health is judged by
//     both addresses together. The attempt goes on at the twin (fallback), because nothing was sent, and
//     other Pods may fail in the same family.
//   - When the twin then answers, the family is at fault and not the Pod. So all Pods of the Backend that
//     never answered in that family show their other face, and so do those that come later.
//
// The face stays until it fails itself: no probe looks at the other address, since no request needs
// that one.
//
// On Backends without twins all this is one comparison with nil where an exchange ends.

// pair makes twins of the Endpoints that are one Pod by twins, and single ones of the others.
func (b *Backend) pair(twins []int32) {
	for i, e := range b.endpoints {
		var twin *Endpoint
		if i < len(twins) && twins[i] >= 0 {
			twin = b.endpoints[twins[i]]
		}
		if e.twin == twin {
			continue
		}
		e.twin = twin
		if e.aside {
			e.aside = false
			e.forgive()
		}
	}
	for _, e := range b.endpoints {
		t := e.twin
		if t == nil || e.aside || t.aside || t.twin != e {
			continue
		}
		// Of two new twins the face is the one that has answered, else the first in the order of
		// addresses, which is IPv4, unless that family is known not to work.
		aside := t
		if !e.reached && (t.reached || e.family() == b.shunned) {
			aside = e
		}
		aside.aside = true
		aside.forgive()
	}
}

// family is the kind of an Endpoint's address.
type family uint8

const (
	noFamily family = iota
	ipv4
	ipv6
)

func (e *Endpoint) family() family {
	if e.Addr.Addr().Is4() {
		return ipv4
	}
	return ipv6
}

// forgive clears the verdict on an Endpoint.
func (e *Endpoint) forgive() {
	e.health, e.failures, e.ejection, e.until = healthy, 0, 0, 0
	e.doubted = false
}

// face is e, or the twin that is picked in its place.
func (e *Endpoint) face() *Endpoint {
	if e.aside {
		return e.twin
	}
	return e
}

// fallback returns the Endpoint of the same Pod to go on with after a failure to connect to e that
// finished was given, or nil where there is none. An attempt goes on there once.
func (e *Endpoint) fallback() *Endpoint {
	if !e.aside || e.Gone {
		return nil
	}
	return e.twin
}

// turn makes e's twin the face. partition must follow.
func (e *Endpoint) turn() *Endpoint {
	t := e.twin
	t.health, t.failures, t.ejection, t.until = e.health, e.failures, e.ejection, e.until
	e.forgive()
	e.aside, t.aside = true, false
	return t
}

// turnAway handles a failure to connect to a face that has a twin, for judge, and returns the twin.
func (e *Endpoint) turnAway() *Endpoint {
	e.reached = false
	t := e.turn()
	t.doubted = true
	e.backend.partition()
	return t
}

// answered notes that an Endpoint with a twin has answered. Callers test for a twin first, which is
// the fast part.
func (e *Endpoint) answered() {
	e.reached = true
	if !e.doubted {
		return
	}
	e.doubted = false
	b := e.backend
	b.shunned = e.twin.family()
	turned := false
	for _, o := range b.endpoints {
		if o.twin != nil && !o.aside && !o.reached && o.family() == b.shunned && o.health == healthy {
			o.turn()
			turned = true
		}
	}
	if turned {
		b.partition()
	}
}

// load is the exchanges in flight with the Pod.
func (e *Endpoint) load() int32 {
	if e.twin != nil {
		return e.InFlight + e.twin.InFlight
	}
	return e.InFlight
}
