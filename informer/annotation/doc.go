// Package annotation reads what the annotations of an Ingress say: names and values in, Settings and the reasons of what
// is refused out.
//
// Each annotation is a Row: its key, what it applies to, what values look like, what it sets, and the text of
// ANNOTATIONS.md. Rows that are about one thing share a file, named after it. To add one: a Row in the file of its concern, a
// field of Settings or of policy.Policy, and examples for TestValues, which fails for a Row that has none.
//
// Package informer calls Parse, on the goroutine that builds, and makes Routes, Backends and Hosts of Settings. Whatever is
// written in the same way elsewhere, as the filters of an HTTPRoute, can yield the same values.
//
// Invariants:
//
//  1. Nothing passes silently: a key without a Row, a value that does not parse, and one that has no effect are refused.
//  2. A value that is refused leaves the default, but for what is about security: that closes the object.
//  3. No value becomes configuration text. What is kept of it has been checked.
//
// What never happens here: no object is looked up, not even the Secret that a value names; no client of Kubernetes is
// imported.
//
// Read first: Row, Settings, Parse; then the examples of TestValues.
package annotation
