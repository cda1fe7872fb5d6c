package informer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// TestIncrementalEqualsFresh makes random changes in a small universe, where everything collides with
// everything, and compares after each step with a build from scratch. At the end nothing is left.
func TestIncrementalEqualsFresh(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	pems := make(map[string][]byte)
	for _, name := range []string{"a", "renewed", "wildcard", "wildcard-ec", "expired"} {
		for _, half := range []string{".crt", ".key"} {
			pems[name+half] = testPEM(t, name+half)
		}
	}
	for _, name := range []string{"ca.crt", "ca-2.crt"} {
		pems[name] = testPEM(t, name)
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			u := universe{rand.New(rand.NewPCG(seed, 1)), pems}
			cfg := Config{Controllers: []string{DefaultController, NginxController}}
			if seed%2 == 0 {
				cfg.Manifests = "dir"
			}
			if seed%3 == 0 {
				cfg.HostOwnership = OwnershipNamespace
			}
			if seed%4 > 1 {
				cfg.DefaultCertificate = "b/w"
			}
			cfg, err := cfg.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(cfg)
			for n := range 120 {
				var events []source.Event
				for range 1 + u.IntN(3) {
					events = append(events, u.event())
				}
				before, listed := w.snapshot, w.list()
				if next := w.step(events...); next != nil {
					checkStep(t, before, listed, next)
					checkCertificates(t, w.b, before, next, events)
				}
				checkDiscretion(t, w.b)
				if got, want := w.show(), w.fresh().show(); got != want {
					t.Fatalf("step %d: %v\n%s\nstep by step:\n%s", n, keys(events), firstDifference(got, want), got)
				}
			}
			for key := range maps.Clone(w.objects) {
				w.step(source.Event{Key: key})
			}
			w.later()
			got := w.show() + w.leftovers()
			if strings.HasPrefix(got, "reject Secret b/w: this is the default certificate: ") {
				_, got, _ = strings.Cut(got, "\n")
			}
			if got != "" {
				t.Errorf("after everything went: %s", got)
			}
		})
	}
}

// checkDiscretion: what is shown to one namespace names no object of another.
func checkDiscretion(t *testing.T, b *builder) {
	t.Helper()
	for _, r := range b.rejected.all() {
		for namespace, other := range map[string]string{"a": " b/", "b": " a/"} {
			if r.Object.Namespace == namespace && strings.Contains(r.Reason, other) {
				t.Errorf("shown to namespace %s: %s", namespace, r)
			}
		}
	}
}

// list is the content of the Backends of the live Snapshot.
func (w *world) list() []*routing.Backend {
	if w.snapshot == nil {
		return nil
	}
	return slices.Clone(w.snapshot.Backends)
}

// checkStep holds two consecutive Snapshots to what the data plane relies on: the former one was not
// edited, a Backend stays at its index, and an index does not pass from one to another at once.
func checkStep(t *testing.T, before *routing.Snapshot, listed []*routing.Backend, next *routing.Snapshot) {
	t.Helper()
	if before != nil && !slices.Equal(before.Backends, listed) {
		t.Error("a published list of Backends was edited")
	}
	for i, b := range next.Backends {
		if b == nil {
			continue
		}
		if int(b.Index) != i {
			t.Errorf("Backend %s of index %d is at %d", b.Key, b.Index, i)
		}
		if i < len(listed) && listed[i] != nil && listed[i].Key != b.Key {
			t.Errorf("index %d passes from %s to %s in one step", i, listed[i].Key, b.Key)
		}
		for j, old := range listed {
			if old != nil && old.Key == b.Key && j != i {
				t.Errorf("Backend %s moves from index %d to %d", b.Key, j, i)
			}
		}
	}
	for h := range next.Table.Hosts() {
		if x := h.TLS(); x != nil && x.Passthrough && x.Backend >= 0 && next.Backends[x.Backend] == nil {
			t.Errorf("Host %s passes connections to the free index %d", h.Name(), x.Backend)
		}
		for r := range h.Routes() {
			if r.TLS() != h.TLS() {
				t.Errorf("Route %s%s and its Host have different rules for TLS", r.Host, r.Path)
			}
			if r.Backend >= 0 && next.Backend(r) == nil {
				t.Errorf("Route %s%s refers to the free index %d", r.Host, r.Path, r.Backend)
			}
		}
	}
}

