package stats

// Reason is why an exchange failed, from the gateway's point of view. A complete answer of the
// Backend is NoFailure whatever its status.
type Reason uint8

const (
	NoFailure Reason = iota
	// NoRoute and NoEndpoint: nothing to forward to (404, 503).
	NoRoute
	NoEndpoint
	// ConnectFailed and ConnectTimeout: no connection to an Endpoint came about (502).
	ConnectFailed
	ConnectTimeout
	// UpstreamTimeout: the Endpoint did not answer, or stopped answering, in time.
	UpstreamTimeout
	// UpstreamReset: the Endpoint broke the connection before or within its response.
	UpstreamReset
	// UpstreamMalformed: the response broke the protocol.
	UpstreamMalformed
	// UpstreamOverload: every connection that the Endpoint may have was busy (503).
	UpstreamOverload
	// NameFailed: an ExternalName did not resolve.
	NameFailed
	// ClientMalformed: the request broke the protocol (400).
	ClientMalformed
	HeaderTimeout
	HeaderTooLarge
	BodyTimeout
	BodyTooLarge
	// ClientAbort: the client left before its response was complete.
	ClientAbort
	// SendTimeout: the client stopped taking bytes.
	SendTimeout
	// RequestTimeout: the bound of the whole exchange passed.
	RequestTimeout
	// Draining: cut at the end of a drain.
	Draining
	// Filtered: a filter answered instead of the Backend.
	Filtered
	// Internal: the gateway's own fault; a bug.
	Internal
	// SourceLimit: the client has as many requests in flight as one source may (429).
	SourceLimit
	// Overloaded: cut or refused so that other clients are served.
	Overloaded
	// LoopDetected: the request came back through Services of type ExternalName (508).
	LoopDetected
	// CircuitOpen: too many requests to the Backend failed, and it is spared (503).
	CircuitOpen
	// BackendBusy: the Backend has as many requests in flight as it may, and none ended in time (503).
	BackendBusy

	// Reasons is the number of Reasons, for arrays indexed by Reason.
	Reasons = iota
)

var reasonNames = [Reasons]string{
	"none", "no_route", "no_endpoint", "connect_failed", "connect_timeout", "upstream_timeout", "upstream_reset",
	"upstream_malformed", "upstream_overload", "name_failed", "client_malformed", "header_timeout", "header_too_large",
	"body_timeout", "body_too_large", "client_abort", "send_timeout", "request_timeout", "draining", "filtered", "internal",
	"source_limit", "overloaded", "loop_detected", "circuit_open", "backend_busy",
}

// passthroughReasons are the Reasons for which a passed-through connection can end.
var passthroughReasons = [...]Reason{NoEndpoint, ConnectFailed, ConnectTimeout, UpstreamTimeout, UpstreamReset, UpstreamOverload, ClientAbort, Draining, Overloaded}

// String returns the metric label, which is also the access log's.
func (r Reason) String() string { return reasonNames[r] }

// Close is why a client connection ended.
type Close uint8

const (
	// ClosedByClient: the client closed between requests, or within one.
	ClosedByClient Close = iota
	// ClosedIdle: no next request came in time.
	ClosedIdle
	// ClosedAfterResponse: the response ended the connection (Connection: close, HTTP/1.0).
	ClosedAfterResponse
	// ClosedOnError: a malformed request, a timeout or a cut response.
	ClosedOnError
	// ClosedReset: the connection broke.
	ClosedReset
	// ClosedTunnel: the tunnel after an Upgrade ended.
	ClosedTunnel
	// ClosedDraining: the gateway is shutting down.
	ClosedDraining
	// ClosedShed: others needed its place.
	ClosedShed

	// Closes is the number of Close values, for arrays indexed by Close.
	Closes = iota
)

var closeNames = [Closes]string{"client", "idle", "response", "error", "reset", "tunnel", "draining", "shed"}

// String returns the metric label.
func (c Close) String() string { return closeNames[c] }

// Floods is the number of kinds of HTTP/2 frames that a client can flood with; floodNames are their
// labels, in the order of h2.Flood.
const Floods = 12

var floodNames = [Floods]string{"none", "reset", "fault", "continuation", "settings", "ping", "empty", "window_update",
	"priority", "closed", "tiny_window", "output"}

// ProxyRefusal is why a connection to a listener with the PROXY protocol was closed unanswered.
type ProxyRefusal uint8

const (
	// ProxyUntrusted: the peer may not announce clients.
	ProxyUntrusted ProxyRefusal = iota
	// ProxyMalformed: the connection began with something else, or ended within its header.
	ProxyMalformed
	// ProxyTimeout: the header did not come in time.
	ProxyTimeout

	// ProxyRefusals is the number of ProxyRefusal values, for arrays indexed by ProxyRefusal.
	ProxyRefusals = iota
)

var proxyRefusalNames = [ProxyRefusals]string{"untrusted", "malformed", "timeout"}

// String returns the metric label.
func (r ProxyRefusal) String() string { return proxyRefusalNames[r] }

// methodNames are the labels of Event.Method, in the order of the codec's Method.
var methodNames = [...]string{"other", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"}

func methodName(m uint8) string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return methodNames[0]
}
