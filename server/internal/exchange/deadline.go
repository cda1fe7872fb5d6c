package exchange

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// GuardClient arms the timer of the client's side where the Exchange waits for the client, and stops it otherwise.
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

// bodyTimeout is how long the client may send nothing of its request's body, nanoseconds. A gRPC stream of messages, which
// may be silent both ways, has the time of a tunnel. Both sides have to be streams for that: the media type alone, which any
// client can send, gives no time.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) bodyTimeout() int64 {
	if x.grpc && x.web == grpcweb.None && SpeaksHTTP2(x.protocol) && x.down.Multiplexed() {
		return x.tunnelTimeout()
	}
	return x.w.Settings.body
}

// awaitsBody reports that the Exchange waits for more of the request's body: all of it that came was passed on. Before a
// client that expects 100 was sent one, the Exchange waits for the Endpoint.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) awaitsBody() bool {
	if x.parked {
		return x.gathers()
	}
	return !x.reqBody.done && !x.awaits100 && x.up != nil && x.up.Pending() == 0 && (x.pipe == nil || x.pipe.Held == 0)
}

// awaitsClient reports that the Exchange waits for the client: to send its request, or to take the response.
func (x *Core) awaitsClient() bool {
	return x.awaitsBody() || x.down.Pending() > 0 || x.pipe != nil && !x.pipeRequest && x.pipe.Held > 0
}

// ClientHalfClosed notes that the client has shut its sending direction. It may have left: after timeouts.half_closed
// without progress it is taken to have.
func (x *Core) ClientHalfClosed() {
	w := x.w
	if w.Settings.halfClosed == 0 || x.leaveAt != 0 || x.tunnel {
		return
	}
	x.leaveAt = w.Now() + w.Settings.halfClosed
	if x.leaveAt < x.timer.Deadline() {
		w.Set(&x.timer, x.leaveAt)
	}
}

// expectEndpoint sets the deadline of the Endpoint's side, timeout nanoseconds from now, or at an earlier deadline of x.
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

// ExpectResponse restarts the Endpoint's timeout for the next piece of the response. It is called whenever bytes move.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) ExpectResponse() { x.expectEndpoint(orElse(x.policy.read, x.w.Settings.read)) }

// connectTimeout and tunnelTimeout are nanoseconds, of the Route's Policy or else of the configuration.
func (x *Core) connectTimeout() int64 { return orElse(x.policy.connect, x.w.Settings.Connect) }
func (x *Core) tunnelTimeout() int64  { return orElse(x.policy.read, x.w.Settings.Tunnel) }

// SendTimeout is how long a client may take nothing of the response, nanoseconds: of the Route's Policy, or else of the
// configuration.
func (x *Core) SendTimeout() int64 { return orElse(x.policy.send, x.w.Settings.Send) }

// orElse returns own, or standard where own is 0: the Policy sets nothing.
func orElse(own, standard int64) int64 {
	if own != 0 {
		return own
	}
	return standard
}

// Expired implements loop.Expirer: the Endpoint, a half-closed client, a parked Filter or the whole Exchange took too long.
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
	case x.gathers(): // the timer of the client's side watches it
		if x.edits.deadline != 0 {
			x.w.Set(&x.timer, x.edits.deadline)
		}
		return
	case x.parked:
		x.Fail(failInternal)
	case x.waits():
		x.Fail(failBusy)
	case x.up != nil && !x.up.Established():
		x.up.TimedOut()
		x.AttemptFailed(failConnectTimeout, upstream.ConnectTimeout)
	case x.tunnel && x.ways.Parting: // Pump asks the kernel how much is acknowledged
	case x.tunnel:
		x.Fail(failUpstreamTimeout)
	case x.awaitsClient():
		// The client is slow, not the Endpoint; the timer of its side watches it.
		x.ExpectResponse()
		return
	case x.mayRetry(policy.RetryTimeout):
		x.AttemptFailed(failUpstreamTimeout, upstream.ResponseTimeout)
	default:
		x.Fail(failUpstreamTimeout)
	}
	c.Pump()
}
