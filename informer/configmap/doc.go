// Package configmap reads the ConfigMap of ingress-nginx's controller: keys and values in, Settings and the reasons of refusals
// out.
//
// Each key is a Row. What a key is about decides where its value goes: to the objects that are taken over from ingress-nginx, as
// the default of an annotation or as another of annotation.Defaults; to the gateway's own configuration, as a value of one of
// its live keys; or nowhere, because nginx alone has such a thing, which is told. Rows of one concern share a file, named after
// it. To add one: a Row in the file of its concern, and examples for TestValues, which fails for a Row that has none. A key that
// is the default of an annotation needs no code: the annotation's Row reads it, and a key whose annotation does not exist yet
// is refused as not carried out until it does.
//
// Package informer calls Read, on the goroutine that builds, when the ConfigMap has changed.
//
// Invariants:
//
//  1. Nothing passes silently: a key without a Row, a value that does not parse, and one that has no effect are refused by name.
//  2. A refused value leaves the default, except for what guards: then the objects are closed, or nobody is believed.
//  3. No value becomes configuration text. Lists are bounded.
//
// What never happens here: no object is looked up, not even the ConfigMaps that a value names; the gateway's configuration is
// not known, a function that is handed in says whether it takes a value.
//
// Read first: Row, Settings, Read; then the examples of TestValues.
package configmap
