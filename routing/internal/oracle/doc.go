// Package oracle answers which Route serves a request by reading the whole list, in the words of
// the Kubernetes Ingress specification. Tests compare the Table with it.
//
// It is never optimised, shares no code with the Table beyond the nouns, and is table-tested itself.
// Nothing outside tests imports it.
package oracle
