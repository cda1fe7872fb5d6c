// Package cluster counts requests of all gateways together, in a server of Redis' protocol: leaky buckets, which a script
// reads and writes in one step, by the server's own clock.
//
// The server is not trusted more than it has to be. A question ends at its deadline, an answer is bounded before it is parsed,
// and connections are a bounded number. Nothing is tried twice.
package cluster
