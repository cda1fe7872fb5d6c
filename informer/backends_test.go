package informer

import (
	"net/netip"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/routing"
)

// TestBackendSet: a Backend from its first reference to its last, without a builder.
func TestBackendSet(t *testing.T) {
	s := newBackendSet(&Config{})
	service := routing.ObjectName{Namespace: "shop", Name: "web"}
	acquire := func(port string) *slot {
		key := routing.BackendKey{Namespace: service.Namespace, Service: service.Name, Port: port}
		return s.acquire(key, target{service: service, port: "http"}, speech{}, "")
	}
	name := routing.ObjectName{Namespace: "shop", Name: "web-1"}
	apply := func(addrs ...string) []Rejection {
		slice := fleetSlice(0, addrs...).Object.(*discoveryv1.EndpointSlice)
		slice.Namespace, slice.Name = name.Namespace, name.Name
		slice.Labels[discoveryv1.LabelServiceName] = service.Name
		return s.apply(name, slice)
	}
	if list := apply("10.0.0.1", "169.254.169.254"); len(list) != 1 || list[0].Field != "endpoints" {
		t.Errorf("a slice with a bad address: %v", list)
	}
	if list, changed, reports := s.refresh(); len(list) != 0 || !changed || len(reports) != 0 {
		t.Errorf("without a reference: %v, changed %v, %v", list, changed, reports)
	}

	first := acquire("80")
	list, changed, reports := s.refresh()
	if len(list) != 1 || len(list[0].Endpoints) != 1 || !changed {
		t.Errorf("with a reference: %v, changed %v", list, changed)
	}
	for _, r := range reports {
		if len(r.list) != 0 {
			t.Errorf("rejected: %v", r.list)
		}
	}
	if _, changed, reports = s.refresh(); changed || reports != nil {
		t.Errorf("nothing happens: changed %v, %v", changed, reports)
	}
	apply("10.0.0.1", "10.0.0.2")
	next, changed, _ := s.refresh()
	if !changed || len(next[0].Endpoints) != 2 || len(list[0].Endpoints) != 1 {
		t.Errorf("another Endpoint: changed %v, now %v, before %v", changed, next[0].Endpoints, list[0].Endpoints)
	}

	own := []netip.Addr{netip.MustParseAddr("10.0.0.2")}
	if reports, changed := s.setOwn(own); !changed || len(reports) != 1 || len(reports[0].list) != 1 {
		t.Errorf("an address of the node: changed %v, %v", changed, reports)
	}
	if _, changed := s.setOwn(own); changed {
		t.Error("the same addresses again are said to be others")
	}
	if list, _, _ = s.refresh(); len(list[0].Endpoints) != 1 {
		t.Errorf("with the node's address: %v", list[0].Endpoints)
	}

	// A slot that one Ingress leaves and another takes up in one step keeps its index; a freed index waits for the next.
	second := acquire("80")
	s.release(first)
	third := acquire("81")
	if list, _, _ = s.refresh(); second != first || third.backend.Index == first.backend.Index || list[second.backend.Index] == nil {
		t.Errorf("an index passed on: %d, then %d", first.backend.Index, third.backend.Index)
	}
	s.release(second)
	fourth := acquire("82")
	if list, _, _ = s.refresh(); fourth.backend.Index == second.backend.Index || list[second.backend.Index] != nil {
		t.Errorf("a freed index was given away in its step: %d", fourth.backend.Index)
	}
	if fifth := acquire("83"); fifth.backend.Index != second.backend.Index {
		t.Errorf("a free index is not used: %d", fifth.backend.Index)
	}
	if list := s.apply(name, nil); list != nil || len(s.slices.byName)+len(s.slices.of) != 0 {
		t.Errorf("a slice that is gone: %v", list)
	}
}
