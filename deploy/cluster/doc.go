// Command cluster is a Kubernetes control plane in one process: etcd and kube-apiserver, compiled from their Go modules.
//
// People use it through "make cluster" to try the gateway with kubectl; the end-to-end suite starts it as a subprocess.
// It is a real API server: defaulting, validation, watches, RBAC, server-side apply and resource versions behave as in any cluster.
//
// What it is not: there is no kubelet, no scheduler and no controller manager.
// A Deployment makes no Pods, a Service gets no EndpointSlices, and a deleted Namespace stays in Terminating.
//
// All state lives in one directory, so that a stopped cluster comes back as it was:
//
//	lock                          held while a cluster uses the directory
//	ca.crt ca.key                 the authority that signs everything below; made once
//	service-accounts.key          signs ServiceAccount tokens; made once
//	server.crt server.key         the API server's certificate; issued anew at every start
//	kubeconfig                    credentials of a member of system:masters, unless --kubeconfig names another file
//	etcd/ etcd.sock               etcd's data, and the socket on which only the API server talks to it
//	apiserver.log etcd.log        what the two have to say
//
// Read run in cluster.go first: it is the order in which things start and stop.
package main
