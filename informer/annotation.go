package informer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Prefixes of the annotations we read. The same key under ours wins over ingress-nginx's.
const (
	ownPrefix   = "sluice-gateway.io/"
	nginxPrefix = "nginx.ingress.kubernetes.io/"
)

// scope says what an annotation's value applies to.
type scope string

const (
	scopeRoute   scope = "route"   // the Routes of the object
	scopeBackend scope = "backend" // the Backends of the object
	scopeHost    scope = "host"    // the Hosts of the object, for all objects
	scopeObject  scope = "object"  // whether and how the object is served at all
)

// settings is what the annotations of one Ingress say.
type settings struct {
	policy   policy.Policy
	balance  routing.Balance
	protocol routing.Protocol
	// tls is for Backends whose protocol has TLS.
	tls backendTLS
	// protocolSet is true when backend-protocol decides, and Service appProtocol does not.
	protocolSet bool
	// unspoken is a backend-protocol that no routing.Protocol stands for.
	unspoken string
	// closedTLS is true when policy.Closed is about client certificates, which are asked for on the whole
	// host.
	closedTLS bool
	// clientAuth is about client certificates too.
	clientAuth clientAuth
	// passthrough is true when TLS connections go to the Backend as they are.
	passthrough bool
	// ciphers are ssl-ciphers, checked; "" for the gateway's.
	ciphers string
	// canary is true when the object is a variant of another one.
	canary bool
}

// annotation is one row of the table that the parser and ANNOTATIONS.md read.
type annotation struct {
	// key follows a prefix; a trailing "*" stands for anything.
	key   string
	scope scope
	typ   string
	def   string
	// ownOnly is true for keys that ingress-nginx does not have.
	ownOnly bool
	// set validates value and puts it into s. An error leaves the default, and is a Rejection.
	set func(s *settings, key, value string) error
	doc string
}