// checkCertificates holds two consecutive Snapshots to what the data plane relies on: what is the same
// is the same pointer, and a change of nothing but Secrets that no annotation names leaves all else as
// it is.
func checkCertificates(t *testing.T, b *builder, before, next *routing.Snapshot, events []source.Event) {
	t.Helper()
	if !slices.IsSortedFunc(next.Certificates, func(a, b *routing.Certificate) int {
		return strings.Compare(a.Secret.String(), b.Secret.String())
	}) {
		t.Error("Certificates are not sorted")
	}
	if before == nil {
		return
	}
	for _, c := range next.Certificates {
		for _, old := range before.Certificates {
			if old != c && old.Secret == c.Secret && old.Certificate == c.Certificate {
				t.Errorf("Certificate %s was made again", c)
			}
		}
	}
	onlySecrets := !slices.ContainsFunc(events, func(e source.Event) bool {
		return e.Key.Kind != source.Secret && e.Key.Kind != source.Secrets || b.secrets.IsCredential(routing.ObjectName(e.Key.NamespacedName))
	})
	if onlySecrets && (before.Table != next.Table || !slices.Equal(before.Backends, next.Backends)) {
		t.Errorf("%v changed more than Certificates", keys(events))
	}
}

// firstDifference names the first line that differs between a build step by step and one from scratch.
func firstDifference(steps, scratch string) string {
	a, b := strings.Split(steps, "\n"), strings.Split(scratch, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d, step by step:\n\t%s\nfrom scratch:\n\t%s", i+1, a[i], b[i])
		}
	}
	return "one is a prefix of the other"
}

func keys(events []source.Event) (names []string) {
	for _, e := range events {
		name := e.Key.String()
		if e.Object == nil {
			name = "delete " + name
		}
		names = append(names, name)
	}
	return names
}

// universe makes random changes.
type universe struct {
	*rand.Rand
	pems map[string][]byte
}

func one[T any](u universe, of ...T) T { return of[u.IntN(len(of))] }

func (u universe) event() source.Event {
	name := routing.ObjectName{Namespace: one(u, "a", "b"), Name: one(u, "x", "y", "z")}
	gone := u.IntN(4) == 0
	switch u.IntN(14) {
	case 9:
		return event(source.Node, routing.ObjectName{}, one(u, nil, []netip.Addr{netip.MustParseAddr("10.0.0.2")}, []netip.Addr{netip.MustParseAddr("10.0.0.3")}))
	case 0:
		key := keyOf(source.Class, routing.ObjectName{Name: one(u, "sluice", "nginx", "edge")})
		if gone {
			return source.Event{Key: key}
		}
		return source.Event{Key: key, Object: u.class(key.Name)}
	case 1, 2:
		key := keyOf(source.Service, name)
		if gone {
			return source.Event{Key: key}
		}
		return source.Event{Key: key, Object: u.service(name)}
	case 3, 4:
		key := keyOf(source.Slice, routing.ObjectName{Namespace: name.Namespace, Name: one(u, "s1", "s2", "s3")})
		if gone {
			return source.Event{Key: key}
		}
		return source.Event{Key: key, Object: u.slice(routing.ObjectName(key.NamespacedName))}
	case 5:
		addrs := []netip.AddrPort{netip.MustParseAddrPort(one(u, "192.0.2.1:80", "192.0.2.2:80", "127.0.0.1:80", "10.0.0.2:80"))}
		return source.Event{Key: externalKey(external{"ext.test", uint16(one(u, 80, 81))}), Object: addrs}
	case 6, 7:
		if u.IntN(6) == 0 {
			// The Secret of the default certificate, which nothing else uses.
			name = routing.ObjectName{Namespace: "b", Name: "w"}
		}
		key := keyOf(source.Secret, name)
		if gone {
			return source.Event{Key: key}
		}
		return source.Event{Key: key, Object: u.secret(name)}
	case 8:
		return event(source.Secrets, routing.ObjectName{Namespace: name.Namespace, Name: one(u, source.CertificateSecrets, name.Name)}, one(u, "", "", "not allowed"))
	}
	key := keyOf(source.Ingress, name)
	if gone {
		return source.Event{Key: key}
	}
	return source.Event{Key: key, Object: u.ingress(name)}
}

