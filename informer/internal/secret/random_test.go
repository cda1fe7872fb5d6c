package secret

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// model is a Set with all that it was told, and what it said of Faults.
type model struct {
	set        *Set
	objects    map[routing.ObjectName]*corev1.Secret
	references map[routing.ObjectName]References
	owners     map[string]string
	byIngress  map[routing.ObjectName][]Fault
	byName     map[string][]Fault
	last       Result
}

func newModel(options Options) *model {
	return &model{set: New(options), objects: make(map[routing.ObjectName]*corev1.Secret), references: make(map[routing.ObjectName]References),
		owners: make(map[string]string), byIngress: make(map[routing.ObjectName][]Fault), byName: make(map[string][]Fault)}
}

func (m *model) refresh() {
	m.last = m.set.Refresh(testNow, 0)
	for ingress, faults := range m.last.ByIngress {
		m.byIngress[ingress] = faults
	}
	for name, faults := range m.last.ByName {
		m.byName[name] = faults
	}
}

// show gives the Certificates, the names and the Faults.
func (m *model) show(hosts []string) string {
	var out strings.Builder
	for _, c := range m.last.Certificates {
		fmt.Fprintf(&out, "%s\n", c)
	}
	for _, host := range hosts {
		fmt.Fprintf(&out, "%s: %s\n", host, m.last.served(host))
	}
	all := Result{ByIngress: m.byIngress, ByName: m.byName}
	for _, reason := range append(all.reasons(), m.last.OfDefault...) {
		fmt.Fprintln(&out, reason)
	}
	return out.String()
}

// fresh is a model that learns all at once, the last good state of each Secret before the present one.
func (m *model) fresh(options Options) *model {
	f := newModel(options)
	for ingress, references := range m.references {
		f.set.Refer(ingress, references)
	}
	for host, namespace := range m.owners {
		f.set.SetOwner(host, namespace, true)
	}
	for secret := range m.objects {
		if from := m.set.Served(secret); from != nil {
			f.set.Apply(secret, from)
		}
	}
	f.refresh()
	for secret, object := range m.objects {
		f.set.Apply(secret, object)
	}
	f.refresh()
	return f
}

// TestStepsEqualOne makes random changes in a small universe, and compares after each step with a Set that learns all at
// once. At the end nothing is left.
func TestStepsEqualOne(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 8
	}
	var secrets []*corev1.Secret
	for _, pair := range []string{"a", "renewed", "wildcard", "wildcard-ec", "expired"} {
		secrets = append(secrets, pairOf(t, pair))
	}
	broken := pairOf(t, "a")
	broken.Data[corev1.TLSPrivateKeyKey] = []byte("x")
	secrets = append(secrets, broken, &corev1.Secret{Type: corev1.SecretTypeOpaque}, nil, nil)
	hosts := []string{"a.test", "*.b.test", "x.b.test", "b.test", "*.test", ""}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 1))
		options := Options{Exclusive: seed%2 == 0}
		if seed%3 == 0 {
			// No section names the Secret: its last good state as the default and as a section's would be two.
			options.Default = name("b/default")
		}
		object := func() routing.ObjectName {
			return routing.ObjectName{Namespace: one(r, "a", "b"), Name: one(r, "x", "y")}
		}
		m := newModel(options)
		for step := range 80 {
			for range 1 + r.IntN(3) {
				switch r.IntN(3) {
				case 0:
					secret, next := one(r, object(), object(), object(), name("b/default")), one(r, secrets...)
					m.objects[secret] = next
					m.set.Apply(secret, next)
				case 1:
					ingress := object()
					next := References{Created: r.Int64N(3)}
					for i := range r.IntN(3) {
						s := Section{Position: i, Secret: routing.ObjectName{Namespace: ingress.Namespace, Name: one(r, "x", "y")}}
						for _, host := range hosts[:5] {
							if r.IntN(3) == 0 {
								s.Hosts = append(s.Hosts, host)
							} else if r.IntN(3) == 0 {
								s.Implied = append(s.Implied, host)
							}
						}
						slices.Sort(s.Hosts)
						next.Sections = append(next.Sections, s)
					}
					m.references[ingress] = next
					m.set.Refer(ingress, next)
				case 2:
					host, namespace := one(r, hosts...), one(r, "a", "b", "")
					if m.owners[host] = namespace; namespace == "" {
						delete(m.owners, host)
					}
					m.set.SetOwner(host, namespace, namespace != "")
				}
			}
			list := m.last.Certificates
			content := slices.Clone(list)
			m.refresh()
			if !slices.Equal(list, content) {
				t.Fatalf("seed %d, step %d: a list that was given out was edited", seed, step)
			}
			if got, want := m.show(hosts), m.fresh(options).show(hosts); got != want {
				t.Fatalf("seed %d, step %d: step by step\n%s\nat once\n%s", seed, step, got, want)
			}
		}
		for ingress := range maps.Clone(m.references) {
			m.set.Refer(ingress, References{})
		}
		for host := range m.owners {
			m.set.SetOwner(host, "", false)
		}
		m.refresh()
		for secret := range m.objects {
			m.set.Apply(secret, nil)
		}
		m.refresh()
		for what, n := range m.set.Held() {
			if n != 0 {
				t.Errorf("seed %d: at the end %d %s", seed, n, what)
			}
		}
	}
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }
