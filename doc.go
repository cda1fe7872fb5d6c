// Command sluice is a Kubernetes ingress gateway: an event-loop HTTP proxy on Hertz and netpoll.
//
// main.go picks a command; each has a file, cmd_NAME.go, which parses its flags and says what it is for. The
// command that matters is serve, and gateway.go is its composition root: the one place where
// informer, server, upstream and admin meet. newGateway wires them, gateway.run lives through the
// signals.
//
// Goroutines: run's own takes signals and is the only one that reloads; the data plane has one per
// loop, the informer one that builds, the admin plane one per connection.
//
// Invariants:
//
//  1. Commands that only look (check, explain --manifests, version) bind no socket.
//  2. A process that exits 0 was asked to: SIGTERM drains first, any failure is 1, wrong usage 2.
//  3. /readyz is 200 only while the listeners are bound, a Snapshot of fully synced sources is live,
//     and no drain has begun.
//
// What never happens here: no request is handled, no object is interpreted.
//
// Read first: commands, newGateway, TestServe.
package main