func (u universe) created() metav1.Time {
	return one(u, metav1.Time{}, metav1.Unix(1700000000, 0), metav1.Unix(1800000000, 0))
}

func (u universe) class(name string) *networkingv1.IngressClass {
	class := &networkingv1.IngressClass{}
	class.Name, class.CreationTimestamp = name, u.created()
	class.Spec.Controller = one(u, DefaultController, NginxController, "other")
	if u.IntN(2) == 0 {
		class.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: one(u, "true", "false")}
	}
	if u.IntN(3) == 0 {
		class.Spec.Parameters = &networkingv1.IngressClassParametersReference{Kind: "P", Name: "p"}
	}
	return class
}

func (u universe) service(name routing.ObjectName) *corev1.Service {
	s := &corev1.Service{}
	s.Namespace, s.Name = name.Namespace, name.Name
	s.Spec.Ports = []corev1.ServicePort{{Name: one(u, "http", "web", ""), Port: one[int32](u, 80, 81)}}
	if u.IntN(3) == 0 {
		protocol := one(u, "http", "https")
		s.Spec.Ports[0].AppProtocol = &protocol
	}
	if u.IntN(4) == 0 {
		s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, one(u, "ext.test", "bad name", "10.0.0.2", "127.0.0.1")
	}
	return s
}

func (u universe) slice(name routing.ObjectName) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	s.Namespace, s.Name = name.Namespace, name.Name
	s.Labels = map[string]string{discoveryv1.LabelServiceName: one(u, "x", "y", "z", "")}
	if u.IntN(8) == 0 {
		s.AddressType = discoveryv1.AddressTypeFQDN
	}
	port, number := one(u, "http", "web", ""), one[int32](u, 8080, 8081)
	s.Ports = []discoveryv1.EndpointPort{{Name: &port, Port: &number}}
	for range u.IntN(3) {
		e := discoveryv1.Endpoint{Addresses: []string{one(u, "10.0.0.1", "10.0.0.2", "10.0.0.3", "169.254.169.254", "bad")}}
		zone := one(u, "", "z1", "z2")
		e.Zone = &zone
		if u.IntN(2) == 0 {
			ready, terminating := u.IntN(2) == 0, u.IntN(2) == 0
			e.Conditions = discoveryv1.EndpointConditions{Ready: &ready, Terminating: &terminating}
		}
		s.Endpoints = append(s.Endpoints, e)
	}
	return s
}

func (u universe) secret(name routing.ObjectName) *corev1.Secret {
	s := &corev1.Secret{Type: one(u, corev1.SecretTypeTLS, corev1.SecretTypeTLS, corev1.SecretTypeTLS, corev1.SecretTypeOpaque)}
	s.Namespace, s.Name = name.Namespace, name.Name
	pair := one(u, "a", "renewed", "wildcard", "wildcard-ec", "expired")
	s.Data = map[string][]byte{corev1.TLSCertKey: u.pems[pair+".crt"], corev1.TLSPrivateKeyKey: u.pems[pair+".key"]}
	if u.IntN(2) == 0 {
		s.Data["ca.crt"] = one(u, u.pems["ca.crt"], u.pems["ca-2.crt"], []byte("x"))
	}
	switch u.IntN(8) {
	case 0:
		delete(s.Data, one(u, corev1.TLSCertKey, corev1.TLSPrivateKeyKey))
	case 1:
		s.Data[one(u, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)] = []byte("x")
	case 2:
		s.Data[corev1.TLSPrivateKeyKey] = u.pems["a.key"]
	}
	return s
}

