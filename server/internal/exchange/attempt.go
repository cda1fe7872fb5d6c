package exchange

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/upstream"
)

// firstAttempt begins the first attempt at the Backend, once there is room for the request.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) firstAttempt() {
	if x.backend.Guarded() {
		if g := x.backend.Gate(); g != nil && !x.enter(g) {
			return
		}
	}
	x.beginAttempts()
}

// beginAttempts is firstAttempt of a request that has room at the Backend.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) beginAttempts() {
	now := x.w.Now()
	if x.backend.Guarded() && x.backend.Refuses(now) {
		x.Fail(failBroken)
		return
	}
	var ep *upstream.Endpoint
	switch a := x.altered; {
	case a != nil && a.wish.IsValid():
		ep = x.attempt.Prefer(x.backend, a.wish, now)
	case a != nil && a.key.IsSet():
		ep = x.attempt.Spread(x.backend, a.key, now)
	default:
		ep = x.attempt.Begin(x.backend, now)
	}
	x.connect(ep, now)
}

// connect gets a connection for the attempt at ep, which is nil where the Backend has no Endpoint, and sends the request
// once the connection is established.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) connect(ep *upstream.Endpoint, now int64) {
	w := x.w
	x.wrote = false
	x.connectTime = 0
	if ep == nil {
		x.Fail(failNoEndpoint)
		return
	}
	u, reused, short := w.Dialer.Acquire(x, ep, now)
	for u == nil && ep.Full() {
		if ep = x.attempt.Full(now); ep == nil {
			x.Fail(failOverloaded)
			return
		}
		u, reused, short = w.Dialer.Acquire(x, ep, now)
	}
	switch {
	case u != nil:
		x.up = u
	case short:
		x.attempt.Withdraw(now)
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

// requestForm returns the Form in which a request body of Framing from goes to an Endpoint; streams says that it speaks
// HTTP/2.
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

// SpeaksHTTP2 reports whether a Backend of protocol p speaks HTTP/2. Exported for tests alone.
func SpeaksHTTP2(p routing.Protocol) bool {
	return p == routing.H2C || p == routing.GRPC || p == routing.GRPCS
}

// Send gives the part of the request that x holds to the connection of this attempt, which is established. x may have ended
// when it returns.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) Send() {
	now := x.w.Now()
	if !x.up.Reused() {
		x.connectTime = now - x.attempt.Chosen
	}
	// A connection that failed before it took a byte leaves the request unsent, and safe to replay.
	var fail *Failure
	if x.wrote, fail = x.up.SendRequest(x); fail != nil {
		x.Fail(fail)
		return
	}
	x.ExpectResponse()
}

// AttemptFailed ends an attempt that brought nothing for the client, and replays the request where that is safe; else x fails
// with f. outcome is counted for the Endpoint's Health.
func (x *Core) AttemptFailed(f *Failure, outcome upstream.Outcome) {
	w := x.w
	now := w.Now()
	max := x.tries(retryCause(f, outcome), now)
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
	carried := x.carried(unprocessed)
	carried.Reused = reused && outcome != upstream.ResponseTimeout && outcome != upstream.Malformed
	ep, again := x.attempt.Failed(now, outcome, carried, max)
	switch {
	case again:
		w.Shard.Retries++
		x.upClose = false
		// A Session that is lost leaves the list; one that fails while it connects says nothing about those that are open.
		x.fresh = x.fresh || carried.Reused && outcome != upstream.ConnectFailed || !SpeaksHTTP2(x.protocol)
	case ep == nil:
		x.Fail(f)
		return
	}
	x.reconnect(ep, now)
}

// reconnect is connect for another attempt.
func (x *Core) reconnect(ep *upstream.Endpoint, now int64) {
	w, c, serial := x.w, x.down, x.serial
	x.connect(ep, now)
	if x.serial == serial && !x.reqBody.done {
		w.Again(c) // bytes of the body may wait, whose event is spent
	}
}

// carried describes what the attempt has sent, for the decision about a replay. unprocessed says that the Endpoint has declared
// the request so.
func (x *Core) carried(unprocessed bool) (c upstream.Carried) {
	c.Idempotent = x.method.Idempotent() || x.policy.retry.on&policy.RetryNonIdempotent != 0
	switch {
	case x.streamed, x.tunnel:
		c.Sent = upstream.SentStreamed
	case x.wrote && !unprocessed:
		c.Sent = upstream.SentBuffered
	}
	return c
}
