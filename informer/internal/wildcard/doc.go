// Package wildcard knows which wildcard stands for a name, and which names a wildcard stands for.
//
// A wildcard stands for one label: *.example.test for a.example.test, and not for a.b.example.test. Names are in lower
// case, without a trailing dot.
//
// Read first: Of, Family.
package wildcard