func (u universe) ingress(name routing.ObjectName) *networkingv1.Ingress {
	ing := &networkingv1.Ingress{}
	ing.Namespace, ing.Name, ing.CreationTimestamp = name.Namespace, name.Name, u.created()
	ing.Annotations = map[string]string{}
	for range u.IntN(3) {
		ing.Annotations[one(u, annotation.OwnPrefix, annotation.NginxPrefix)+one(u, "load-balance", "proxy-read-timeout", "auth-tls-secret", "auth-url", "canary", "unknown", "backend-protocol", "proxy-ssl-secret", "proxy-ssl-verify", "auth-tls-verify-client", "ssl-passthrough", "ssl-ciphers",
			"allowlist-source-range", "denylist-source-range", "enable-cors", "rewrite-target", "use-regex",
			"ssl-redirect", "force-ssl-redirect", "app-root", "from-to-www-redirect", "server-alias", "permanent-redirect", "relative-redirects")] =
			one(u, "ewma", "10", "true", "least_conn", "x", "y", "b/z", "HTTPS", "on", "optional", "AES128-SHA", "10.0.0.0/8", "/x", "/$1", "/$name", "/a", "d.test,b.a.test", "*.b.test, d.b.test")
	}
	if u.IntN(4) == 0 {
		ing.Annotations[annotation.NginxPrefix+"canary"] = "true"
		ing.Annotations[annotation.OwnPrefix+one(u, "canary-weight", "canary-by-header", "canary-by-cookie", "canary-by-header-value")] = one(u, "10", "x")
	}
	if u.IntN(6) == 0 {
		ing.Annotations[annotation.LegacyClass] = one(u, "sluice", "nginx", "edge", "other")
	}
	if u.IntN(2) == 0 {
		class := one(u, "sluice", "nginx", "edge", "other")
		ing.Spec.IngressClassName = &class
	}
	if u.IntN(3) == 0 {
		ing.Spec.DefaultBackend = u.backend()
	}
	for range u.IntN(4) {
		rule := networkingv1.IngressRule{Host: one(u, "", "a.test", "*.test", "*.b.test", "c.b.test", "b.a.test", "b.test", "www.b.test", "bad host")}
		if u.IntN(5) > 0 {
			rule.HTTP = &networkingv1.HTTPIngressRuleValue{}
			for range 1 + u.IntN(2) {
				pathType := one(u, networkingv1.PathTypeExact, networkingv1.PathTypePrefix, networkingv1.PathTypeImplementationSpecific)
				rule.HTTP.Paths = append(rule.HTTP.Paths, networkingv1.HTTPIngressPath{
					Path: one(u, "/", "/a", "/a/", "/a/b", "bad", "/a(b|c)", "/(?!x)a", "/a?", "/(?<name>.*)"), PathType: &pathType, Backend: *u.backend(),
				})
			}
		}
		ing.Spec.Rules = append(ing.Spec.Rules, rule)
	}
	for range u.IntN(3) {
		section := networkingv1.IngressTLS{SecretName: one(u, "x", "y", "z", "")}
		for range u.IntN(3) {
			section.Hosts = append(section.Hosts, one(u, "a.test", "A.test", "*.b.test", "c.b.test", "b.test", "*.test", "d.test", "bad host"))
		}
		ing.Spec.TLS = append(ing.Spec.TLS, section)
	}
	return ing
}

func (u universe) backend() *networkingv1.IngressBackend {
	if u.IntN(8) == 0 {
		return &networkingv1.IngressBackend{Resource: &corev1.TypedLocalObjectReference{Kind: "K", Name: "n"}}
	}
	port := networkingv1.ServiceBackendPort{Number: one[int32](u, 80, 81)}
	if u.IntN(3) == 0 {
		port = networkingv1.ServiceBackendPort{Name: one(u, "http", "web")}
	}
	return &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: one(u, "x", "y", "z"), Port: port}}
}

