// Package informer turns Kubernetes objects into Snapshots: Ingress, IngressClass, Service,
// EndpointSlice, Secret and ConfigMap in, routing.Snapshot and Rejections out.
//
// An event travels so: a source (client-go informers, or a directory of manifests; see internal/source)
// puts the changed object into the queue, where a later change of the same object replaces an earlier
// one; the one goroutine of Controller.Run takes all that is queued, changes its cache, compiles the
// Ingresses that it touches, builds their Hosts and Backends, and publishes. It does so at once when
// idle, and waits for a bounded holdoff only while it is busy.
//
// Secrets are read on demand: after a build the cluster source is given the namespaces in which the tls
// sections of the served Ingresses refer to one, and the names from annotations and the configuration, and
// the Secrets come as events. Only the first publish waits for them, and not longer than secretsPatience.
// ConfigMaps are read by name in the same way: that of ingress-nginx's controller, which says what its objects have by default
// and what is laid over the gateway's configuration, and those that it names. The first publish waits for that one however long it takes.
//
// Goroutines: Run owns cache and builder, and nothing else touches them. Sources and name
// resolution only write to the queue. Rejections, Stats and Synced may be called from anywhere.
//
// Invariants:
//
//  1. Nothing is built before every source has delivered its first full list.
//  2. A bad object never fails a build: it, or its bad part, is a Rejection and the rest is served.
//     Security fails closed.
//  3. A Snapshot built step by step equals a fresh build of the same objects (see
//     TestIncrementalEqualsFresh), but for the last good Certificate of a Secret that is broken now, and for what
//     ingress-nginx's ConfigMap said that is gone now.
//  4. An Endpoint change replaces one Backend; an Ingress change rebuilds the Hosts it names, and that of
//     a canary those in whose Splits it takes part (see canaryset.go); a change of a Secret replaces one
//     Certificate, or what the Ingresses that name it in an annotation make.
//  5. A source that fails leaves the last Snapshot in place.
//
// What never happens here: no request is served, no Snapshot is edited after it was published, no
// user string becomes configuration text, nothing that a Secret holds is logged or reported. This
// package never imports server or upstream.
//
// Memory: objects are kept as the source delivered them, without managedFields; a cluster source
// shares them with its informers.
//
// The builder is a number of sets that know neither it nor each other: classSet, hostSet, backendSet and, in package
// secret, what is made of Secrets. Objects and names go in; the Ingresses to compile again, the result of a step and
// the Rejections come out.
//
// Package source delivers objects, package annotation reads annotations, packages secret and configmap what their names say; the consequences
// are decided here. What is written to a cluster, statuses and Events, is written here, too, because it follows from a
// build.
//
// Read first: Controller, builder, compiler; then testdata/*.txtar, one behaviour each.
package informer
