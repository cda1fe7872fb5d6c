// Package deploy holds no code: it is the tests of the manifests, scripts and configuration files in
// this folder, so that what a person applies to a cluster is checked like what they build.
//
// sluice is the command, one call of package sluice in the repository's root; example is a program that makes the same
// call with a filter of its own. base is the Kustomize base, sluice.yaml the same objects in one file (generated;
// `make generate`), demo the demonstration with and without a cluster, cluster a local control plane with its own
// go.mod. The suites that run the built binary are beside them: e2e against that control plane, interop with
// other people's software, acceptance for what is measured. Nothing imports this package.
//
// Read first: base/daemonset.yaml, whose comments say why each unusual line is there; then
// TestDaemonSet.
package deploy
