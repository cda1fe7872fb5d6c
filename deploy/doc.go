// Package deploy holds no code: it is the tests of the manifests, scripts and configuration files in
// this folder, so that a manifest applied to a cluster is checked like a binary.
//
// sluice is the command, one call of package sluice in the repository's root; example is a program that makes the same
// call with a filter of its own. base is the Kustomize base, sluice.yaml the same objects in one file (generated;
// `make generate`), demo the demonstration with and without a cluster, cluster a local control plane with its own
// go.mod. The suites that run the built binary are beside them: e2e against that control plane, interop with other
// projects' software, acceptance for measurements. Nothing imports this package.
//
// Read first: base/daemonset.yaml, whose comments give the reason for each unusual line; then TestDaemonSet.
package deploy
