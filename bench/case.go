package main

import (
	"fmt"
	"strings"
)

// kind is how a Case loads a proxy and what it reads.
type kind string

const (
	kindLoad kind = "load" // wrk as fast as it goes: CPU per request, memory under load
	kindRate kind = "rate" // constant rate: latency percentiles
	kindIdle kind = "idle" // open connections that do nothing: memory of each
)

// Case is one kind of work. The table of them below is fixed; a run picks from it by ID.
type Case struct {
	ID    string
	Title string
	Kind  kind

	Path    string
	Conns   int
	Headers []string // added to every request
	Threads int      // of the proxy; above 1 nothing is pinned

	// Routes is the size of the routing table; above 0 only Sluice is measured, with tables and requests
	// made by routeTable, and requests go to all Routes at random.
	Routes int
}

// only reports whether the case is measured on Sluice alone.
func (c Case) only() bool { return c.Routes > 0 }

// cases is every case, in the order of the report.
var cases = []Case{
	{ID: "small64", Title: "small response, 64 connections", Kind: kindLoad, Path: "/", Conns: 64, Threads: 1},
	{ID: "small256", Title: "small response, 256 connections", Kind: kindLoad, Path: "/", Conns: 256, Threads: 1},
	{ID: "body16k", Title: "16 KiB bodies, 64 connections", Kind: kindLoad, Path: "/16k", Conns: 64, Threads: 1},
	{ID: "body1m", Title: "1 MiB bodies, 64 connections", Kind: kindLoad, Path: "/1m", Conns: 64, Threads: 1},
	{ID: "newconn", Title: "new connection per request, 64 at once", Kind: kindLoad, Path: "/", Conns: 64, Threads: 1, Headers: []string{"Connection: close"}},
	{ID: "routes1", Title: "1 Route, 64 connections", Kind: kindLoad, Conns: 64, Threads: 1, Routes: 1},
	{ID: "routes100k", Title: "100,000 Routes hit at random, 64 connections", Kind: kindLoad, Conns: 64, Threads: 1, Routes: 100_000},
	{ID: "latency", Title: "small response at half the peers' maximum rate, 64 connections", Kind: kindRate, Path: "/", Conns: 64, Threads: 1},
	{ID: "idle10k", Title: "10,000 idle keep-alive connections", Kind: kindIdle, Path: "/", Conns: 10_000, Threads: 1},
	{ID: "two64", Title: "small response, 64 connections, two threads, unpinned", Kind: kindLoad, Path: "/", Conns: 64, Threads: 2},
}

// selectCases resolves a comma-separated list of IDs; "all" is every case. The order is always that of the
// table: later cases build on what earlier ones found.
func selectCases(list string) ([]Case, error) {
	if list == "all" {
		return cases, nil
	}
	wanted := map[string]bool{}
	for id := range strings.SplitSeq(list, ",") {
		wanted[strings.TrimSpace(id)] = true
	}
	var out []Case
	for _, c := range cases {
		if wanted[c.ID] {
			out = append(out, c)
			delete(wanted, c.ID)
		}
	}
	for id := range wanted {
		return nil, fmt.Errorf("select case %q: no such case; there are %s", id, strings.Join(caseIDs(), ", "))
	}
	return out, nil
}

func caseIDs() []string {
	var ids []string
	for _, c := range cases {
		ids = append(ids, c.ID)
	}
	return ids
}
