package up

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/upstream"
)

// Trailers of requests to an Endpoint over HTTP/2. They are the one thing that a client can have the gateway send, and
// that ends a whole connection at Endpoints in wide use, with the requests of everybody on it:
//
//   - net/http, which has answered early and closed the stream, takes HEADERS on it for a stream that is opened out of
//     turn, and ends the connection with PROTOCOL_ERROR. RFC 9113 section 5.1 has what was on its way ignored, but
//     whichever end errs, requests of others are lost. Its answer may always be on its way while the trailers are
//     written, so that no look at the stream's state prevents it.
//   - grpc-go, to which requests with trailers are none (gRPC has them in responses only), does the same for trailers on
//     a stream that is open.
//
// DATA, WINDOW_UPDATE and RST_STREAM on a stream that they have closed do no harm at either.
//
// So a session that requests share carries no trailers. A request that announces some, with a Trailer field as RFC 9110
// section 6.6.2 says it should, goes on a session that has no other stream meanwhile: a lone one. Trailers that were
// not announced are left out, which a recipient that removes the chunked coding may do (RFC 9112 section 7.1.2), and the
// request ends without them. What is announced and what is not is known from the head, so that a request's trailers do
// not depend on the other requests that are under way.
//
// A lone session is a connection like those of HTTP/1.1, and as many can be there: one for each such request under way,
// of which limits.requests_per_source bounds a client's, and the descriptors of one source are bounded too. Of
// upstream.max_connections_per_endpoint they leave one half to the others: where that half is taken the trailers are
// left out, too, and the request goes with everybody's. Between requests a lone session is kept as pooled connections
// are, so that a client cannot wear out ports either, but not before the Endpoint has answered a PING that was sent
// behind the request: it has then read its trailers, and the next request is not ended for them.

// loneState is where a lone session is.
type loneState uint8

const (
	loneNot   loneState = iota // it is none
	loneBusy                   // it has a request, or waits for it to connect
	loneAsked                  // it has none, and the Endpoint may not have read all of the last one
	loneFree                   // it is in its dialer's list
	loneOver                   // it takes no more
)

// lonePing is the PING behind a request; those that ask for a sign of life have another number.
const lonePing = 2

// acquireLone gets a lone session for x, or nil where there is none to be had.
func (w *Loop) acquireLone(x *exchange.Core, ep *upstream.Endpoint, b *routing.BackendTLS) (s *Session, reused, short bool) {
	t := dialerOf(ep)
	for !x.MustDial() && len(t.lone) > 0 {
		s := t.lone[len(t.lone)-1]
		t.lone[len(t.lone)-1] = nil
		t.lone = t.lone[:len(t.lone)-1]
		if !s.backend.Equal(b) || s.H2.MaxStreams() == 0 {
			s.lone = loneOver
			continue
		}
		s.lone = loneBusy
		return s, true, false
	}
	if ep.Crowded() {
		return nil, false, false
	}
	s, short = w.openSession(ep, b, x.Source(), true)
	return s, false, short
}

// askLone asks the Endpoint whether it has read all of the request that has ended.
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

// freeLone has the session wait for its next request.
func (s *Session) freeLone() {
	if s.closed || s.flooded || s.Endpoint.Gone || len(s.dialer.lone) >= s.w.set.upstream.MaxIdlePerEndpoint {
		s.lone = loneOver
		return
	}
	s.lone = loneFree
	s.dialer.lone = append(s.dialer.lone, s)
}

// retireLone is retire for a lone session.
func (s *Session) retireLone() {
	if i := slices.Index(s.dialer.lone, s); i >= 0 {
		s.dialer.lone = slices.Delete(s.dialer.lone, i, i+1)
	}
	s.lone = loneOver
}
