// Package interop tests the built binary against other projects' software: h2spec, grpc-go's interoperability
// cases, curl, nghttp, Python and Chromium, WebSocket clients, peers that stall and peers that flood. It holds
// only tests, and is a Go module of its own so that none of these parts are dependencies of the gateway's.
// `make interop` builds bin/sluice and runs it all.
//
// Each test starts a gateway of its own on free ports of loopback, with two loops and a manifest folder of its
// own; clients and Backends live in the test's process, or are processes of their own, so that the resident set
// and the CPU time of the gateway are the gateway's alone. The gateway serves one Host for each protocol of a
// Backend, and every protocol of a client on every Host, so that a test runs through all pairings by a loop
// over both.
//
// By default a test is as short as it can be and still find its faults. INTEROP_LONG=1 runs the soak for a minute,
// moves whole gibibytes, and idles longer. Software that is not installed is skipped with the reason printed.
//
// The cost of floods to other clients is measured with the gateway alone on one CPU and everything else on another,
// where the flooder, a process of its own, runs only when nothing else has work; run that as root, so that other work of
// the machine does not count either.
//
// Read first: gateway, then TestPairs.
package interop
