package routing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// labels is another program's Filter, with a slice in it: it cannot be compared with ==.
type labels struct{ names []string }

func (labels) Kind() policy.Kind              { return "labels" }
func (l labels) Equal(f policy.Filter) bool   { return slices.Equal(l.names, f.(labels).names) }
func (l labels) AppendText(dst []byte) []byte { return append(dst, strings.Join(l.names, ",")...) }

// objects is a Snapshot of n Hosts with n Routes each, the Routes of a Host of one object.
func objects(n int, asks func(host int) *policy.Policy) *routing.Snapshot {
	var b routing.Builder
	hosts := make(map[string]*routing.Host)
	for i := range n {
		s := &routing.Source{Ingress: routing.ObjectName{Namespace: "shop", Name: fmt.Sprint("web-", i)}, Policy: asks(i)}
		var routes []routing.Route
		for j := range n {
			routes = append(routes, routing.Route{Path: fmt.Sprint("/", j), Type: routing.Prefix, Backend: -1, Source: s})
		}
		name := fmt.Sprintf("h%d.test", i)
		hosts[name], _ = b.BuildHost(name, routes)
	}
	return &routing.Snapshot{Table: (*routing.Table)(nil).With(hosts, nil)}
}

// TestDumpPolicies: what an object asks for is said once, however many Routes it has, and a Filter of a new Kind is in the
// text of the objects that have it and changes that of no other.
func TestDumpPolicies(t *testing.T) {
	limits := func(int) *policy.Policy { return &policy.Policy{Limits: policy.Limits{Read: 5e9}} }
	before := dump(t, objects(3, limits))
	after := dump(t, objects(3, func(host int) *policy.Policy {
		p := limits(host)
		if host == 1 {
			p.Set(labels{[]string{"a", "b"}})
		}
		return p
	}))
	const section = "ingress shop/web-1\n  read timeout 5s\n"
	if strings.Count(before, section) != 1 {
		t.Errorf("want %q once in\n%s", section, before)
	}
	if want := strings.Replace(before, section, section+"  labels a,b\n", 1); after != want {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
	if got := dump(t, objects(2, func(int) *policy.Policy { return &policy.Policy{} })); strings.Contains(got, "\ningress") {
		t.Errorf("objects that ask for nothing have a section:\n%s", got)
	}
}

// TestDumpPoliciesOfOneName: of two Sources with one name, which a build never makes, neither is hidden.
func TestDumpPoliciesOfOneName(t *testing.T) {
	var b routing.Builder
	source := func(read int64) *routing.Source {
		return &routing.Source{Ingress: routing.ObjectName{Namespace: "a", Name: "b"}, Policy: &policy.Policy{Limits: policy.Limits{Read: read}}}
	}
	h, _ := b.BuildHost("h.test", []routing.Route{
		{Path: "/1", Backend: -1, Source: source(1e9)}, {Path: "/2", Backend: -1, Source: source(2e9)}, {Path: "/3", Backend: -1, Source: source(1e9), Anonymous: true},
	})
	got := dump(t, &routing.Snapshot{Table: (*routing.Table)(nil).With(map[string]*routing.Host{"h.test": h}, nil)})
	const want = `ingress a/b
  read timeout 1s
ingress a/b
  read timeout 2s
ingress a/b
  responses do not say what made them
  read timeout 1s
`
	if !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant it to end with\n%s", got, want)
	}
}
