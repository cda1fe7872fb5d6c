// Command kubectl is the upstream kubectl, compiled from its Go module for machines where none is installed.
// It leaves out the authentication plugins of cloud providers: the local cluster's kubeconfig holds a client certificate.
package main
