package informer

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// builder keeps the objects and makes Snapshots of them, each from the former one's parts.
//
// A step is: apply for every event, then build. apply hands the object to the set that it is about, and marks the
// Ingresses that the set says it touches:
//
//	Ingress        -> itself
//	IngressClass   -> the Ingresses whose controller becomes another one (see classGrace)
//	Service        -> the Ingresses that refer to it
//	EndpointSlice  -> none; the Backends of its Service
//	Secret         -> the Ingresses whose annotations name it; its Certificate
//	resolved name  -> none; the Backends of that name
//	own addresses  -> the Ingresses that lead to literal addresses; all Backends
//
// build compiles the marked Ingresses, builds the Hosts that their old and new forms name, and those whose canaries are other
// ones then, has the sets refresh what they marked themselves, and shares all else with the former Snapshot. The sets know
// neither the builder nor each other: objects and names go in, and what is affected, the result and the Rejections come out.
//
// Owned by one goroutine, but for rejected and outsiders.
type builder struct {
	// Immutable after newBuilder:
	cfg Config
	// now is the clock for classes and Certificates.
	now func() time.Time

	// The objects and what is made of them:
	cache    cache
	classes  classSet
	entries  map[routing.ObjectName]*entry
	services userIndex
	// classless are the Ingresses refused for want of their class.
	classless map[routing.ObjectName]struct{}
	hosts     hostSet
	backends  backendSet
	secrets   *secret.Set
	table     *routing.Table
	fallback  *routing.Route
	rejected  rejectionSet
	outsiders outsiderSet
	built     bool

	// loans are the Backends of canaries, by the Host whose Splits have them; lending are those of the Host that is being built.
	loans   map[string][]loan
	lending []loan

	dirty dirty
	// parseBudget bounds the time that one step spends on parsing Secrets; 0 = no bound.
	parseBudget time.Duration
	// recompiled names the Ingresses that the last build compiled or dropped.
	recompiled []routing.ObjectName
}

func newBuilder(cfg Config, attach func(*routing.Route)) *builder {
	b := &builder{
		cfg:       cfg,
		now:       time.Now,
		cache:     newCache(),
		entries:   make(map[routing.ObjectName]*entry),
		services:  make(userIndex),
		classless: make(map[routing.ObjectName]struct{}),
		hosts:     newHostSet(&cfg, attach),
		backends:  newBackendSet(&cfg),
		secrets:   secret.New(secretOptions(&cfg)),
		loans:     make(map[string][]loan),
		dirty:     newDirty(),
	}
	b.classes = newClassSet(&b.cfg)
	b.hosts.canaries.keyOf, b.hosts.canaries.lend = b.keyOf, b.lend
	return b
}

// apply stores the new state of one object, nil when it is gone, and marks what it touches.
func (b *builder) apply(key source.Key, object any) {
	name := routing.ObjectName(key.NamespacedName)
	switch key.Kind {
	case source.Ingress:
		next, _ := object.(*networkingv1.Ingress)
		if old := put(b.cache.ingresses, name, next); !sameIngress(old, next) {
			b.dirty.ingress(name)
		}
	case source.Class:
		next, _ := object.(*networkingv1.IngressClass)
		b.rejected.replace(subject{ofClass, name}, b.classes.apply(key.Name, next, b.now()))
	case source.Service:
		next, _ := object.(*corev1.Service)
		if old := put(b.cache.services, name, next); !sameService(old, next) {
			b.dirty.users(b.services.of(name))
		}
	case source.Slice:
		next, _ := object.(*discoveryv1.EndpointSlice)
		b.rejected.replace(subject{ofSlice, name}, b.backends.apply(name, next))
	case source.Secret:
		next, _ := object.(*corev1.Secret)
		b.dirty.ingress(b.secrets.Apply(name, next)...)
	case source.Secrets:
		if reason, ok := object.(string); ok {
			b.dirty.ingress(b.secrets.Read(watchOf(source.SecretsKey(key.NamespacedName)), reason)...)
		}
	case source.Addresses:
		addrs, _ := object.([]netip.AddrPort)
		b.backends.resolve(externalOf(key), addrs)
	case source.Node:
		own, _ := object.([]netip.Addr)
		b.setOwnAddresses(own)
	case source.File:
		faults, _ := object.([]source.Fault)
		b.rejected.replace(subject{ofFile, name}, rejectFile(faults))
	default:
		panic("BUG: event of unknown kind")
	}
}

// setOwnAddresses screens everything anew.
func (b *builder) setOwnAddresses(own []netip.Addr) {
	reports, changed := b.backends.setOwn(own)
	if !changed {
		return
	}
	b.rejected.replaceAll(reports)
	// What an authority must not be is written down when its Ingress is compiled.
	for name, e := range b.entries {
		if e != nil && screened(e.source.Policy) {
			b.dirty.ingress(name)
		}
	}
	// A literal address is judged when its Ingress is compiled.
	for name, service := range b.cache.services {
		if _, err := netip.ParseAddr(service.Spec.ExternalName); err == nil {
			b.dirty.users(b.services.of(name))
		}
	}
}

