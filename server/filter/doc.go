// Package filter is the onion of the gateway's own Filters: their order, and the makers that package server compiles
// Routes with. The Filters themselves are in packages by concern, which know nothing of each other:
//
//   - access: who may ask
//   - limit: how much may be asked
//   - redirect: where else to go
//   - rewrite: what a Backend is asked for
//   - reply: what clients are answered
//
// What annotations call $host and the like is in package variable, for all of them.
//
// To add one: its configuration as a value in routing/policy, its annotations in informer/annotation, a type with the phases
// that it needs in the package of its concern, and a row of order.
package filter
