// Package secret holds the Secrets that a Build needs: Secrets and references to them in, Certificates for server
// names, Material for annotations, and Faults out.
//
// A Secret is needed in two ways. A section of spec.tls names a Secret of type kubernetes.io/tls: it becomes a
// Certificate, served for the names that the section claims, and its change touches no Route. An annotation, or the
// configuration, names a Secret of any type, a credential: its Material decides how Routes and Backends are made, so
// that its change compiles the Ingresses that name it again.
//
// A step of a Build uses a Set so:
//
//	for each event:   affected := set.Apply(name, secret), or set.Read(watch, reason)
//	for each Ingress: material := set.Credential(name) ...; set.Refer(ingress, references)
//	for each Host:    set.SetOwner(host, namespace)
//	at the end:       result := set.Refresh(now, budget); watches := set.Watches()
//
// Arguments and results are values: a Set knows no builder, and a test of it needs none.
//
// Goroutines: a Set belongs to one goroutine. Certificates, their index and Material are immutable, and Snapshots
// share them.
//
// Invariants:
//
//  1. A Secret is parsed when it is new or its content has changed, and only while something refers to it.
//  2. The result of steps equals that of one step with the same objects, but for the last good Certificate of a Secret
//     that is broken now.
//  3. A claim of another namespace never takes a name away from its owner.
//  4. What is read on demand is kept only while a watch covers it.
//  5. The work of a step is proportional to the Secrets and names that it touches, but for copies of the list and the
//     index of Certificates.
//
// What never happens here: nothing is read from a cluster or a file, and no annotation is known. No content of a
// Secret is logged, printed or part of a Fault: a Set and Material print as their name, and Faults are in words of
// ours, because the messages of parsers repeat their input.
//
// Memory: Secrets are kept as they were delivered; a parsed pair is kept beside its object.
//
// Read first: Set, Section, Material; then TestStep and TestNothingIsPrinted.
package secret
