// Package limit has the Filters that bound how much is asked for: Requests and Cluster by rate, Connections and Concurrency
// by what is under way at once.
//
// Counts belong to the process and not to a Filter: a change of an object, which makes its Filters anew, forgets none.
// Clients are told apart by their address: IPv4 in full, IPv6 by the /64, because that is the least that anybody is given.
package limit