// TestUntouchedPartsAreShared: an Endpoint change makes one new Backend and no Host; an Ingress
// change makes the Hosts it names and no other.
func TestUntouchedPartsAreShared(t *testing.T) {
	w := newWorld(Config{IngressClass: DefaultClass, Controllers: []string{DefaultController}, Manifests: "dir"})
	w.step(fleet(10)...)
	first := w.snapshot

	w.step(fleetSlice(3, "10.9.9.9"))
	second := w.snapshot
	if second.Table != first.Table {
		t.Error("an Endpoint change made a new Table")
	}
	if n := differing(first.Backends, second.Backends); n != 1 {
		t.Errorf("an Endpoint change made %d new Backends", n)
	}

	ing := w.objects[keyOf(source.Ingress, fleetName(3))].(*networkingv1.Ingress).DeepCopy()
	ing.Spec.Rules[0].HTTP.Paths[0].Path = "/changed"
	w.step(event(source.Ingress, fleetName(3), ing))
	third := w.snapshot
	if &third.Backends[0] != &second.Backends[0] {
		t.Error("a change of path made a new list of Backends")
	}
	for h := range third.Table.Hosts() {
		if shared := second.Table.Host(h.Name()) == h; shared == (h.Name() == fleetHost(3)) {
			t.Errorf("after a change of %s, Host %s is shared: %v", fleetHost(3), h.Name(), shared)
		}
	}
}

// TestBuildTakesNoTime guards the bars of the benchmarks by an order of magnitude, in case they are not run: a
// build's cost is proportional to its objects, not to their square. Fewer of them are the measure of the machine.
func TestBuildTakesNoTime(t *testing.T) {
	const few, many = 1_000, 10_000
	build := func(n int, enough time.Duration) time.Duration {
		events := fleet(n)
		return best(enough, func() {
			w := newWorld(Config{IngressClass: DefaultClass, Controllers: []string{DefaultController}, Manifests: "dir"})
			w.step(events...)
			if got := w.snapshot.Table.Routes(); got != 2*n {
				t.Errorf("%d Routes", got)
			}
		})
	}
	fewTook := build(few, 0)
	bar := 10 * many / few * fewTook
	manyTook := build(many, bar)
	t.Logf("%d Ingresses in %v, %d in %v", few, fewTook, many, manyTook)
	if manyTook > bar {
		t.Errorf("%d Ingresses took %v to build, %d took %v", few, fewTook, many, manyTook)
	}
}

func differing(a, b []*routing.Backend) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// fleet is n Ingresses with a Host of two paths, a Service and a slice of three Endpoints each.
func fleet(n int) (events []source.Event) {
	prefix := networkingv1.PathTypePrefix
	for i := range n {
		name := fleetName(i)
		backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
			Name: name.Name, Port: networkingv1.ServiceBackendPort{Number: 80},
		}}
		ing := &networkingv1.Ingress{}
		ing.Namespace, ing.Name = name.Namespace, name.Name
		ing.Annotations = map[string]string{annotation.NginxPrefix + "proxy-read-timeout": "30"}
		ing.Spec.Rules = []networkingv1.IngressRule{{
			Host: fleetHost(i),
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{
				{Path: "/", PathType: &prefix, Backend: backend},
				{Path: "/api/v1", PathType: &prefix, Backend: backend},
			}}},
		}}
		service := &corev1.Service{}
		service.Namespace, service.Name = name.Namespace, name.Name
		service.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80}}
		events = append(events,
			event(source.Ingress, name, ing),
			event(source.Service, name, service),
			fleetSlice(i, "10.0.0.1", "10.0.0.2", "10.0.0.3"))
	}
	return events
}

func fleetName(i int) routing.ObjectName {
	return routing.ObjectName{Namespace: "default", Name: fmt.Sprintf("app-%05d", i)}
}

func fleetHost(i int) string { return fmt.Sprintf("app-%05d.test", i) }

func fleetSlice(i int, addrs ...string) source.Event {
	name, port := "http", int32(8080)
	s := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	of := fleetName(i)
	s.Namespace, s.Name = of.Namespace, of.Name+"-1"
	s.Labels = map[string]string{discoveryv1.LabelServiceName: of.Name}
	s.Ports = []discoveryv1.EndpointPort{{Name: &name, Port: &port}}
	for _, a := range addrs {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}})
	}
	return event(source.Slice, routing.ObjectName{Namespace: s.Namespace, Name: s.Name}, s)
}
