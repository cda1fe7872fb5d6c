// Package policy describes what objects ask of their requests, as typed plain values: limits, the Host that Backends
// are sent, and the configuration of filters. Package informer makes Policies from annotations, a Route's Source
// carries one, and the data plane compiles it. Nothing here knows how any of it is carried out.
//
// A published Policy is immutable and safe for concurrent use.
package policy
