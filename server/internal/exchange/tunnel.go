package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/upstream"
)

// SwitchProtocols makes the Exchange a tunnel: the Endpoint has accepted the Upgrade. data begins with the head that resp
// indexes; rest holds the bytes behind it, which are the new protocol's. x may have ended when it returns.
func (x *Core) SwitchProtocols(resp *message.Response, data, rest []byte) {
	c, u, w := x.down, x.up, x.w
	x.hide(resp, data)
	if !x.runResponse(resp, data) {
		return
	}
	x.headTime = w.Now()
	x.status = 101
	x.headDone, x.upClose = true, true
	x.reqBody.done, x.respBody.done = true, true
	x.tunnel = true
	x.leaveAt = 0
	w.Shard.Tunnels++
	x.acceptWebSocket()
	x.sentBytes += int64(c.SwitchTo(x, resp, data, rest))
	// Bytes that the client has sent behind its request are the new protocol's.
	if early := c.Held(); len(early) > 0 {
		u.Send(early, false)
		x.reqBytes += int64(len(early))
		c.Drop(len(early))
	}
	x.expectEndpoint(x.tunnelTimeout())
}

// pumpTunnel copies both ways, until both have ended or one side has broken: see wire.Ways.
func (x *Core) pumpTunnel() {
	c, u, w := x.down, x.up, x.w
	up, down, moved, more := x.ways.Relay(&w.Loop, c, u)
	x.reqBytes += up
	x.sentBytes += down
	switch {
	case x.ways.Over(w.Now(), x.SendTimeout(), more, c, u):
		x.endTunnel()
		return
	case x.ways.Parting:
		x.expectEndpoint(x.ways.Look)
	case moved:
		x.expectEndpoint(x.tunnelTimeout())
	}
	if more {
		w.Again(c)
	}
}

// endTunnel closes both sides. A peer that was not sent the end of the other's bytes is sent a reset.
func (x *Core) endTunnel() {
	c, u := x.down, x.up
	if x.ways.Resets(u, c, x.ways.DownEnded) {
		c.Cut(x)
	}
	if x.ways.Resets(c, u, x.ways.UpEnded) {
		u.BreakOff()
	}
	if c.WriteBroken() && !u.WriteBroken() && !x.ways.UpEnded {
		x.end(FailAborted.reason, upstream.Canceled)
		return
	}
	x.end(0, upstream.OK)
}
