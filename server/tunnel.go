package server

import (
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// switchProtocols makes the Exchange a tunnel: the Endpoint has answered 101. data begins with the
// head in w.resp; what follows it is the new protocol's.
func (x *Exchange) switchProtocols(data []byte) {
	c, u, w := x.c, x.u, x.w
	x.headTime = w.loop.Now()
	x.status = 101
	x.headDone, x.upClose = true, true
	x.requestDone, x.respDone = true, true
	x.tunnel, c.tunnel = true, true
	c.closeAfter = true
	c.timer.Stop()
	c.progress()
	w.shard.Tunnels++
	w.out = appendSwitchHead(w.out[:0], &w.resp.Response, data)
	rest := data[w.resp.HeadLen:]
	x.sentBytes += int64(len(w.out) + len(rest))
	c.write2(w.out, rest)
	w.buffers.release(&u.in)
	// What the client sent behind its request was meant for the new protocol.
	if early := c.in.len(); early > 0 {
		u.write(c.in.bytes())
		x.reqBytes += int64(early)
		w.buffers.release(&c.in)
	}
	x.await(x.timeout(x.policy.read, w.set.read))
}

// pumpTunnel copies both ways. Each direction ends by itself: the end of one side's bytes becomes
// the end of the other's, and the tunnel ends when both have.
func (x *Exchange) pumpTunnel() {
	c, u := x.c, x.u
	up := x.copyTunnel(&c.sock, &u.sock, &x.reqBytes)
	down := x.copyTunnel(&u.sock, &c.sock, &x.sentBytes)
	switch {
	case c.broken || u.broken:
		if c.broken != u.broken && !c.broken {
			c.flush()
			c.reset()
		}
		x.finishTunnel()
	case up && down:
		x.finishTunnel()
	}
}

func (x *Exchange) finishTunnel() {
	c := x.c
	x.end(0, upstream.OK)
	c.why = stats.ClosedTunnel
	c.shut()
}

// copyTunnel moves bytes from one side to the other, and reports that this direction has ended.
func (x *Exchange) copyTunnel(from, to *sock, count *int64) (ended bool) {
	w := x.w
	for round := 0; ; round++ {
		if !to.flush() {
			return false
		}
		if from.eof {
			_ = syscall.Shutdown(to.src.FD(), syscall.SHUT_WR)
			return true
		}
		if round == rounds {
			w.loop.Again(x.c)
			return false
		}
		n := from.read(w.scratch)
		if n == 0 {
			if from.eof {
				continue
			}
			return false
		}
		*count += int64(n)
		x.await(x.timeout(x.policy.read, w.set.read))
		to.write(w.scratch[:n])
		if to.broken {
			return true
		}
	}
}
