// Package choice has the Filters that choose the Backend of a request, and its Endpoint: Canary between the Shares of a Route's
// Split, Hash and Affinity between the Endpoints of a Backend. The weights of a Split decide where none of them does, and the
// balancer of the Backend.
//
// A request with a session goes to the Backend and the Endpoint of its cookie; else a canary's field decides, then its cookie,
// then chance. Which Endpoint a key stands for is upstream's: see upstream.Key.
package choice
