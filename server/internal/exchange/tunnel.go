package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/upstream"
)

// SwitchProtocols makes the Exchange a tunnel: the Endpoint has accepted the Upgrade. data begins with
// the head that resp indexes; rest is what came behind it, and is the new protocol's.
func (x *Core) SwitchProtocols(resp *message.Response, data, rest []byte) {
	c, u, w := x.down, x.up, x.w
	x.hideServer(resp)
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
	// What the client sent behind its request was meant for the new protocol.
	if early := c.Held(); len(early) > 0 {
		u.Send(early, false)
		x.reqBytes += int64(len(early))
		c.Drop(len(early))
	}
	x.expectEndpoint(x.tunnelTimeout())
}

// pumpTunnel copies both ways, until both have ended or one side has broken: see ways.
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

// endTunnel closes both sides. Who was not told the other's end sees its break as one, and not as an end.
func (x *Core) endTunnel() {
	c, u := x.down, x.up
	if x.ways.Resets(u, c, x.ways.DownEnded) {
		c.Cut(x)
	}
	if x.ways.Resets(c, u, x.ways.UpEnded) {
		u.BreakOff()
	}
	if c.Deaf() && !u.Deaf() && !x.ways.UpEnded {
		x.end(FailAborted.reason, upstream.Canceled)
		return
	}
	x.end(0, upstream.OK)
}
