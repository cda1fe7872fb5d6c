package exchange

import "github.com/sluice-gateway/sluice/server/internal/stats"

// Failure is an answer of the gateway's own to a request that fails, and the reason that it is counted as. All are made
// before any request: nothing is formatted on the request path. Immutable.
type Failure struct {
	Status int
	reason stats.Reason
	Text   string // the answer's body: it tells what to fix, and holds no byte that a client or Backend sent
}

var (
	failNoRoute           = &Failure{404, stats.NoRoute, "no route for this host and path"}
	failNotReady          = &Failure{503, stats.NoEndpoint, "the gateway has not loaded its routes yet"}
	failNoBackend         = &Failure{503, stats.NoEndpoint, "the service of this route does not exist or was refused"}
	failForbidden         = &Failure{403, stats.NoEndpoint, "this host wants client certificates that cannot be verified"}
	failNoEndpoint        = &Failure{503, stats.NoEndpoint, "the service of this route has no ready endpoint"}
	failOverloaded        = &Failure{503, stats.UpstreamOverload, "every connection to the endpoint is busy"}
	failShort             = &Failure{503, stats.Overloaded, "the gateway has no connection to spare"}
	FailConnect           = &Failure{502, stats.ConnectFailed, "cannot connect to the endpoint"}
	FailTLS               = &Failure{502, stats.ConnectFailed, "the TLS handshake with the endpoint failed"}
	failConnectTimeout    = &Failure{502, stats.ConnectTimeout, "connecting to the endpoint timed out"}
	failUpstreamTimeout   = &Failure{504, stats.UpstreamTimeout, "the endpoint did not answer in time"}
	failRequestTimeout    = &Failure{504, stats.RequestTimeout, "the request took longer than its limit"}
	failUpstreamReset     = &Failure{502, stats.UpstreamReset, "the endpoint closed the connection"}
	failExtended          = &Failure{501, stats.ClientMalformed, "this protocol is not tunnelled"}
	FailNoUpgrade         = &Failure{502, stats.UpstreamMalformed, "the endpoint takes no WebSockets over HTTP/2"}
	failMalformed         = &Failure{502, stats.UpstreamMalformed, "the response of the endpoint is malformed"}
	failBody              = &Failure{400, stats.ClientMalformed, "the body of the request makes no sense"}
	failHost              = &Failure{400, stats.ClientMalformed, "malformed host"}
	failPath              = &Failure{400, stats.ClientMalformed, "malformed path"}
	failBodyTooLarge      = &Failure{413, stats.BodyTooLarge, "the request body is larger than this route takes"}
	FailBodyTimeout       = &Failure{408, stats.BodyTimeout, "the request body did not arrive in time"}
	failChunk             = &Failure{400, stats.ClientMalformed, "malformed chunked body"}
	failTrailer           = &Failure{431, stats.HeaderTooLarge, "trailer too large"}
	failClientCertificate = &Failure{400, stats.ClientMalformed, "this host wants a good client certificate"}
	failClientName        = &Failure{403, stats.ClientMalformed, "the client certificate is for another name"}
	failMisdirected       = &Failure{421, stats.ClientMalformed, "this connection was opened for a host with other rules for TLS"}
	failExpect            = &Failure{417, stats.ClientMalformed, "unknown expectation"}
	failConnectMethod     = &Failure{501, stats.ClientMalformed, "CONNECT is not supported"}
	FailAborted           = &Failure{499, stats.ClientAbort, "the client went away"}
	FailStalled           = &Failure{499, stats.SendTimeout, "the client stopped reading"}
	FailDraining          = &Failure{503, stats.Draining, "the gateway is shutting down"}
	failSource            = &Failure{429, stats.SourceLimit, "this client has as many requests under way as one may have"}
	failLoop              = &Failure{508, stats.LoopDetected, "the request comes back to the gateway again and again"}
	FailShed              = &Failure{503, stats.Overloaded, "given up for other clients, because it waited for its own"}
	failParking           = &Failure{503, stats.Overloaded, "too many requests wait for a decision about them"}
	failInternal          = &Failure{500, stats.Internal, "a filter failed"}
)
