package exchange

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/upstream"
)

// attempt picks an Endpoint and gets a connection to it.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) attempt() {
	w := x.w
	now := w.Now()
	x.wrote = false
	var ep *upstream.Endpoint
	if a := x.altered; a != nil && a.wish.IsValid() {
		ep = x.backend.Prefer(a.wish, now, x.avoid)
	} else {
		ep = x.backend.Pick(now, x.avoid)
	}
	if ep == nil {
		x.Fail(failNoEndpoint)
		return
	}
	if ep.Full() && !SpeaksHTTP2(x.protocol) {
		// Pooled connections count too, but one of those may be idle; another Endpoint may have room.
		if other := x.backend.Pick(now, ep); other != nil {
			ep = other
		}
	}
	x.attempts++
	x.fellBack = false
	x.connect(ep, now)
}

// connect begins an attempt at an Endpoint, or goes on with it at the Pod's other address.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) connect(ep *upstream.Endpoint, now int64) {
	w := x.w
	x.endpoint = ep
	x.chosen = now
	x.connectTime = 0
	ep.Started(now)
	u, reused, short := w.Dialer.Acquire(x, ep, now)
	switch {
	case u != nil:
		x.up = u
	case ep.Full():
		ep.Finished(now, 0, upstream.Canceled)
		x.endpoint = nil
		x.Fail(failOverloaded)
		return
	case short:
		ep.Finished(now, 0, upstream.Canceled)
		x.endpoint = nil
		x.Fail(failShort)
		return
	default:
		x.AttemptFailed(FailConnect, upstream.ConnectFailed)
		return
	}
	if reused {
		w.Shard.UpstreamReuses++
	}
	if !u.Established() {
		x.expectEndpoint(x.connectTimeout())
		return
	}
	x.Send()
}

// requestForm says how a request body of that framing goes to an Endpoint.
func requestForm(from Framing, streams bool) Form {
	switch {
	case streams:
		return FormBare
	case from == FrameChunked:
		return FormSame
	case from == FrameStream:
		return FormChunks
	}
	return FormBare
}

// SpeaksHTTP2 reports whether a Backend of that protocol speaks HTTP/2.
func SpeaksHTTP2(p routing.Protocol) bool {
	return p == routing.H2C || p == routing.GRPC || p == routing.GRPCS
}

// Send gives what is held of the request to the connection of this attempt.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) Send() {
	now := x.w.Now()
	if x.attempts > 0 && !x.up.Reused() {
		x.connectTime = now - x.chosen
	}
	// A connection that failed before it took a byte leaves the request unsent, and safe to replay.
	var fail *Failure
	if x.wrote, fail = x.up.SendRequest(x); fail != nil {
		x.Fail(fail)
		return
	}
	x.ExpectResponse()
}

// AttemptFailed ends an attempt that brought no response byte, and replays the request where that
// is safe.
func (x *Core) AttemptFailed(f *Failure, outcome upstream.Outcome) {
	w := x.w
	now := w.Now()
	reused, unprocessed := false, false
	if u := x.up; u != nil {
		if outcome.Failed() && u.Provoked() {
			outcome = upstream.Canceled
		}
		x.up = nil
		reused, unprocessed = u.Reused(), u.Unprocessed()
		if reused && outcome == upstream.Reset {
			outcome = upstream.Stale
			w.Shard.UpstreamStaleConns++
			u.Stale(now)
		} else {
			u.Abandon()
		}
	}
	ep := x.endpoint
	ep.Finished(now, now-x.chosen, outcome)
	x.avoid, x.endpoint = ep, nil
	if (outcome == upstream.ConnectFailed || outcome == upstream.ConnectTimeout) && !x.fellBack {
		if other := ep.Fallback(); other != nil && !x.wrote {
			x.fellBack = true
			x.connect(other, now)
			return
		}
	}
	sent := upstream.Unsent
	switch {
	case x.streamed:
		sent = upstream.SentStreamed
	case x.wrote && !unprocessed:
		sent = upstream.SentBuffered
	}
	if x.tunnel || !upstream.MayReplay(x.method.Idempotent(), sent, false, reused, int(x.attempts), w.Settings.Attempts) {
		x.Fail(f)
		return
	}
	w.Shard.Retries++
	// A session that is lost leaves the list; what fails while it connects says nothing about those that are open.
	x.fresh = x.fresh || reused && outcome != upstream.ConnectFailed || !SpeaksHTTP2(x.protocol)
	x.attempt()
}
