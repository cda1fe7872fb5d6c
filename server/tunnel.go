package server

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/upstream"
)

// switchProtocols makes the Exchange a tunnel: the Endpoint has accepted the Upgrade. data begins with
// the head that resp indexes; rest is what came behind it, and is the new protocol's.
func (x *Exchange) switchProtocols(resp *message.Response, data, rest []byte) {
	c, u, w := x.c, x.u, x.w
	x.headTime = w.loop.Now()
	x.status = 101
	x.headDone, x.upClose = true, true
	x.up.done, x.down.done = true, true
	x.tunnel = true
	w.shard.Tunnels++
	x.hideServer(resp)
	x.acceptWebSocket()
	x.sentBytes += int64(c.switched(x, resp, data, rest))
	// What the client sent behind its request was meant for the new protocol.
	if early := c.held(); len(early) > 0 {
		u.send(early, false)
		x.reqBytes += int64(len(early))
		c.drop(len(early))
	}
	x.await(x.timeout(x.policy.read, w.set.tunnel))
}

// pumpTunnel copies both ways. Each direction ends by itself: the end of one side's bytes becomes
// the end of the other's, and the tunnel ends when both have.
func (x *Exchange) pumpTunnel() {
	c, u := x.c, x.u
	up := x.copyTunnel(c, u, &x.reqBytes)
	down := x.copyTunnel(u, c, &x.sentBytes)
	switch {
	case c.lost() || u.lost():
		if !c.lost() {
			c.cut(x)
		}
		x.end(0, upstream.OK)
	case up && down:
		x.end(0, upstream.OK)
	}
}

// copyTunnel moves bytes from one side to the other, and reports that this direction has ended.
func (x *Exchange) copyTunnel(from, to side, count *int64) (ended bool) {
	w := x.w
	n, moved, ended, more := w.relay(from, to)
	*count += n
	if moved {
		x.await(x.timeout(x.policy.read, w.set.tunnel))
	}
	if more {
		w.loop.Again(x.c)
	}
	return ended
}
