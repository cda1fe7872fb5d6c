package admin

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
)

// SnapshotView is a Snapshot as JSON, or a part of it where the lists would be long.
type SnapshotView struct {
	Generation uint64 `json:"generation"`
	// Hosts, Routes, Backends and Endpoints count the whole Snapshot, however long the lists below.
	Hosts     int `json:"hosts"`
	Routes    int `json:"routes"`
	Backends  int `json:"backends"`
	Endpoints int `json:"endpoints"`

	BuildSeconds float64 `json:"build_seconds"`
	Rejections   int     `json:"rejections"`

	RouteList   []RouteView `json:"route_list"`
	BackendList []Backend   `json:"backend_list"`
	// Truncated is true when the lists are cut; ask for a host, or use offset.
	Truncated bool `json:"truncated"`
}

// RouteView is a Route as JSON.
type RouteView struct {
	Host    string `json:"host"`
	Path    string `json:"path"`
	Type    string `json:"type"`
	Default bool   `json:"default,omitempty"`
	Ingress string `json:"ingress,omitempty"`
	// Backend is empty where the reference could not be resolved, and requests get 503.
	Backend string   `json:"backend"`
	Policy  []string `json:"policy,omitempty"`
	// Split says how the requests are shared out between Backends; "" where Backend has all.
	Split string `json:"split,omitempty"`
}

// Backend is a Backend as JSON.
type Backend struct {
	Name         string     `json:"name"`
	Protocol     string     `json:"protocol"`
	Balance      string     `json:"balance"`
	ExternalName string     `json:"external_name,omitempty"`
	Endpoints    []Endpoint `json:"endpoints"`
}

// Endpoint is an Endpoint as JSON.
type Endpoint struct {
	Address string `json:"address"`
	Zone    string `json:"zone,omitempty"`
	Node    string `json:"node,omitempty"`
}

// selection is the query of /api/v1/snapshot.
type selection struct {
	host          string // "" = all
	limit, offset int
}

// viewSnapshot lists at most limit Routes and limit Backends from offset on.
func viewSnapshot(s *routing.Snapshot, want selection) SnapshotView {
	v := SnapshotView{RouteList: []RouteView{}, BackendList: []Backend{}}
	if s == nil {
		return v
	}
	v.Generation, v.Routes = s.Generation, s.Table.Routes()
	position := 0
	add := func(r *routing.Route) {
		switch {
		case want.host != "" && want.host != r.Host:
			return
		case position >= want.offset && len(v.RouteList) < want.limit:
			v.RouteList = append(v.RouteList, viewRoute(s, r))
		case position >= want.offset:
			v.Truncated = true
		}
		position++
	}
	if r := s.Table.Default(); r != nil {
		add(r)
	}
	for h := range s.Table.Hosts() {
		v.Hosts++
		for r := range h.Routes() {
			add(r)
		}
	}
	position = 0
	for _, b := range s.Backends {
		if b == nil {
			continue
		}
		v.Backends++
		v.Endpoints += len(b.Endpoints)
		switch {
		case position >= want.offset && len(v.BackendList) < want.limit:
			v.BackendList = append(v.BackendList, viewBackend(b))
		case position >= want.offset:
			v.Truncated = true
		}
		position++
	}
	return v
}

func viewRoute(s *routing.Snapshot, r *routing.Route) RouteView {
	v := RouteView{Host: r.Host, Path: r.Spelling(), Type: r.Type.String(), Default: r.Default}
	if r.Source != nil {
		v.Ingress = r.Source.Ingress.String()
		v.Policy = slices.Collect(r.Source.Policy.Lines())
	}
	if b := s.Backend(r); b != nil {
		v.Backend = b.Key.String()
	}
	v.Split = s.DescribeSplit(r.Split())
	return v
}

func viewBackend(b *routing.Backend) Backend {
	v := Backend{
		Name: b.Key.String(), Protocol: b.Protocol.String(), Balance: b.Balance.String(),
		ExternalName: b.ExternalName, Endpoints: make([]Endpoint, 0, len(b.Endpoints)),
	}
	for _, e := range b.Endpoints {
		v.Endpoints = append(v.Endpoints, Endpoint{e.Addr.String(), e.Zone, e.Node})
	}
	return v
}
