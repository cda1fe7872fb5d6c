package server

import (
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// A downConn on a secure listener collects the ClientHello, so that a client that sends none costs no
// goroutine; shakes hands; and goes on as HTTP/1.1 or HTTP/2.

// readHello reads until the ClientHello is whole and the handshake has begun (true), or more bytes are
// needed (false).
func (c *downConn) readHello() bool {
	w := c.w
	if c.hello == nil {
		c.hello = &tlsconn.Hello{}
	}
	for {
		n, end := c.readSocket(w.scratch[:headRead])
		w.buffers.append(&c.in, w.scratch[:n])
		switch c.hello.Scan(c.in.bytes()) {
		case tlsconn.Whole:
			c.hello = nil
			if err := c.beginTLS(w.set.tls.Config(), c.remote, c, c.in.bytes()); err != nil {
				c.why = stats.ClosedOnError
				c.mute = true
				c.shut()
				return false
			}
			w.buffers.release(&c.in)
			c.phase = phaseShake
			return true
		case tlsconn.NotTLS:
			c.hello = nil
			if end && c.in.len() == 0 {
				w.shard.Refusals[stats.RefusedLeft]++
				c.shut()
				return false
			}
			w.shard.Refusals[stats.RefusedNotTLS]++
			// What nginx says too, so that people know what they did.
			w.buffers.release(&c.in)
			w.recordRefused(400, stats.ClientMalformed)
			w.respondError(c, 400, "plain HTTP was sent to an HTTPS port", false, false)
			c.closeAfter, c.why = true, stats.ClosedOnError
			c.phase = phaseHead
			return true
		case tlsconn.TooLarge:
			w.shard.Refusals[stats.RefusedHelloSize]++
			c.why = stats.ClosedOnError
			c.shut()
			return false
		}
		if end || c.broken {
			w.shard.Refusals[stats.RefusedLeft]++
			c.shut()
			return false
		}
		if n == 0 {
			return false
		}
	}
}

// Progress implements tlsconn.Owner.
func (c *downConn) Progress() { c.pump() }

// finishTLS goes on with the handshake, and returns true when the connection's first request can be read.
func (c *downConn) finishTLS() bool {
	if c.shown != nil && c.shown.pending {
		return false
	}
	if c.shaking {
		done, err := c.shake()
		switch {
		case err != nil:
			c.giveUpTLS(err)
			return false
		case !done:
			return false
		}
		if c.examine() {
			return false
		}
	}
	c.progress()
	c.rest()
	c.phase = phaseHead
	if c.tls.Protocol() == "h2" {
		c.startSession(nil)
	}
	return true
}

// giveUpTLS closes a connection whose handshake failed: why is what it is counted as.
func (c *downConn) giveUpTLS(why error) {
	c.why = stats.ClosedOnError
	c.mute = true
	if c.tls != nil {
		c.tls.Close(why)
	} else {
		c.w.shard.Refusals[stats.RefusedNoHello]++
	}
	c.shut()
}
