package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// GuardClient arms the timers for whatever the Exchange now waits for.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) GuardClient() {
	c := x.down
	switch {
	case c.Pending() > 0 || (x.pipe != nil && x.pipe.Held > 0 && !x.pipeRequest):
		c.Guard(wire.WaitSend, x.SendTimeout())
	case x.awaitsBody():
		c.Guard(wire.WaitBody, x.bodyTimeout())
	default:
		c.Rest()
	}
}

// bodyTimeout is how long the client may leave its request as it is. A stream of messages may rest for as long as a
// tunnel, while none come either way. It is one where both sides are streams; that a request calls itself gRPC is
// the client's word alone, and gives it no time.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) bodyTimeout() int64 {
	if x.grpc && x.web == grpcweb.None && SpeaksHTTP2(x.protocol) && x.down.Multiplexed() {
		return x.tunnelTimeout()
	}
	return x.w.Settings.body
}

// awaitsBody reports that the client owes more of the request: all that came has been passed on. One that
// waits for 100 owes nothing before it has come: until then it is the Endpoint that takes its time.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) awaitsBody() bool {
	return !x.reqBody.done && !x.uninvited && x.up != nil && x.up.Pending() == 0 && (x.pipe == nil || x.pipe.Held == 0)
}

// awaitsClient reports that the client is the one who is waited for: for its request, or to take the response.
func (x *Core) awaitsClient() bool {
	return x.awaitsBody() || x.down.Pending() > 0 || x.pipe != nil && !x.pipeRequest && x.pipe.Held > 0
}

// ClientEnds takes note that the client has ended what it sends, and may have left: see timeouts.half_closed.
func (x *Core) ClientEnds() {
	w := x.w
	if w.Settings.halfClosed == 0 || x.leaveAt != 0 || x.tunnel {
		return
	}
	x.leaveAt = w.Now() + w.Settings.halfClosed
	if x.leaveAt < x.timer.Deadline() {
		w.Set(&x.timer, x.leaveAt)
	}
}

// expectEndpoint sets the deadline of the upstream side, timeout nanoseconds from now.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) expectEndpoint(timeout int64) {
	deadline := x.w.Now() + timeout
	if x.leaveAt != 0 {
		x.leaveAt = x.w.Now() + x.w.Settings.halfClosed
		deadline = min(deadline, x.leaveAt)
	}
	if x.edits.deadline != 0 {
		deadline = min(deadline, x.edits.deadline)
	}
	x.w.Set(&x.timer, deadline)
}

// ExpectResponse gives the Endpoint its time for the next piece of the response, which begins anew when something moves.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) ExpectResponse() { x.expectEndpoint(orElse(x.policy.read, x.w.Settings.read)) }

// connectTimeout, SendTimeout and tunnelTimeout are the Route's, or those of the configuration: nanoseconds.
func (x *Core) connectTimeout() int64 { return orElse(x.policy.connect, x.w.Settings.Connect) }
func (x *Core) SendTimeout() int64    { return orElse(x.policy.send, x.w.Settings.Send) }
func (x *Core) tunnelTimeout() int64  { return orElse(x.policy.read, x.w.Settings.Tunnel) }

// orElse is own, or standard where the Route says nothing.
func orElse(own, standard int64) int64 {
	if own != 0 {
		return own
	}
	return standard
}

// Expired implements loop.Expirer: the Endpoint, or the whole Exchange, took too long.
func (x *Core) Expired(_ *loop.Timer, now int64) {
	c := x.down
	if c == nil {
		return
	}
	switch {
	case x.edits.deadline != 0 && now >= x.edits.deadline:
		x.Fail(failRequestTimeout)
	case x.leaveAt != 0 && now >= x.leaveAt && !x.awaitsClient():
		x.Cancel(FailAborted)
	case x.parked:
		x.Fail(failInternal)
	case x.up != nil && !x.up.Established():
		x.up.TimedOut()
		x.AttemptFailed(failConnectTimeout, upstream.ConnectTimeout)
	case x.tunnel && x.ways.Parting: // looked at by pump
	case x.tunnel:
		x.Fail(failUpstreamTimeout)
	case x.awaitsClient():
		// The client is the slow one; its own timer watches it.
		x.ExpectResponse()
		return
	default:
		x.Fail(failUpstreamTimeout)
	}
	c.Pump()
}
