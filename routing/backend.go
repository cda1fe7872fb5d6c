package routing

import "net/netip"

// Protocol is the protocol of a Backend (annotation backend-protocol, Service ports[].appProtocol).
type Protocol uint8

const (
	// HTTP is HTTP/1.1 over plain TCP.
	HTTP Protocol = iota
	// HTTPS is HTTP over TLS.
	HTTPS
	// H2C is HTTP/2 over plain TCP with prior knowledge.
	H2C
	// GRPC is H2C with gRPC's error mapping.
	GRPC
	// GRPCS is HTTP/2 over TLS with gRPC's error mapping.
	GRPCS
)

// String returns the spelling of the backend-protocol annotation.
func (p Protocol) String() string {
	return [...]string{"HTTP", "HTTPS", "H2C", "GRPC", "GRPCS"}[p]
}

// Balance is the policy that picks an Endpoint.
type Balance uint8

const (
	// RoundRobin takes the Endpoints in turn; the default.
	RoundRobin Balance = iota
	// EWMA compares two random Endpoints by peak-EWMA latency times load, and takes the better.
	EWMA
	// LeastConnections takes the Endpoint with the fewest exchanges in flight of two random ones.
	LeastConnections
)

// String returns the spelling of the load-balance annotation.
func (b Balance) String() string {
	return [...]string{"round_robin", "ewma", "least_conn"}[b]
}

// BackendKey identifies a Backend across Snapshots. Port is the Service port as the Ingress names
// it, resolved: its number in decimal, or its name where a headless Service has no number.
type BackendKey struct {
	Namespace, Service, Port string
	// Variant tells apart Backends of one Service port with differing policy or protocol; usually "".
	Variant string
}

// String returns "namespace/service:port" and, where there is one, "#variant".
func (k BackendKey) String() string {
	s := k.Namespace + "/" + k.Service + ":" + k.Port
	if k.Variant != "" {
		s += "#" + k.Variant
	}
	return s
}

// Backend is a logical destination: a Service port, its protocol, policy and ready Endpoints.
// Immutable once published: a change of Endpoints makes a new Backend at the same index.
type Backend struct {
	Key BackendKey
	// Index is the position in Snapshot.Backends, constant while the Backend exists. Slots of
	// removed Backends are reused by others.
	Index int32
	// Secure is where requests go that came over TLS, as an index into Snapshot.Backends plus one; 0: here.
	Secure   int32
	Protocol Protocol
	Balance  Balance
	// ExternalName and ExternalPort are set for a Service of type ExternalName; the name is resolved
	// off the loop, with its TTL, and Endpoints is empty.
	ExternalPort uint16
	ExternalName string
	// Endpoints are the ready ones, sorted by address, without duplicates. When no Endpoint is
	// ready, those that are serving while terminating stand in for them.
	Endpoints []Endpoint
	// Twins has, for each of Endpoints, the position of the one that is the same Pod with an address of the
	// other family, or -1. nil where there is none, which is usual.
	Twins []int32
	// TLS is set for HTTPS and GRPCS, and nil otherwise.
	TLS *BackendTLS
	// Resilience is nil where the gateway's own way holds for all of it.
	Resilience *Resilience
}

// Endpoint is one ready ip:port of a Backend. Addr is unmapped (never an IPv4-mapped IPv6 address).
type Endpoint struct {
	Addr netip.AddrPort
	// Zone and Node come from the EndpointSlice (endpoints[].zone, .nodeName); "" when unknown.
	Zone, Node string
}
