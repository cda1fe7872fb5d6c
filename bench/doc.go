// Command bench measures what one proxied request costs: CPU time of the proxy per request, latency at a
// fixed rate, and memory, of Sluice beside nginx and HAProxy, and beside newer ones, h2o, Envoy and Pingora where they
// are found.
//
//	go run ./bench                    every case, 3 interleaved rounds, into bench/results/
//	go run ./bench -quick             the same in a few minutes, to see that it works
//	go run ./bench -check             exit 1 when a bar is missed
//	go run ./bench report DIR         write report.md and chart.svg again from DIR/result.json
//	go run ./bench micro              go test -bench of matching and codec, as text
//	go run ./bench load -addr A ...   the load generator for rates, bodies and mixes alone; stream and handshake are others
//	go run ./bench origin -addr A     the HTTP/2 origin alone; with -http1 the one that takes bodies
//
// A round starts one proxy afresh on a core of its own, checks that it does the same work as the others, warms
// it up, loads it from the other core, and reads its CPU clock before and after. Rounds of different proxies
// alternate, in an order that rotates, so that drift of the machine hits all of them alike.
//
// Invariants:
//  1. Every process that a run starts is ended by the run, on errors and interrupts too.
//  2. All traffic is on the loopback interface.
//  3. The report is made from result.json and from nothing else.
//
// Read first: Case (what is measured), Wire (the protocols), Peer (the proxies), Sample (the result of
// one round).
package main
