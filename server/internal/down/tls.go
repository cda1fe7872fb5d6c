package down

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/clientcert"
	"github.com/sluice-gateway/sluice/server/internal/clienthello"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// A Conn on a secure listener collects the ClientHello first, so that a client that sends none costs no goroutine. Its
// server name decides whether the connection is passed through, or shakes hands here and goes on as HTTP/1.1 or HTTP/2.

// readHello reads until the ClientHello is whole and the next phase has begun (true), or more bytes are needed (false).
func (c *Conn) readHello() bool {
	w := c.w
	if c.hello == nil {
		c.hello = &clienthello.Hello{}
	}
	for {
		status := clienthello.Parse(c.hello, c.In.Bytes(), clienthello.Limits{})
		switch {
		case status == clienthello.Done:
			return c.helloDone()
		case status != clienthello.Incomplete:
			c.refuseHello(status.Err())
			return true
		}
		n, end := c.ReadSocket(w.Scratch[:headRead])
		if n == 0 {
			if end || c.Broken {
				w.Shard.Refusals[stats.RefusedLeft]++
				c.shut()
			}
			return false
		}
		w.Buffers.Append(&c.In, w.Scratch[:n])
	}
}

// helloDone begins the next phase of a connection whose ClientHello is in In, and reports whether it could.
func (c *Conn) helloDone() bool {
	w := c.w
	name := string(c.hello.ServerName())
	c.hello = nil
	if s := w.Store.Load(); s != nil {
		if b, ok := s.PassthroughFor(name); ok {
			c.startPassthrough(b, name)
			return true
		}
		c.Certificate = clientcert.New(s.ClientAuthFor(name))
	}
	room, check := c.Certificate.ForHandshake()
	if err := c.AcceptTLS(w.set.tls.Config(), c.Remote, c, c.In.Bytes(), room, check); err != nil {
		c.why = stats.ClosedOnError
		c.NoCloseNotify = true
		c.shut()
		return false
	}
	w.Buffers.Release(&c.In)
	c.become(phaseShake)
	return true
}

// startPassthrough passes a connection whose ClientHello is in In to an Endpoint of b. b is nil where the Host's Backend
// does not exist.
func (c *Conn) startPassthrough(b *routing.Backend, name string) {
	w := c.w
	p := &passthrough{Sock: wire.NewSock(&w.Loop.Loop), c: c, name: name, started: w.Now()}
	p.timer.OnExpire = p
	p.Owner = p
	c.passthrough = p
	c.become(phasePassthrough)
	if b == nil {
		p.end(stats.NoEndpoint, upstream.Canceled)
		return
	}
	p.connect(p.attempt.Begin(w.Upstreams.Backend(b), w.Now()))
}

// refuseHello answers bytes that are no ClientHello, and closes: with an alert, or with an HTTP response where they look
// like plain HTTP.
func (c *Conn) refuseHello(e clienthello.Error) {
	w := c.w
	c.hello = nil
	w.Buffers.Release(&c.In)
	switch e {
	case clienthello.ErrNotTLS:
		w.Shard.Refusals[stats.RefusedNotTLS]++
	case clienthello.ErrTooLarge:
		w.Shard.Refusals[stats.RefusedHelloSize]++
	default:
		w.Shard.Refusals[stats.RefusedBadHello]++
	}
	if e == clienthello.ErrNotTLS {
		// nginx answers this mistake with the same text, which people look up.
		w.RecordRefused(400, stats.ClientMalformed)
		c.respondError(nil, 400, "plain HTTP was sent to an HTTPS port", false, false)
	} else {
		c.Write(clienthello.AppendAlert(w.out[:0], e.Alert()))
	}
	c.ends(endingUnread)
	c.why = stats.ClosedOnError
	c.become(phaseHead)
}

// Progress implements tlsconn.Owner.
func (c *Conn) Progress() { c.Pump() }

// finishTLS goes on with the handshake, and returns true when it is complete and the next phase has begun.
func (c *Conn) finishTLS() bool {
	if c.Shaking {
		done, err := c.Shake()
		switch {
		case err != nil:
			c.failTLS(err)
			return false
		case !done:
			return false
		}
		c.Suite = c.TLS.Suite()
		if c.Certificate != nil {
			c.Certificate.HandshakeEnded(c.w.Now())
		}
	}
	c.become(phaseHead)
	if c.TLS.Protocol() == "h2" {
		c.startSession(nil)
	}
	return true
}

// failTLS closes a connection whose handshake failed, and counts it by the error.
func (c *Conn) failTLS(why error) {
	c.why = stats.ClosedOnError
	c.NoCloseNotify = true
	if c.TLS != nil {
		c.TLS.Close(why)
	} else if c.phase == phaseHello {
		c.w.Shard.Refusals[stats.RefusedNoHello]++
	}
	c.shut()
}
