package source

import "k8s.io/apimachinery/pkg/types"

// Kind tells what a Key names.
type Kind uint8

const (
	Ingress Kind = iota
	Class
	Service
	Slice
	Secret
	// Secrets is what a watch of Secrets is about, named by its SecretsKey; its object is a
	// string that says why they cannot be read, or "" once all have been.
	Secrets
	ConfigMap
	// ConfigMaps is what the watch of one ConfigMap is about; its object is a string that says why it cannot be read, or ""
	// once it has been looked for.
	ConfigMaps
	// Chosen is the ConfigMap that the configuration names; its object is its types.NamespacedName. No source of this package
	// delivers it.
	Chosen
	// File is a manifest file, or another entry of a folder; its object is the []Fault of that entry.
	File
	// Addresses is a resolved name; its object is a []netip.AddrPort. No source of this package delivers it.
	Addresses
	// Node is the machine; its object is a []netip.Addr of its own addresses.
	Node
)

// Key identifies what an event changes. Namespace is empty where there is none.
type Key struct {
	Kind Kind
	types.NamespacedName
}

// String names the object as Object does.
func (k Key) String() string {
	name := [...]string{"Ingress", "IngressClass", "Service", "EndpointSlice", "Secret", "Secrets", "ConfigMap", "ConfigMaps", "Chosen", "File", "Name", "Node"}[k.Kind]
	return Object{Kind: name, Namespace: k.Namespace, Name: k.Name}.String()
}

func fileKey(path string) Key {
	return Key{File, types.NamespacedName{Name: path}}
}

// Event is one change: Object is the new state, nil when it is gone. Objects belong to the receiver
// for reading only.
type Event struct {
	Key    Key
	Object any
}