// build makes the Snapshot of the objects, or returns nil when nothing that a request could see has
// changed since the last one.
func (b *builder) build() *routing.Snapshot {
	now := b.now()
	b.dirty.ingress(b.classes.affected(now, b.cache.ingresses, b.controllerWas)...)
	b.compileDirty()
	tableChanged := b.buildTable()
	b.renewLoans()
	// Behind the Table, whose Splits may take up Backends, and give some back.
	backends, backendsChanged, reports := b.backends.refresh()
	b.rejected.replaceAll(reports)
	secrets := b.secrets.Refresh(now, b.parseBudget)
	b.rejectSecrets(&secrets)
	if b.built && !tableChanged && !backendsChanged && !secrets.Changed {
		return nil
	}
	b.built = true
	return &routing.Snapshot{
		Table: b.table, Backends: backends, Certificates: secrets.Certificates,
		ServerNames: secrets.ServerNames, DefaultCertificate: secrets.Default,
	}
}

// nextChange returns when there is something to build without an event, or zero for never.
func (b *builder) nextChange() time.Time {
	certificate, class := b.secrets.NextChange(), b.classes.next()
	if certificate.IsZero() || !class.IsZero() && class.Before(certificate) {
		return class
	}
	return certificate
}

// controllerWas returns what classes said of an Ingress when it was compiled.
func (b *builder) controllerWas(name routing.ObjectName) (controller string, refused bool) {
	if e := b.entries[name]; e != nil {
		controller = e.controller
	}
	_, refused = b.classless[name]
	return controller, refused
}

// compileDirty compiles the Ingresses that are marked, and marks the Hosts of both forms of each.
func (b *builder) compileDirty() {
	b.recompiled = b.recompiled[:0]
	for name := range b.dirty.ingresses {
		b.recompiled = append(b.recompiled, name)
		b.recompile(name)
	}
	clear(b.dirty.ingresses)
}

// recompile replaces the entry of an Ingress that was added, changed or removed.
func (b *builder) recompile(name routing.ObjectName) {
	var next compiled
	var others *networkingv1.Ingress
	delete(b.classless, name)
	if ing := b.cache.ingresses[name]; ing != nil {
		controller, reason := b.classes.controllerOf(ing)
		switch {
		case controller != "":
			next = b.newCompiler().compile(ing, controller)
		case reason != "":
			b.classless[name] = struct{}{}
			next.rejections = []Rejection{rejectIngress(name, "spec.ingressClassName", stringOr(ing.Spec.IngressClassName), reason)}
		default:
			others = ing
		}
	}
	b.outsiders.replace(name, others)
	b.rejected.replace(subject{ofIngress, name}, next.rejections)
	b.secrets.Refer(name, next.references)
	b.replaceEntry(name, next.entry)
}

// newCompiler returns a compiler with the present objects.
func (b *builder) newCompiler() *compiler {
	return &compiler{services: b.cache.services, backends: &b.backends, secrets: b.secrets, annotations: b.cfg.Annotations, noExternalNames: b.cfg.NoExternalNames}
}

// replaceEntry replaces the entry of an Ingress, by nil for none, and marks the Hosts of both.
func (b *builder) replaceEntry(name routing.ObjectName, next *entry) {
	old := b.entries[name]
	put(b.entries, name, next)
	if b.hosts.replace(old, next) {
		b.dirty.entry(old)
		b.dirty.entry(next)
	}
	b.services.replace(name, old.serviceNames(), next.serviceNames())
	if old == nil {
		return
	}
	// Not before next has its references: a slot that both have is never without one.
	for _, sl := range old.slots {
		b.backends.release(sl)
	}
}

// spread marks the Hosts that depend on those that are marked.
func (b *builder) spread() {
	work := slices.Collect(maps.Keys(b.dirty.hosts))
	for len(work) > 0 {
		name := work[len(work)-1]
		work = work[:len(work)-1]
		for next := range b.hosts.spread(name) {
			if _, marked := b.dirty.hosts[next]; !marked {
				b.dirty.host(next)
				work = append(work, next)
			}
		}
	}
}

// buildTable builds the Hosts that are marked, and reports whether the Table is another one.
func (b *builder) buildTable() (changed bool) {
	b.spread()
	b.spreadCanaries()
	hosts := make(map[string]*routing.Host, len(b.dirty.hosts))
	for name := range b.dirty.hosts {
		host, rejections := b.hosts.buildHost(name)
		b.keepLoans(name)
		hosts[name] = host
		b.rejected.replace(subject{ofHost, routing.ObjectName{Name: name}}, rejections)
		owner, owned := b.hosts.owner(name)
		b.secrets.SetOwner(name, owner, owned)
	}
	clear(b.dirty.hosts)
	changed = len(hosts) > 0 || b.dirty.fallback || !b.built
	if b.dirty.fallback {
		var rejections []Rejection
		b.fallback, rejections = b.hosts.buildFallback()
		b.keepLoans(elsewhereHost)
		b.rejected.replace(subject{ofHost, routing.ObjectName{Name: elsewhereHost}}, rejections)
		b.dirty.fallback = false
	}
	if changed {
		b.table = b.table.With(hosts, b.fallback)
	}
	return changed
}
