package annotation

import (
	"cmp"
	"errors"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Settings is what the annotations of one Ingress say. Made by Parse. A plain value; copies share the Filters of Policy.
type Settings struct {
	// Policy is for the Routes of the object.
	Policy policy.Policy
	// ClosesHosts is true where Policy.Closed is about client certificates, which are asked for on whole Hosts.
	ClosesHosts bool
	// Canary is true for an object that is a variant of another one.
	Canary bool

	// Of the Backends:

	Balance  routing.Balance
	Protocol routing.Protocol
	// ProtocolSet is true where an annotation decides about Protocol, and appProtocol of the Service does not.
	ProtocolSet bool
	// Unspoken is a protocol that no routing.Protocol stands for; "" for none.
	Unspoken string
	// TLS is for Backends whose Protocol has TLS.
	TLS BackendTLS

	// Of the Hosts:

	ClientAuth ClientAuth
	// Passthrough is true where TLS connections go to the Backend as they are.
	Passthrough bool
	// Ciphers are for clients; "" for the gateway's.
	Ciphers Ciphers
}

// BackendTLS is what the annotations proxy-ssl-* say. Comparable.
type BackendTLS struct {
	Verify bool
	Secret string
	// Name is the one that a certificate must be good for; "" for that of the Service.
	Name     string
	SendName bool
	Depth    int
	// Min and Max are versions as crypto/tls has them; 0 for its default.
	Min, Max uint16
	// Ciphers is "" for crypto/tls's default.
	Ciphers Ciphers
}

// ClientAuth is what the annotations auth-tls-* say. Comparable.
type ClientAuth struct {
	// Asked is true once any of them is there, but for auth-tls-verify-client: off, which is Off.
	Asked, Off bool
	Secret     string
	Mode       routing.ClientAuthMode
	Depth      int
	Pass       bool
	ErrorPage  string
	Name       expression.Expression
}

// defaultDepth is that of both proxy-ssl-verify-depth and auth-tls-verify-depth, as in nginx.
const defaultDepth = 1

// DefaultBackendTLS is what no proxy-ssl-* says.
var DefaultBackendTLS = BackendTLS{Depth: defaultDepth}

func defaults() Settings {
	return Settings{TLS: DefaultBackendTLS, ClientAuth: ClientAuth{Mode: routing.ClientAuthOn, Depth: defaultDepth}}
}

// close makes every Route of the object answer 503, and returns the reason as an error. Of several reasons Policy has the first.
func (s *Settings) close(reason string) error {
	s.Policy.Closed = cmp.Or(s.Policy.Closed, reason)
	return errors.New(reason)
}
