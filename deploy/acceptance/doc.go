// Package acceptance measures the built binary against the bars of a gateway: memory towards peers that do not
// read, the cost of an idle connection, slow clients, floods of TLS handshakes, certificates that are renewed
// or come by the thousand, and requests lost while Pods are replaced, while manifests change and while the
// gateway ends. It holds only tests; they take minutes, and run with `make acceptance`, which builds
// bin/sluice and sets SLUICE_ACCEPTANCE. Run them with -v to see the figures that are compared with the bars.
//
// Each test starts a gateway of its own, with two loops, on free ports of loopback and a manifest
// folder of its own. The clients and the Backends live in the test's process, so that the resident set
// of the gateway is the gateway's alone. Bytes that the kernel holds in sockets do not count: they are
// bounded by its own limits, and those of TCP (net.ipv4.tcp_mem) bound their sum.
//
// Where the latency of others is judged, a second gateway that is left alone is asked at the same time: on
// a machine that does other things too, the difference is the first one's doing.
//
// Read first: gateway, then TestSlowReaders.
package acceptance