var annotations = []annotation{
	{"allowlist-source-range", scopeObject, "CIDR list", "", false, failClosed, docClosed},
	{"auth-*", scopeObject, "anything", "", false, failClosed, docClosed +
		" An auth-tls-* that is not in this table closes its hosts for all objects, if the host belongs to the object's namespace (kubernetes.host_ownership)."},
	{"auth-tls-error-page", scopeHost, "URL, or path", "", false, setAuthPage,
		"Where clients without a good certificate are redirected to; without it they are answered 400."},
	{"auth-tls-match-cn", scopeHost, "CN= and a regular expression (RE2)", "any", false, setAuthName,
		"The common name of a client's certificate; others are answered 403. It is matched from the start, once, when the certificate is verified: on a connection that was opened for a host with another one a request gets 421. " +
			"At most 1024 bytes, and a program of 1000 instructions once repetitions are written out (a{1000} is 1000); names of more than 512 bytes do not match. What does not parse, or is larger: 503."},
	{"auth-tls-pass-certificate-to-upstream", scopeHost, "true or false", "false", false, setAuthPass,
		"Whether the Backend is sent the client's certificate, as PEM, percent-encoded, in ssl-client-cert. One of more than 8 KiB, or with names of more than 2 KiB, is none that is good: it would go with every request."},
	{"auth-tls-secret", scopeHost, "Secret, or namespace/Secret", "", false, setAuthSecret,
		"Secret of the same namespace, of any type, with the authorities of client certificates in ca.crt and, if there is one, a list of revoked ones in ca.crl. " +
			"Clients of the object's hosts must show a certificate, whichever object has the path. Of several objects on a host the oldest decides, and those that ask for something else answer 503. " +
			"A Secret that is missing or cannot be read: the hosts answer 503. " +
			"Over plain HTTP they answer 400, and on a connection that was opened for a host with other rules 421. " +
			"Backends are sent ssl-client-verify (SUCCESS, NONE or FAILED:reason), ssl-client-subject-dn and ssl-client-issuer-dn, and none of a client's own fields that begin with ssl-client-."},
	{"auth-tls-verify-client", scopeHost, "on, off, optional or optional_no_ca", "on", false, setAuthMode,
		"Whether a certificate is wanted, and must be a good one. The other auth-tls-* without auth-tls-secret: 503."},
	{"auth-tls-verify-depth", scopeHost, "number", "1", false, setAuthDepth,
		"Most intermediate certificates between a client's and the authority's. A client that shows more than that, its own and one more has none that is good: they are not verified."},
	{"backend-protocol", scopeBackend, "HTTP, HTTPS, H2C, GRPC or GRPCS", "HTTP", false, setProtocol,
		"What the Backends speak; in any case. Wins over the Service's appProtocol: https, kubernetes.io/wss, h2c, kubernetes.io/h2c, grpc or grpcs, " +
			"which is not read for objects that are taken over from ingress-nginx. Backends of GRPC and GRPCS are also reached by gRPC-Web, binary and text. " +
			"AUTO_HTTP and FCGI are not supported, and answer 503."},
	{"canary", scopeObject, "true or false", "false", false, setCanary,
		"Marks the object as a variant of another. Variants are not supported yet: the Routes of a canary are left out, and the main object serves all requests."},
	{"denylist-source-range", scopeObject, "CIDR list", "", false, failClosed, docClosed},
	{"load-balance", scopeBackend, "round_robin, ewma or least_conn", "round_robin", false, setBalance,
		"How a Backend's Endpoint is picked."},
	{"proxy-body-size", scopeRoute, "bytes, with b, k, m or g", "the gateway's", false, setBodySize,
		"Largest request body; larger ones are answered 413. 0 = unlimited. All that a gRPC client sends on one stream is one body, and beyond it RESOURCE_EXHAUSTED."},
	{"proxy-connect-timeout", scopeRoute, "seconds", "the gateway's", false,
		setSeconds(func(p *policy.Policy) *int64 { return &p.Limits.Connect }),
		"Longest wait for a connection to an Endpoint."},
	{"proxy-read-timeout", scopeRoute, "seconds", "the gateway's", false,
		setSeconds(func(p *policy.Policy) *int64 { return &p.Limits.Read }),
		"Longest wait between two reads from an Endpoint."},
	{"proxy-send-timeout", scopeRoute, "seconds", "the gateway's", false,
		setSeconds(func(p *policy.Policy) *int64 { return &p.Limits.Send }),
		"Longest wait between two writes to an Endpoint."},
	{"proxy-ssl-ciphers", scopeBackend, "suites by OpenSSL's names, with colons between", "Go's", false, setTLSCiphers,
		"Cipher suites offered to TLS Backends, for TLS 1.2 and below. Groups such as HIGH are not supported."},
	{"proxy-ssl-name", scopeBackend, "DNS name", "service.namespace.svc, or the name of an ExternalName", false, setTLSName,
		"The name that a TLS Backend's certificate must be good for, and that SNI sends."},
	{"proxy-ssl-protocols", scopeBackend, "some of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", "TLSv1.2 TLSv1.3", false, setTLSVersions,
		"Versions spoken with TLS Backends."},
	{"proxy-ssl-secret", scopeBackend, "Secret, or namespace/Secret", "", false, setTLSSecret,
		"Secret of the same namespace, of any type: ca.crt verifies TLS Backends, tls.crt and tls.key are shown to them. " +
			"A Secret that is missing or cannot be read, or that has no ca.crt while proxy-ssl-verify is on: 503."},
	{"proxy-ssl-server-name", scopeBackend, "on or off", "off", false,
		setOnOff(func(s *settings) *bool { return &s.tls.sendName }, "off is assumed"),
		"Whether SNI is sent to TLS Backends."},
	{"proxy-ssl-verify", scopeBackend, "on or off", "off", false,
		setOnOff(func(s *settings) *bool { return &s.tls.verify }, "off is assumed"),
		"Whether TLS Backends must show a good certificate. Without proxy-ssl-secret the system's authorities count."},
	{"proxy-ssl-verify-depth", scopeBackend, "number", "1", false, setTLSDepth,
		"Most intermediate certificates between a TLS Backend's and the authority's."},
	{"request-timeout", scopeRoute, "duration, such as 30s", "none", true, setRequestTimeout,
		"Longest time for a whole exchange."},
	{"ssl-ciphers", scopeHost, "suites by OpenSSL's names, with colons between", "the gateway's", false, setHostCiphers,
		"Cipher suites for clients of the object's hosts, for TLS 1.2 and below; the oldest object with the annotation decides, of those in the namespace that the host belongs to. It has no effect without a host. Groups such as HIGH are not supported. A request on a connection that was opened under another name, with a suite that is not among these, gets 421."},
	{"ssl-passthrough", scopeHost, "true or false", "false", false, setPassthrough,
		"Sends the TLS connections of the object's hosts to the Backend of path / as they are, told by the server name that the client asks for: " +
			"the client sees the Backend's own certificate and protocols. Nothing else of the object applies to them, and no X-Forwarded field reaches the Backend. " +
			"Another Endpoint is tried where one cannot be connected to; without any, the connection is closed. Silence ends them after timeouts.tunnel. " +
			"Only the oldest object of a host can ask for it. No flag of the gateway is needed, and plain HTTP for the hosts is served by the Routes as ever. A request for them on a TLS connection that was opened under another name gets 421."},
	{"ssl-prefer-server-ciphers", scopeHost, "true or false", "true", false, setServerOrder,
		"The order of cipher suites is always the gateway's; anything but true is refused."},
	{"upstream-vhost", scopeRoute, "host, or host:port", "the client's", false, setUpstreamHost,
		"Replaces the Host header sent to the Backend. Variables are not supported."},
	{"whitelist-source-range", scopeObject, "CIDR list", "", false, failClosed, docClosed},
}

