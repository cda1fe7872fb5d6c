package annotation

import (
	"cmp"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Settings hold what the annotations of one Ingress ask for. Made by Parse. A plain value; copies share the Filters of
// Policy.
type Settings struct {
	// Policy is for the Routes of the object.
	Policy policy.Policy
	// ClosesHosts is true where Policy.Closed is about client certificates, which are asked for on whole Hosts.
	ClosesHosts bool
	// LeftOut is true for an object that ingress-nginx does not load, because of a value that is refused here and does no harm.
	LeftOut bool
	// Canary is for an object that is a variant of others.
	Canary Canary

	// Of the Routes, beside Policy, because a Secret decides of it too:

	BasicAuth BasicAuth
	JWT       JWT
	Login     Login
	// AnyOf is true where one of the conditions of access is enough.
	AnyOf bool
	// DefaultBackend names the Service that answers instead of errors; "" for none. A Service decides of it too.
	DefaultBackend string
	// Transport is what browsers are told of TLS. The class of the object decides of it too.
	Transport Transport
	// Limit is beside Policy because its counts are the object's, whose name is not known here.
	Limit Limit

	// Of redirects and names:

	// HTTPS says whether hosts with TLS are served over HTTPS alone, and ForceHTTPS whether others are too.
	HTTPS      Choice
	ForceHTTPS bool
	// PlainPaths are the beginnings of Routes' paths that are not sent to HTTPS, and OpenPaths those that ask
	// nobody to log in; the latter is nil for those of certificate authorities.
	PlainPaths, OpenPaths []string
	// KeepSlash keeps a slash at the end of targets that are sent to HTTPS.
	KeepSlash bool
	// AppRoot is where requests for / of the hosts are sent; "" for nowhere.
	AppRoot string
	// FromToWWW sends requests for the names of the hosts with www. before them, or without it, to the hosts.
	FromToWWW bool
	// Aliases are more names of the hosts, sorted.
	Aliases []string
	// relative is true where paths are sent as they are, and temporal where the redirect is a temporal one.
	relative, temporal bool
	// redirectCode is the status of redirects to HTTPS and to another name; 0 for 308.
	redirectCode int

	// Of the Backends:

	Balance routing.Balance
	// ServiceUpstream says whether requests go to the address of the Service.
	ServiceUpstream Choice
	Protocol        routing.Protocol
	// ProtocolSet is true where an annotation decides Protocol, and the Service's appProtocol does not.
	ProtocolSet bool
	// AutoHTTP is true where requests that came over TLS are sent over TLS, and Protocol is HTTP.
	AutoHTTP bool
	// Unspoken is a configured protocol without a routing.Protocol; "" for none.
	Unspoken string
	// TLS is for Backends whose Protocol has TLS.
	TLS BackendTLS
	// Resilience is the zero value where the gateway's own way holds.
	Resilience routing.Resilience

	// Of the Hosts:

	// UseRegex is true where paths are regular expressions.
	UseRegex   bool
	ClientAuth ClientAuth
	// Passthrough is true where TLS connections go to the Backend as they are.
	Passthrough bool
	// Ciphers are for clients; "" for the gateway's.
	Ciphers Ciphers
}

// Choice is the value of an annotation whose default is not known here. The zero value is that of none.
type Choice uint8

// The Choices.
const (
	Unsaid Choice = iota
	No
	Yes
)

// BackendTLS holds the annotations proxy-ssl-*. Comparable.
type BackendTLS struct {
	Verify bool
	Secret string
	// Name must be in the Endpoint's certificate; "" for that of the Service.
	Name     string
	SendName bool
	Depth    int
	// Min and Max are versions as crypto/tls has them; 0 for its default.
	Min, Max uint16
	// Ciphers is "" for crypto/tls's default.
	Ciphers Ciphers
}

// ClientAuth holds the annotations auth-tls-*. Comparable.
type ClientAuth struct {
	// Asked is true once any of them is present, except auth-tls-verify-client: off, which sets Off.
	Asked, Off bool
	Secret     string
	Mode       routing.ClientAuthMode
	Depth      int
	Pass       bool
	ErrorPage  string
	Name       expression.Expression
}

// defaultDepth is the default of both proxy-ssl-verify-depth and auth-tls-verify-depth, as in nginx.
const defaultDepth = 1

// DefaultBackendTLS holds without any proxy-ssl-*.
var DefaultBackendTLS = BackendTLS{Depth: defaultDepth}

func defaults() Settings {
	return Settings{
		PlainPaths: acmePaths,
		Limit:      defaultLimit,
		Canary:     Canary{Total: defaultTotal},
		TLS:        DefaultBackendTLS, ClientAuth: ClientAuth{Mode: routing.ClientAuthOn, Depth: defaultDepth},
		Transport: defaultTransport,
		JWT:       JWT{Policy: policy.JWT{Leeway: defaultLeeway * time.Second, Keep: true}},
		Login:     Login{Policy: policy.Login{Scopes: []string{"openid"}, Session: defaultSession * time.Second}},
	}
}

// close makes every Route of the object answer 503, and returns the reason as an error. Policy keeps the first of several
// reasons.
func (s *Settings) close(reason string) error {
	s.Policy.Closed = cmp.Or(s.Policy.Closed, reason)
	return errors.New(reason)
}
