// Package e2e runs the built gateway against a real kube-apiserver and etcd, with real listeners as
// Pods. It holds only tests; `make e2e` builds the binaries that they need and runs them.
//
// The test binary runs itself again in a network namespace of its own (unshare), because the API
// refuses loopback addresses in EndpointSlices: there, 10.244.0.0/16 is local, each Pod has an address
// of it, and no packet leaves the machine. A mount namespace of its own lets the suite be the DNS
// server that ExternalName Services are resolved by.
//
// One cluster and one gateway serve most tests; each test has its own namespace and hosts, so that none
// sees another's objects. Tests that stop a gateway start their own. The gateway's credentials are a
// ServiceAccount's token with the rights of deploy/base and no others, so that a verb missing there fails
// everything here. Tests run one after another: some change cluster-wide objects, and some measure time.
//
// There is no kubelet and no controller: a test writes the EndpointSlices that the endpoint controller
// would write.
//
// How correctness is judged: a load asks for targets without pause, and each target has the set of
// answers that are right at that moment. During a change these are the old and the new answer, and
// the new one alone from the first time it was seen. The client retries nothing, and any other
// answer, reset or timeout fails the test.
//
// E2E_CHURN (a duration, 10s when unset) is how long the test of continuous change runs.
//
// Read first: TestMain, then target and load, then TestIngress as an example of a test.
package e2e
