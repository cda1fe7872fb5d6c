package informer

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// testEntry is one with a path on each of some hosts.
func testEntry(namespace, name string, created int64, hosts ...string) *entry {
	e := &entry{source: &routing.Source{Ingress: routing.ObjectName{Namespace: namespace, Name: name}, Created: created}}
	slices.Sort(hosts)
	for _, host := range hosts {
		e.hosts = append(e.hosts, hostRoutes{
			name: host, routes: []routing.Route{{Host: host, Path: "/", Type: routing.Prefix, Source: e.source}},
			written: []writtenPath{{text: "/"}},
		})
	}
	return e
}

// TestHostSet: whose a Host is, and what an entry touches, without a builder.
func TestHostSet(t *testing.T) {
	s := newHostSet(&Config{HostOwnership: OwnershipMerge}, nil)
	owner := func(what, host, want string) {
		t.Helper()
		if got, owned := s.owner(host); got != want || owned != (want != "") {
			t.Errorf("%s: %s belongs to %q, %v; want %q", what, host, got, owned, want)
		}
	}
	young, old := testEntry("young", "web", 2, "a.test", "*.test"), testEntry("old", "web", 1, "a.test")
	if !s.replace(nil, young) || !s.replace(nil, old) {
		t.Error("a new entry touches nothing")
	}
	owner("of two", "a.test", "old")
	owner("of one", "*.test", "young")
	owner("of none", "b.test", "")
	host, rejections := s.buildHost("a.test")
	if host == nil || len(rejections) != 1 || rejections[0].Object.Namespace != "young" {
		t.Errorf("a conflict: %v, %v", host, rejections)
	}

	if again := testEntry("old", "web", 1, "a.test"); s.replace(old, again) {
		t.Error("an entry with the same Routes touches its Hosts")
	} else {
		old = again
	}
	if !slices.Contains(s.byName["a.test"], old) {
		t.Error("the former entry is still there")
	}
	s.replace(old, nil)
	owner("the older is gone", "a.test", "young")
	s.replace(young, nil)
	if host, rejections := s.buildHost("a.test"); host != nil || rejections != nil || len(s.byName) > 0 {
		t.Errorf("at the end: %v, %v, %d Hosts", host, rejections, len(s.byName))
	}
}

// TestExclusiveHostSet: the owner of a wildcard has the names below it, but for those that were there before.
func TestExclusiveHostSet(t *testing.T) {
	s := newHostSet(&Config{HostOwnership: OwnershipNamespace}, nil)
	wildcard := testEntry("wide", "web", 2, "*.test")
	before, behind := testEntry("before", "web", 1, "a.test"), testEntry("behind", "web", 3, "a.test", "b.test")
	for _, e := range []*entry{behind, wildcard, before} {
		s.replace(nil, e)
	}
	for host, want := range map[string]string{"*.test": "wide", "a.test": "before", "b.test": "wide", "c.test": ""} {
		if got, owned := s.owner(host); got != want || owned != (want != "") {
			t.Errorf("%s belongs to %q, %v; want %q", host, got, owned, want)
		}
	}
	if got := slices.Sorted(s.spread("*.test")); !slices.Equal(got, []string{"a.test", "b.test"}) {
		t.Errorf("the wildcard's owner matters to %v", got)
	}
	for host, kept := range map[string]bool{"a.test": true, "b.test": false} {
		built, rejections := s.buildHost(host)
		if (built != nil) != kept || len(rejections) != 1 || rejections[0].Object.Namespace != "behind" {
			t.Errorf("%s: %v, %v", host, built, rejections)
		}
	}
	for _, e := range []*entry{behind, wildcard, before} {
		s.replace(e, nil)
	}
	if len(s.byName)+len(s.below) > 0 {
		t.Errorf("at the end: %d Hosts, %d wildcards", len(s.byName), len(s.below))
	}
}