const docClosed = "Access control that is not supported yet: the Routes of the object answer 503, because serving them without it would open a door."

// annotationFor returns the row of a key without prefix, the one of exactly this key if there is one,
// or nil.
func annotationFor(key string, own bool) (found *annotation) {
	for i := range annotations {
		a := &annotations[i]
		if a.ownOnly && !own {
			continue
		}
		if key == a.key {
			return a
		}
		if stem, any := strings.CutSuffix(a.key, "*"); any && strings.HasPrefix(key, stem) {
			found = a
		}
	}
	return found
}

// parseAnnotations reads those under our prefixes and calls reject for each that cannot be kept.
func parseAnnotations(all map[string]string, reject func(field, value, reason string)) (s settings) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key, own := strings.CutPrefix(name, ownPrefix)
		if !own {
			var nginx bool
			if key, nginx = strings.CutPrefix(name, nginxPrefix); !nginx {
				continue
			}
			if _, shadowed := all[ownPrefix+key]; shadowed {
				continue
			}
		}
		value := all[name]
		row := annotationFor(key, own)
		if row == nil {
			reject(annotationField(name), value, "no such annotation is supported; it has no effect")
			continue
		}
		if err := row.set(&s, key, value); err != nil {
			reject(annotationField(name), value, err.Error())
		}
	}
	return s
}

// In manifests a key may be any text.
func annotationField(name string) string {
	return "metadata.annotations[" + printable(name, '?') + "]"
}

func failClosed(s *settings, key, _ string) error {
	s.policy.Closed = "access control by annotation is not supported yet; every path of the object answers 503 rather than being open"
	s.closedTLS = s.closedTLS || strings.HasPrefix(key, "auth-tls-")
	return errors.New(s.policy.Closed)
}

func setProtocol(s *settings, _, value string) error {
	upper := strings.ToUpper(value)
	for p := routing.HTTP; p <= routing.GRPCS; p++ {
		if upper == p.String() {
			s.protocol, s.protocolSet = p, true
			return nil
		}
	}
	if upper == "FCGI" || upper == "AUTO_HTTP" {
		s.unspoken = upper
		return nil
	}
	return errors.New("want HTTP, HTTPS, H2C, GRPC or GRPCS; HTTP is assumed")
}

func setCanary(s *settings, _, value string) error {
	on, err := strconv.ParseBool(value)
	switch {
	case err != nil:
		return errors.New("want true or false; false is assumed")
	case on:
		s.canary = true
		return errors.New("canaries are not supported yet; the paths of this object are left out, and the main object serves all requests")
	}
	return nil
}

func setBalance(s *settings, _, value string) error {
	for b := routing.RoundRobin; b <= routing.LeastConnections; b++ {
		if value == b.String() {
			s.balance = b
			return nil
		}
	}
	return errors.New("want round_robin, ewma or least_conn; round_robin is assumed")
}

func setBodySize(s *settings, _, value string) error {
	digits := strings.TrimRight(value, "bBkKmMgG")
	shift := 0
	switch strings.ToLower(value[len(digits):]) {
	case "", "b":
	case "k":
		shift = 10
	case "m":
		shift = 20
	case "g":
		shift = 30
	default:
		digits = ""
	}
	n, err := strconv.ParseUint(digits, 10, 63-shift)
	if err != nil {
		return errors.New("want digits and optionally b, k, m or g; the gateway's default is used")
	}
	if s.policy.Limits.BodyBytes = int64(n << shift); n == 0 {
		s.policy.Limits.BodyBytes = -1
	}
	return nil
}

// maxTimeout keeps nanoseconds far from overflow, and timer wheels small.
const maxTimeout = 366 * 24 * time.Hour

func setSeconds(field func(*policy.Policy) *int64) func(*settings, string, string) error {
	return func(s *settings, _, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 || n > int64(maxTimeout/time.Second) {
			return fmt.Errorf("want whole seconds from 1 to %d; the gateway's default is used", int64(maxTimeout/time.Second))
		}
		*field(&s.policy) = n * int64(time.Second)
		return nil
	}
}

func setRequestTimeout(s *settings, _, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Millisecond || d > maxTimeout {
		return errors.New("want a duration of at least 1ms, such as 30s or 2m; no limit is set")
	}
	s.policy.Limits.Request = int64(d)
	return nil
}

func setUpstreamHost(s *settings, _, value string) error {
	if strings.Contains(value, "$") {
		return errors.New("variables are not supported; the client's Host is sent")
	}
	if !validAuthority(value) {
		return errors.New("want a host name or address, optionally with a port; the client's Host is sent")
	}
	s.policy.UpstreamHost = value
	return nil
}
