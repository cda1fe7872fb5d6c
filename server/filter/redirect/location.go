package redirect

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server"
)

// Where a client is, as far as Locations are concerned. What a trusted proxy says of itself stands in the fields that go
// upstream, and what it does not say the gateway has put there; both are checked here, because a Location must neither be
// malformed nor lead to another host than the one it names.

// first returns the first element of a list, without white space around it.
func first(list []byte) []byte {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		list = list[:i]
	}
	return bytes.Trim(list, " \t")
}

// speaksHTTP reports whether the client speaks plain HTTP: with the gateway, or with the trusted proxy that says so.
func speaksHTTP(x *server.Exchange) bool {
	return server.EqualFold(first(x.RequestField("X-Forwarded-Proto")), "http")
}

// forwardedHost returns the host that the client has asked, without a port, in the client's own spelling. It is empty where
// there is none.
func forwardedHost(x *server.Exchange) []byte {
	if b := first(x.RequestField("X-Forwarded-Host")); len(b) > 0 {
		if host, ok := server.HostOf(b); ok {
			return host
		}
	}
	return x.Host()
}

// appendForwardedScheme appends the scheme that the client speaks, and "://".
func appendForwardedScheme(dst []byte, x *server.Exchange) []byte {
	switch scheme := first(x.RequestField("X-Forwarded-Proto")); {
	case server.EqualFold(scheme, "https"):
		return append(dst, "https://"...)
	case server.EqualFold(scheme, "http"):
		return append(dst, "http://"...)
	}
	return appendScheme(dst, x)
}

// appendForwardedPort appends a colon and the port that the client has connected to, where it is known.
func appendForwardedPort(dst []byte, x *server.Exchange) []byte {
	port := first(x.RequestField("X-Forwarded-Port"))
	n := 0
	for _, c := range port {
		if c < '0' || c > '9' || n > 65535 {
			return dst
		}
		n = n*10 + int(c-'0')
	}
	if n == 0 || n > 65535 {
		return dst
	}
	return append(append(dst, ':'), port...)
}

// appendScheme appends the scheme that the client speaks with the gateway, and "://".
func appendScheme(dst []byte, x *server.Exchange) []byte {
	if x.Secure() {
		return append(dst, "https://"...)
	}
	return append(dst, "http://"...)
}

// appendOrigin appends scheme and host of the request as the gateway sees them, with its port if that is wanted. It appends
// nothing where the request names no host: a path alone leads to the same place.
func appendOrigin(dst []byte, x *server.Exchange, port bool) []byte {
	host := x.Host()
	if port {
		host = x.Authority()
	}
	if len(host) == 0 {
		return dst
	}
	return append(appendScheme(dst, x), host...)
}

// appendTarget appends path and query as the client has sent them. As in ingress-nginx a slash at the end is dropped unless it
// is to be kept, be it the path's or the query's.
func appendTarget(dst []byte, x *server.Exchange, keepSlash bool) []byte {
	target := x.Target()
	if n := len(target); n > 0 && target[n-1] == '/' && !keepSlash {
		target = target[:n-1]
	}
	return append(dst, target...)
}
