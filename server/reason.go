package server

import "github.com/sluice-gateway/sluice/server/internal/stats"

// failure is how a request-time failure becomes an answer. All of it is made before any request:
// nothing is formatted on the request path.
type failure struct {
	status int
	reason stats.Reason
	text   string // the answer's body; it teaches, and holds nothing that a client or Backend sent
}

var (
	failNoRoute           = &failure{404, stats.NoRoute, "no route for this host and path"}
	failNotReady          = &failure{503, stats.NoEndpoint, "the gateway has not loaded its routes yet"}
	failNoBackend         = &failure{503, stats.NoEndpoint, "the service of this route does not exist or was refused"}
	failNoEndpoint        = &failure{503, stats.NoEndpoint, "the service of this route has no ready endpoint"}
	failOverloaded        = &failure{503, stats.UpstreamOverload, "every connection to the endpoint is busy"}
	failShort             = &failure{503, stats.Overloaded, "the gateway has no connection to spare"}
	failConnect           = &failure{502, stats.ConnectFailed, "cannot connect to the endpoint"}
	failTLS               = &failure{502, stats.ConnectFailed, "the TLS handshake with the endpoint failed"}
	failConnectTimeout    = &failure{502, stats.ConnectTimeout, "connecting to the endpoint timed out"}
	failUpstreamTimeout   = &failure{504, stats.UpstreamTimeout, "the endpoint did not answer in time"}
	failRequestTimeout    = &failure{504, stats.RequestTimeout, "the request took longer than its limit"}
	failUpstreamReset     = &failure{502, stats.UpstreamReset, "the endpoint closed the connection"}
	failExtended          = &failure{501, stats.ClientMalformed, "this protocol is not tunnelled"}
	failNoUpgrade         = &failure{502, stats.UpstreamMalformed, "the endpoint takes no WebSockets over HTTP/2"}
	failMalformed         = &failure{502, stats.UpstreamMalformed, "the response of the endpoint is malformed"}
	failBody              = &failure{400, stats.ClientMalformed, "the body of the request makes no sense"}
	failHost              = &failure{400, stats.ClientMalformed, "malformed host"}
	failPath              = &failure{400, stats.ClientMalformed, "malformed path"}
	failBodyTooLarge      = &failure{413, stats.BodyTooLarge, "the request body is larger than this route takes"}
	failBodyTimeout       = &failure{408, stats.BodyTimeout, "the request body did not arrive in time"}
	failChunk             = &failure{400, stats.ClientMalformed, "malformed chunked body"}
	failTrailer           = &failure{431, stats.HeaderTooLarge, "trailer too large"}
	failClientCertificate = &failure{400, stats.ClientMalformed, "this host wants a good client certificate"}
	failClientName        = &failure{403, stats.ClientMalformed, "the client certificate is for another name"}
	failMisdirected       = &failure{421, stats.ClientMalformed, "this connection was opened for a host with other rules for TLS"}
	failExpect            = &failure{417, stats.ClientMalformed, "unknown expectation"}
	failConnectMethod     = &failure{501, stats.ClientMalformed, "CONNECT is not supported"}
	failAborted           = &failure{499, stats.ClientAbort, "the client went away"}
	failStalled           = &failure{499, stats.SendTimeout, "the client stopped reading"}
	failDraining          = &failure{503, stats.Draining, "the gateway is shutting down"}
	failSource            = &failure{429, stats.SourceLimit, "this client has as many requests under way as one may have"}
	failLoop              = &failure{508, stats.LoopDetected, "the request comes back to the gateway again and again"}
	failShed              = &failure{503, stats.Overloaded, "given up for other clients, because it waited for its own"}
	failInternal          = &failure{500, stats.Internal, "a filter failed"}
)
