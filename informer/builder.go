package informer

import (
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// builder keeps the objects and makes Snapshots of them, each from the former one's parts.
//
// A step is: apply for every event, then build. apply only stores objects and marks what they touch:
//
//	Ingress        -> itself
//	IngressClass   -> the Ingresses whose controller becomes another one (see classGrace)
//	Service        -> the Ingresses that refer to it
//	EndpointSlice  -> the Backends of its Service
//	Secret         -> its Certificate, and the Ingresses whose annotations name it
//	resolved name  -> the Backends of that name
//	own addresses  -> all Backends, and the Ingresses that lead to literal addresses
//
// build compiles the marked Ingresses, builds the Hosts that their old and new forms name, gathers
// the Endpoints of the marked Backends, makes the marked Certificates, and shares all else with the
// former Snapshot.
//
// Owned by one goroutine, but for rejected and outsiders.
type builder struct {
	// Immutable after newBuilder:
	cfg   Config
	hosts routing.Builder
	// now is the clock for the expiry of Certificates.
	now func() time.Time

	// The objects:
	cache     cache
	classes   classSet
	entries   map[routing.ObjectName]*entry
	byHost    map[string][]*entry // sorted by age
	below     family              // the exact names in byHost
	byService map[routing.ObjectName]map[routing.ObjectName]struct{}
	fallbacks []*entry // those with a fallback, sorted by age
	classless map[routing.ObjectName]struct{}
	backends  backendSet
	// certificates also knows which Secrets are wanted.
	certificates certificateSet
	credentials  credentialSet
	table        *routing.Table
	fallback     *routing.Route
	rejected     rejectionSet
	outsiders    outsiderSet
	built        bool

	// Touched by the current step:
	dirtyIngresses map[routing.ObjectName]struct{}
	dirtyHosts     map[string]struct{}
	dirtyFallback  bool

	// compiled names the Ingresses that the last build compiled or dropped.
	compiled []routing.ObjectName
}

func newBuilder(cfg Config, attach func(*routing.Route)) *builder {
	b := &builder{
		cfg:            cfg,
		hosts:          routing.Builder{Attach: attach},
		now:            time.Now,
		cache:          newCache(),
		entries:        make(map[routing.ObjectName]*entry),
		byHost:         make(map[string][]*entry),
		below:          make(family),
		byService:      make(map[routing.ObjectName]map[routing.ObjectName]struct{}),
		classless:      make(map[routing.ObjectName]struct{}),
		backends:       newBackendSet(newScreen(cfg)),
		certificates:   newCertificateSet(),
		credentials:    newCredentialSet(),
		dirtyIngresses: make(map[routing.ObjectName]struct{}),
		dirtyHosts:     make(map[string]struct{}),
	}
	b.classes = newClassSet(&b.cfg)
	if cfg.DefaultCertificate != "" {
		b.certificates.fallback = new(secretPair)
		b.credentials.use(cfg.defaultName(), configured)
	}
	return b
}

// apply stores the new state of one object, nil when it is gone, and marks what it touches.
func (b *builder) apply(key source.Key, object any) {
	name := routing.ObjectName(key.NamespacedName)
	switch key.Kind {
	case source.Ingress:
		next, _ := object.(*networkingv1.Ingress)
		if old := put(b.cache.ingresses, name, next); !sameIngress(old, next) {
			b.dirtyIngresses[name] = struct{}{}
		}
	case source.Class:
		next, _ := object.(*networkingv1.IngressClass)
		b.rejected.replace(subject{ofClass, name}, b.classes.apply(key.Name, next, b.now()))
	case source.Service:
		next, _ := object.(*corev1.Service)
		if old := put(b.cache.services, name, next); !sameService(old, next) {
			for ingress := range b.byService[name] {
				b.dirtyIngresses[ingress] = struct{}{}
			}
		}
	case source.Slice:
		next, _ := object.(*discoveryv1.EndpointSlice)
		for _, slice := range []*discoveryv1.EndpointSlice{b.cache.putSlice(name, next), next} {
			if slice == nil {
				continue
			}
			if service, ok := serviceOf(slice); ok {
				b.backends.serviceChanged(service)
			}
		}
		b.rejected.replace(subject{ofSlice, name}, b.rejectSlice(next))
	case source.Secret:
		next, _ := object.(*corev1.Secret)
		if !b.takesSecret(name, next) {
			return
		}
		if old := put(b.cache.secrets, name, next); !sameSecret(old, next) {
			b.certificates.secretChanged(name)
			b.credentialChanged(name)
		}
	case source.Secrets:
		if reason, ok := object.(string); ok {
			b.secretsRead(source.SecretsKey(key.NamespacedName), reason)
		}
	case source.Addresses:
		addrs, _ := object.([]netip.AddrPort)
		b.backends.resolve(externalOf(key), addrs)
	case source.Node:
		own, _ := object.([]netip.Addr)
		b.ownAddressesChanged(own)
	case source.File:
		faults, _ := object.([]source.Fault)
		b.rejected.replace(subject{ofFile, name}, rejectFile(faults))
	default:
		panic("BUG: event of unknown kind")
	}
}

// build makes the Snapshot of the objects, or returns nil when nothing that a request could see has
// changed since the last one.
func (b *builder) build() *routing.Snapshot {
	for _, name := range b.classes.affected(b.now(), b.cache.ingresses, b.controllerWas) {
		b.dirtyIngresses[name] = struct{}{}
	}
	b.compiled = b.compiled[:0]
	for name := range b.dirtyIngresses {
		b.compiled = append(b.compiled, name)
		b.recompile(name)
	}
	clear(b.dirtyIngresses)
	b.sweepCredentials()
	b.backends.sweep()
	b.backends.refresh(&b.cache)
	b.rejectAddresses()
	b.refreshPorts()

	b.spreadOwnership()
	changed := make(map[string]*routing.Host, len(b.dirtyHosts))
	for name := range b.dirtyHosts {
		changed[name] = b.buildHost(name)
	}
	clear(b.dirtyHosts)
	tableChanged := len(changed) > 0 || b.dirtyFallback || !b.built
	if b.dirtyFallback {
		b.buildFallback()
		b.dirtyFallback = false
	}
	if tableChanged {
		b.table = b.table.With(changed, b.fallback)
	}
	backends, backendsChanged := b.backends.finish()
	certificates, certificatesChanged := b.refreshCertificates()
	if b.built && !tableChanged && !backendsChanged && !certificatesChanged {
		return nil
	}
	b.built = true
	return &routing.Snapshot{
		Table: b.table, Backends: backends, Certificates: certificates.list,
		ServerNames: certificates.index, DefaultCertificate: certificates.fallback,
	}
}

// waiting reports whether a Secret that is referred to may be about to arrive.
func (b *builder) waiting() bool { return b.certificates.waiting() || b.credentials.waiting() }

// controllerWas returns what classes said of an Ingress when it was compiled.
func (b *builder) controllerWas(name routing.ObjectName) (controller string, refused bool) {
	if e := b.entries[name]; e != nil {
		controller = e.controller
	}
	_, refused = b.classless[name]
	return controller, refused
}

// recompile replaces the entry of an Ingress that was added, changed or removed, and marks the Hosts
// of both its forms.
func (b *builder) recompile(name routing.ObjectName) {
	old := b.entries[name]
	var next *entry
	var rejections []Rejection
	delete(b.classless, name)
	var others *networkingv1.Ingress
	if ing := b.cache.ingresses[name]; ing != nil {
		controller, reason := b.classes.controllerOf(ing)
		if controller != "" {
			next, rejections = b.compile(ing, controller)
		} else if reason != "" {
			b.classless[name] = struct{}{}
			of := &routing.Source{Ingress: name}
			rejections = []Rejection{rejectIngress(of, "spec.ingressClassName", stringOr(ing.Spec.IngressClassName), reason)}
		} else {
			others = ing
		}
	}
	b.outsiders.replace(name, others)
	b.rejected.replace(subject{ofIngress, name}, rejections)
	if old != nil && next != nil && old.same(next) {
		b.exchange(next)
	} else {
		b.unlink(old)
		b.link(next)
	}
	b.replaceEntry(name, old, next)
}

// exchange replaces an entry by one that makes the same Routes, and marks nothing: the Hosts can stay.
func (b *builder) exchange(next *entry) {
	for _, h := range next.hosts {
		swap(b.byHost[h.name], next)
	}
	if next.fallback != nil {
		swap(b.fallbacks, next)
	}
}

// replaceEntry exchanges the entry in everything but the lists by Host.
func (b *builder) replaceEntry(name routing.ObjectName, old, next *entry) {
	b.certificates.replaceEntry(name, old, next)
	b.credentials.replaceEntry(name, old, next)
	if next != nil {
		b.entries[name] = next
		for service := range next.services {
			if b.byService[service] == nil {
				b.byService[service] = make(map[routing.ObjectName]struct{})
			}
			b.byService[service][name] = struct{}{}
		}
	} else {
		delete(b.entries, name)
	}
	if old == nil {
		return
	}
	for service := range old.services {
		if next != nil {
			if _, still := next.services[service]; still {
				continue
			}
		}
		delete(b.byService[service], name)
		if len(b.byService[service]) == 0 {
			delete(b.byService, service)
		}
	}
	for _, sl := range old.slots {
		b.backends.release(sl)
	}
}

// unlink takes an entry out of the lists by Host, and marks them.
func (b *builder) unlink(e *entry) {
	if e == nil {
		return
	}
	for _, h := range e.hosts {
		b.dirtyHosts[h.name] = struct{}{}
		if list := remove(b.byHost[h.name], e); len(list) > 0 {
			b.byHost[h.name] = list
		} else {
			delete(b.byHost, h.name)
			b.below.remove(h.name)
		}
	}
	if e.fallback != nil {
		b.dirtyFallback = true
		b.fallbacks = remove(b.fallbacks, e)
	}
}

// link puts an entry into the lists by Host, and marks them.
func (b *builder) link(e *entry) {
	if e == nil {
		return
	}
	for _, h := range e.hosts {
		b.dirtyHosts[h.name] = struct{}{}
		b.byHost[h.name] = insert(b.byHost[h.name], e)
		b.below.add(h.name)
	}
	if e.fallback != nil {
		b.dirtyFallback = true
		b.fallbacks = insert(b.fallbacks, e)
	}
}

func insert(list []*entry, e *entry) []*entry {
	i, _ := slices.BinarySearchFunc(list, e, (*entry).compare)
	return slices.Insert(list, i, e)
}

// swap and remove find e by its age and name, which are unique.

func swap(list []*entry, e *entry) {
	if i, ok := slices.BinarySearchFunc(list, e, (*entry).compare); ok {
		list[i] = e
	}
}

func remove(list []*entry, e *entry) []*entry {
	if i, ok := slices.BinarySearchFunc(list, e, (*entry).compare); ok {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// buildHost makes the Host of all entries that name it, or nil when none does.
func (b *builder) buildHost(name string) *routing.Host {
	key := subject{ofHost, routing.ObjectName{Name: name}}
	entries, left := b.admitted(name)
	if len(entries) == 0 {
		b.rejected.replace(key, left)
		return nil
	}
	routes, tls, rejections := joinHost(name, entries)
	rejections = append(rejections, left...)
	host, conflicts := b.hosts.BuildHost(name, routes)
	if tls != nil {
		host = host.WithTLS(tls)
	}
	b.rejected.replace(key, append(conflictRejections(conflicts), rejections...))
	return host
}

func (b *builder) buildFallback() {
	routes := make([]routing.Route, len(b.fallbacks))
	for i, e := range b.fallbacks {
		routes[i] = *e.fallback
		if e.clientAuth != nil {
			// A default Route has no host on which to ask for client certificates.
			routes[i].Backend = unresolved
		}
	}
	var conflicts []routing.Conflict
	b.fallback, conflicts = b.hosts.BuildDefault(routes)
	// No Host is called "*", so that the owner is unique.
	b.rejected.replace(subject{ofHost, routing.ObjectName{Name: "*"}}, conflictRejections(conflicts))
}
