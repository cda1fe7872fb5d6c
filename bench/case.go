package main

import (
	"fmt"
	"strings"
)

// kind is how a Case loads a proxy and which figures it reads.
type kind string

const (
	kindLoad  kind = "load"      // as fast as it goes: CPU per request, memory under load
	kindShake kind = "handshake" // the same with a TLS handshake for each request: handshakes per CPU second too
	kindRate  kind = "rate"      // constant rate: latency percentiles
	kindIdle  kind = "idle"      // open connections that do nothing: memory of each
)

// call is the kind of a request; the zero call is GET.
type call string

const (
	callUnary call = "unary" // gRPC: one message there, one back
	callEcho  call = "echo"  // gRPC: a stream that stays open, each message is sent back
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

	// Down and Up are the protocols from clients to the proxy, and from the proxy to the origin.
	Down, Up Wire
	Call     call
	Streams  int  // open at a time on each HTTP/2 connection
	Resume   bool // of kindShake: resume TLS sessions instead of full handshakes

	// Mix are the requests of a case that makes several kinds, or that posts bodies: our own generator sends
	// them, and the origin that takes bodies answers. Path and Headers mean nothing then.
	Mix []part

	// Of kindRate: Rate is the number of requests a second; with 0, Share is the part of what the slowest proxy of
	// the run can do; with 0 too, the rate is half of what the better of the baseline peers can do.
	Rate, Share float64

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
	{ID: "conns1", Title: "small response, 1 connection", Kind: kindLoad, Path: "/", Conns: 1, Threads: 1},
	{ID: "conns4", Title: "small response, 4 connections", Kind: kindLoad, Path: "/", Conns: 4, Threads: 1},
	{ID: "conns16", Title: "small response, 16 connections", Kind: kindLoad, Path: "/", Conns: 16, Threads: 1},
	{ID: "conns1000", Title: "small response, 1,000 connections", Kind: kindLoad, Path: "/", Conns: 1000, Threads: 1},
	{ID: "body16k", Title: "16 KiB bodies, 64 connections", Kind: kindLoad, Path: "/16k", Conns: 64, Threads: 1},
	{ID: "body1m", Title: "1 MiB bodies, 64 connections", Kind: kindLoad, Path: "/1m", Conns: 64, Threads: 1},
	{ID: "post1k", Title: "POST of 1 KiB, 64 connections", Kind: kindLoad, Conns: 64, Threads: 1, Mix: []part{{Weight: 1, Post: 1 << 10, Path: "/"}}},
	{ID: "post1m", Title: "POST of 1 MiB, 64 connections", Kind: kindLoad, Conns: 64, Threads: 1, Mix: []part{{Weight: 1, Post: 1 << 20, Path: "/"}}},
	{ID: "newconn", Title: "new connection per request, 64 at once", Kind: kindLoad, Path: "/", Conns: 64, Threads: 1, Headers: []string{"Connection: close"}},
	{ID: "mixed", Title: "of 100 requests 70 small, 15 of 16 KiB, 1 of 1 MiB, 10 POST of 1 KiB, 4 the last on their connection; 64 connections", Kind: kindLoad, Conns: 64, Threads: 1, Mix: []part{
		{Weight: 70, Path: "/"}, {Weight: 15, Path: "/16k"}, {Weight: 1, Path: "/1m"}, {Weight: 10, Post: 1 << 10, Path: "/"}, {Weight: 4, Path: "/", Close: true},
	}},
	{ID: "routes1", Title: "1 Route, 64 connections", Kind: kindLoad, Conns: 64, Threads: 1, Routes: 1},
	{ID: "routes100k", Title: "100,000 Routes hit at random, 64 connections", Kind: kindLoad, Conns: 64, Threads: 1, Routes: 100_000},
	{ID: "latency", Title: "small response at half the peers' maximum rate, 64 connections", Kind: kindRate, Path: "/", Conns: 64, Threads: 1},
	{ID: "rate15k", Title: "small response at 15,000 a second, 64 connections", Kind: kindRate, Path: "/", Conns: 64, Threads: 1, Rate: 15_000},
	{ID: "quarter", Title: "small response at a quarter of the slowest proxy's maximum rate, 64 connections", Kind: kindRate, Path: "/", Conns: 64, Threads: 1, Share: 0.25},
	{ID: "half", Title: "small response at half of the slowest proxy's maximum rate, 64 connections", Kind: kindRate, Path: "/", Conns: 64, Threads: 1, Share: 0.5},
	{ID: "threequarters", Title: "small response at three quarters of the slowest proxy's maximum rate, 64 connections", Kind: kindRate, Path: "/", Conns: 64, Threads: 1, Share: 0.75},
	{ID: "idle10k", Title: "10,000 idle keep-alive connections", Kind: kindIdle, Path: "/", Conns: 10_000, Threads: 1},
	{ID: "tls64", Title: "HTTP/1.1 over TLS 1.3, small response, 64 connections", Kind: kindLoad, Path: "/", Conns: 64, Threads: 1, Down: Wire{TLS: true}},
	{ID: "h2tls", Title: "HTTP/2 over TLS 1.3, small response, 8 connections x 16 streams", Kind: kindLoad, Path: "/", Conns: 8, Streams: 16, Threads: 1, Down: Wire{TLS: true, H2: true}},
	{ID: "h2c", Title: "HTTP/2 in clear text, small response, 8 connections x 16 streams", Kind: kindLoad, Path: "/", Conns: 8, Streams: 16, Threads: 1, Down: Wire{H2: true}},
	{ID: "h2h2", Title: "HTTP/2 over TLS 1.3 to HTTP/2, small response, 8 connections x 16 streams", Kind: kindLoad, Path: "/", Conns: 8, Streams: 16, Threads: 1, Down: Wire{TLS: true, H2: true}, Up: Wire{H2: true}},
	{ID: "grpc", Title: "gRPC unary in clear text, 8 connections x 16 streams", Kind: kindLoad, Path: unaryMethod, Conns: 8, Streams: 16, Threads: 1, Down: Wire{H2: true}, Up: Wire{H2: true}, Call: callUnary, Headers: []string{"content-type: application/grpc", "te: trailers"}},
	{ID: "grpcdeadline", Title: "gRPC unary with a deadline (grpc-timeout), in clear text, 8 connections x 16 streams", Kind: kindLoad, Path: unaryMethod, Conns: 8, Streams: 16, Threads: 1, Down: Wire{H2: true}, Up: Wire{H2: true}, Call: callUnary, Headers: []string{"content-type: application/grpc", "te: trailers", "grpc-timeout: 9998346u"}},
	{ID: "grpcstream", Title: "gRPC messages there and back on open streams, in clear text, 8 connections x 16 streams", Kind: kindLoad, Path: echoMethod, Conns: 8, Streams: 16, Threads: 1, Down: Wire{H2: true}, Up: Wire{H2: true}, Call: callEcho},
	{ID: "handshake", Title: "full TLS 1.3 handshake per request, 32 at once", Kind: kindShake, Path: "/", Conns: 32, Threads: 1, Down: Wire{TLS: true}},
	{ID: "resumed", Title: "resumed TLS 1.3 handshake per request, 32 at once", Kind: kindShake, Path: "/", Conns: 32, Threads: 1, Down: Wire{TLS: true}, Resume: true},
	{ID: "idletls", Title: "10,000 idle TLS connections", Kind: kindIdle, Path: "/", Conns: 10_000, Threads: 1, Down: Wire{TLS: true}},
	{ID: "two64", Title: "small response, 64 connections, two threads, unpinned", Kind: kindLoad, Path: "/", Conns: 64, Threads: 2},
}

// selectCases resolves a comma-separated list of IDs; "all" is every case. The order is always that of the
// table: later cases build on the results of earlier ones.
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
