package informer

import (
	"iter"

	"github.com/sluice-gateway/sluice/routing"
)

// dirty is what the events since the last build have touched, and the next one makes again. Every set reports what it
// affects, and the builder marks it here.
type dirty struct {
	ingresses map[routing.ObjectName]struct{}
	hosts     map[string]struct{}
	// fallback is true where the Route for what no Host matches is to be decided again.
	fallback bool
}

func newDirty() dirty {
	return dirty{ingresses: make(map[routing.ObjectName]struct{}), hosts: make(map[string]struct{})}
}

// ingress marks Ingresses to be compiled.
func (d *dirty) ingress(names ...routing.ObjectName) {
	for _, name := range names {
		d.ingresses[name] = struct{}{}
	}
}

// users is ingress for those that refer to an object.
func (d *dirty) users(names iter.Seq[routing.ObjectName]) {
	for name := range names {
		d.ingresses[name] = struct{}{}
	}
}

// entry marks what an entry, which may be nil, has a part in.
func (d *dirty) entry(e *entry) {
	if e == nil {
		return
	}
	for _, h := range e.hosts {
		d.hosts[h.name] = struct{}{}
	}
	for _, c := range e.sentTo.claims {
		d.hosts[c.name] = struct{}{}
	}
	d.fallback = d.fallback || e.fallback != nil
	for _, name := range e.canary.hosts() {
		d.host(name)
	}
}

// host marks a Host to be built, or, of the name of no Host, what no Host matches.
func (d *dirty) host(name string) {
	if name == elsewhereHost {
		d.fallback = true
		return
	}
	d.hosts[name] = struct{}{}
}
