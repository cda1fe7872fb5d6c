// Package annotation reads the annotations of an Ingress: names and values in, Settings and the reasons of refusals out.
//
// Each annotation is a Row: its key, its Scope, the form of its values, the setting it makes, and the text of
// ANNOTATIONS.md. Rows of one concern share a file, named after it. To add one: a Row in the file of its concern, a field
// of Settings or of policy.Policy, and examples for TestValues, which fails for a Row that has none.
//
// Package informer calls Parse, on the goroutine that builds, and makes Routes, Backends and Hosts of Settings. Other
// sources of the same configuration, such as the filters of an HTTPRoute, can yield the same values.
//
// Invariants:
//
//  1. Nothing passes silently: a key without a Row, a value that does not parse, and one that has no effect are refused.
//  2. A refused value leaves the default, except for security: then it closes the object.
//  3. No value becomes configuration text. Whatever is kept of a value has been checked.
//
// What never happens here: no object is looked up, not even the Secret that a value names; no client of Kubernetes is
// imported.
//
// Read first: Row, Settings, Parse; then the examples of TestValues.
package annotation
