package exchange

import "github.com/sluice-gateway/sluice/server/internal/stats"

// Failure is an answer of the gateway's own to a request that fails, and the reason that it is counted as. All are made
// before any request: nothing is formatted on the request path. Immutable.
type Failure struct {
	Status int
	reason stats.Reason
	Text   string // the answer's body: it tells what to fix, and holds no byte that a client or Backend sent
	later  bool   // the answer has a Retry-After
}

// retryAfter is the field of answers to requests that may succeed soon.
const retryAfter = "Retry-After: 1\r\n"

var (
	failNoRoute           = &Failure{Status: 404, reason: stats.NoRoute, Text: "no route for this host and path"}
	failNotReady          = &Failure{Status: 503, reason: stats.NoEndpoint, Text: "the gateway has not loaded its routes yet"}
	failNoBackend         = &Failure{Status: 503, reason: stats.NoEndpoint, Text: "the service of this route does not exist or was refused"}
	failForbidden         = &Failure{Status: 403, reason: stats.NoEndpoint, Text: "this host wants client certificates that cannot be verified"}
	failNoEndpoint        = &Failure{Status: 503, reason: stats.NoEndpoint, Text: "the service of this route has no ready endpoint"}
	failBroken            = &Failure{Status: 503, reason: stats.CircuitOpen, Text: "the endpoints of this route fail too often; they are tried again shortly", later: true}
	failMemory            = &Failure{Status: 503, reason: stats.Overloaded, Text: "the gateway is short of memory", later: true}
	failBusy              = &Failure{Status: 503, reason: stats.BackendBusy, Text: "this route has as many requests under way as it takes", later: true}
	failOverloaded        = &Failure{Status: 503, reason: stats.UpstreamOverload, Text: "every connection to the endpoint is busy"}
	failShort             = &Failure{Status: 503, reason: stats.Overloaded, Text: "the gateway has no connection to spare"}
	FailConnect           = &Failure{Status: 502, reason: stats.ConnectFailed, Text: "cannot connect to the endpoint"}
	FailTLS               = &Failure{Status: 502, reason: stats.ConnectFailed, Text: "the TLS handshake with the endpoint failed"}
	failConnectTimeout    = &Failure{Status: 502, reason: stats.ConnectTimeout, Text: "connecting to the endpoint timed out"}
	failUpstreamTimeout   = &Failure{Status: 504, reason: stats.UpstreamTimeout, Text: "the endpoint did not answer in time"}
	failRequestTimeout    = &Failure{Status: 504, reason: stats.RequestTimeout, Text: "the request took longer than its limit"}
	failUpstreamReset     = &Failure{Status: 502, reason: stats.UpstreamReset, Text: "the endpoint closed the connection"}
	failExtended          = &Failure{Status: 501, reason: stats.ClientMalformed, Text: "this protocol is not tunnelled"}
	FailNoUpgrade         = &Failure{Status: 502, reason: stats.UpstreamMalformed, Text: "the endpoint takes no WebSockets over HTTP/2"}
	failMalformed         = &Failure{Status: 502, reason: stats.UpstreamMalformed, Text: "the response of the endpoint is malformed"}
	failBody              = &Failure{Status: 400, reason: stats.ClientMalformed, Text: "the body of the request makes no sense"}
	failHost              = &Failure{Status: 400, reason: stats.ClientMalformed, Text: "malformed host"}
	failPath              = &Failure{Status: 400, reason: stats.ClientMalformed, Text: "malformed path"}
	failBodyTooLarge      = &Failure{Status: 413, reason: stats.BodyTooLarge, Text: "the request body is larger than this route takes"}
	FailBodyTimeout       = &Failure{Status: 408, reason: stats.BodyTimeout, Text: "the request body did not arrive in time"}
	failChunk             = &Failure{Status: 400, reason: stats.ClientMalformed, Text: "malformed chunked body"}
	failTrailer           = &Failure{Status: 431, reason: stats.HeaderTooLarge, Text: "trailer too large"}
	failClientCertificate = &Failure{Status: 400, reason: stats.ClientMalformed, Text: "this host wants a good client certificate"}
	failClientName        = &Failure{Status: 403, reason: stats.ClientMalformed, Text: "the client certificate is for another name"}
	failMisdirected       = &Failure{Status: 421, reason: stats.ClientMalformed, Text: "this connection was opened for a host with other rules for TLS"}
	failExpect            = &Failure{Status: 417, reason: stats.ClientMalformed, Text: "unknown expectation"}
	failConnectMethod     = &Failure{Status: 501, reason: stats.ClientMalformed, Text: "CONNECT is not supported"}
	FailAborted           = &Failure{Status: 499, reason: stats.ClientAbort, Text: "the client went away"}
	FailStalled           = &Failure{Status: 499, reason: stats.SendTimeout, Text: "the client stopped reading"}
	FailDraining          = &Failure{Status: 503, reason: stats.Draining, Text: "the gateway is shutting down"}
	failSource            = &Failure{Status: 429, reason: stats.SourceLimit, Text: "this client has as many requests under way as one may have"}
	failLoop              = &Failure{Status: 508, reason: stats.LoopDetected, Text: "the request comes back to the gateway again and again"}
	FailShed              = &Failure{Status: 503, reason: stats.Overloaded, Text: "given up for other clients, because it waited for its own"}
	failParking           = &Failure{Status: 503, reason: stats.Overloaded, Text: "too many requests wait for a decision about them"}
	failInternal          = &Failure{Status: 500, reason: stats.Internal, Text: "a filter failed"}
)
