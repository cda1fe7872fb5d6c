package up

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/upstream"
)

// Trailers of requests to an Endpoint over HTTP/2. A client can have the gateway send them, and at Endpoints in wide use
// they end the whole connection, with the requests of all other clients on it:
//
//   - net/http, once it has answered early and closed the stream, takes HEADERS on the stream for one that is opened out of
//     order, and ends the connection with PROTOCOL_ERROR. RFC 9113 section 5.1 has frames ignored that were on their way, but
//     whichever end errs, requests of others are lost. The answer may always be on its way while the trailers are written, so
//     that no look at the stream's state prevents the error.
//   - grpc-go, which has no use for trailers of requests (gRPC has them in responses only), does the same for trailers on a
//     stream that is open.
//
// DATA, WINDOW_UPDATE and RST_STREAM on a stream that they have closed do no harm at either.
//
// So a Session that requests share carries no trailers. A request that announces trailers, with a Trailer field as RFC 9110
// section 6.6.2 says it should, goes on a Session that has no other stream meanwhile: a lone Session. Trailers that were not
// announced are left out, which a recipient that removes the chunked coding may do (RFC 9112 section 7.1.2), and the request
// ends without them. The head tells whether trailers are announced, so that a request's trailers do not depend on the other
// requests under way.
//
// Lone Sessions are as many as connections of HTTP/1.1 would be: one for each such request under way, whose number
// limits.requests_per_source bounds for a client, as its descriptors are bounded. Of upstream.max_connections_per_endpoint
// they leave one half to the others: where the other half is taken, the trailers are left out as well, and the request goes
// on a shared Session. Between requests a lone Session is kept as pooled connections are, so that a client cannot use up
// ports either, but not before the Endpoint has answered a PING that was sent behind the request: by then it has read the
// trailers, and cannot end the next request for them.

// loneState is the state of a Session that may be a lone one.
type loneState uint8

const (
	loneNot   loneState = iota // a shared Session
	loneBusy                   // it has a request, which may wait for it to connect
	loneAsked                  // its request has ended, and the Endpoint may not have read all of it
	loneFree                   // it is in its dialer's list
	loneOver                   // it takes no more requests
)

// lonePing is the number of the PING behind a request. Those that check whether the Endpoint is alive have another.
const lonePing = 2

// acquireLone gets a lone Session for x; nil: none is free and none may be opened.
func (w *Loop) acquireLone(x *exchange.Core, ep *upstream.Endpoint, b *routing.BackendTLS) (s *Session, reused, short bool) {
	t := dialerOf(ep)
	for !x.MustDial() && len(t.lone) > 0 {
		s := t.lone[len(t.lone)-1]
		t.lone[len(t.lone)-1] = nil
		t.lone = t.lone[:len(t.lone)-1]
		if !s.backendTLS.Equal(b) || s.H2.MaxStreams() == 0 {
			s.lone = loneOver
			continue
		}
		s.lone = loneBusy
		return s, true, false
	}
	if ep.Crowded() {
		return nil, false, false
	}
	s, short = w.openSession(ep, b, x.Quota(), true)
	return s, false, short
}

// askLone sends the PING behind a request that has ended: the answer tells that the Endpoint has read all of the request.
func (s *Session) askLone() {
	switch {
	case s.closed:
		return
	case s.Connecting, s.Shaking:
		s.end(upstream.Canceled) // no other request waits for it
		return
	}
	s.lone = loneAsked
	s.H2.Ping(lonePing)
	s.touch()
}

// freeLone puts the Session into its dialer's list, for its next request.
func (s *Session) freeLone() {
	if s.closed || s.flooded || s.Endpoint.Gone || len(s.dialer.lone) >= s.w.set.upstream.MaxIdlePerEndpoint {
		s.lone = loneOver
		return
	}
	s.lone = loneFree
	s.dialer.lone = append(s.dialer.lone, s)
}

// retireLone is retire for a lone Session.
func (s *Session) retireLone() {
	if i := slices.Index(s.dialer.lone, s); i >= 0 {
		s.dialer.lone = slices.Delete(s.dialer.lone, i, i+1)
	}
	s.lone = loneOver
}
