package down

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Conn is a client's connection, whose phase tells what is spoken on it. It belongs to the loop that accepted it, which
// pools it; an idle one holds no buffer.
type Conn struct {
	wire.Sock
	w *Loop
	exchange.Client
	wire.WaitTimer

	next, prev *Conn  // the loop's list of all its connections
	share      *share // nil: of no Source
	// older and younger are its neighbours in the list of share.
	older, younger *Conn

	// The phase, set by become, and the state of the present one, set by the function that starts it:
	hello       *clienthello.Hello // phaseHello, once a byte came
	x           *exchange.Core     // phaseServe
	session     *Session           // phaseSession
	passthrough *passthrough       // phasePassthrough
	phase       phase

	// How it ends, set by the event that settles it:
	ending endKind
	why    stats.Close // the reason that it is counted under

	// Set by reads:
	partial  bool   // In holds the start of a head, which was parsed and is not complete
	requests uint32 // that began
	lingered int32  // bytes that were discarded

	// Set by watch:
	watched bool // the loop reports events
}

// headRead is how much one read takes while a head is expected, bytes. It bounds the memory that an idle connection takes
// for pipelined requests.
const headRead = 16 << 10

// headRounds bounds how many requests in a row are answered without waiting for an Endpoint before other connections have
// their turn: a client can pipeline requests as fast as they are refused.
const headRounds = 16

// lingerFlood is lingerBytes for a client that floods: it may not get to read the answer.
const lingerFlood = 64 << 10

// lingerBytes and lingerTime bound the input that is discarded after the last answer, so that the client gets to read the
// answer before the close can turn into a reset (RFC 9112 section 9.6).
const (
	lingerBytes = 16 << 20
	lingerTime  = int64(2e9)
)

// Exchange is the Exchange that is under way on a connection of HTTP/1.1; nil: none is. Tests alone need it.
func (c *Conn) Exchange() *exchange.Core { return c.x }

// startProtocol begins the first phase behind a PROXY protocol header: TLS, or HTTP in clear text.
func (c *Conn) startProtocol() {
	if c.Listener.TLS {
		c.become(phaseHello)
	} else {
		c.become(phaseHead)
	}
}

// Ready implements loop.Handler.
func (c *Conn) Ready(ev loop.Events) {
	c.Note(ev)
	if ev&loop.Closed != 0 && !c.tunnels() && c.phase != phaseShake {
		// Both directions are shut: no answer can arrive.
		c.Broken = true
	}
	if ev&loop.ReadClosed != 0 && c.x != nil {
		c.x.ClientHalfClosed()
	}
	c.Pump()
}

// Pump implements exchange.Down: it goes on with c until it has to wait, and then has the loop report the events of c.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) Pump() {
	c.drive()
	if c.watched || c.phase == phaseClosed {
		return
	}
	if c.oneShot() {
		c.Guard(wire.WaitWatch, watchDelay)
		return
	}
	c.watch()
}

// watchDelay is how long a connection of one request goes without events, nanoseconds, see oneShot: until then a client that
// leaves goes unnoticed.
const watchDelay = int64(50e6)

// oneShot reports that the request is whole and that the connection ends behind the answer. Such a connection seldom waits
// for its client, so events are asked for only after watchDelay: that saves most of them a system call and an event, about
// twenty microseconds.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) oneShot() bool {
	return c.phase == phaseServe && c.x.LastOfConnection() && c.Out.Len() == 0
}

// watch registers c for the events of its socket.
func (c *Conn) watch() {
	c.watched = true
	if err := c.w.Watch(&c.Src); err != nil {
		c.Broken = true
		c.drive()
	}
}

// drive takes steps until c has to wait.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) drive() {
	for heads := 0; c.step(heads); {
		if c.phase == phaseHead {
			heads++
		}
	}
}

// step goes on with the phase of c, and reports whether to take another step at once: most often another phase has begun.
// heads counts the heads that may have begun in a row.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) step(heads int) bool {
	switch c.phase {
	case phaseProxy:
		return c.readProxy()
	case phaseHello:
		return c.readHello()
	case phaseShake:
		return c.finishTLS()
	case phaseHead:
		return !c.closeBroken() && c.nextHead(heads)
	case phaseServe:
		if c.closeBroken() {
			return false
		}
		x := c.x
		x.Pump()
		return c.x != x && c.phase != phaseServe
	case phaseSession:
		c.session.pump()
	case phasePassthrough:
		c.passthrough.pump()
	case phaseLinger:
		if !c.closeBroken() {
			c.discard()
		}
	}
	return false
}

// closeBroken closes a connection that has broken, and reports whether it did. A tunnel handles a break by itself.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) closeBroken() bool {
	if !c.Broken || c.tunnels() {
		return false
	}
	c.why = stats.ClosedReset
	if c.x != nil {
		c.x.Cancel(exchange.FailAborted)
	}
	c.shut()
	return true
}

// nextHead flushes the rest of an answer, and then reads a head, or lingers where no further request is to be read.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) nextHead(heads int) bool {
	if before := c.Out.Len(); !c.Flush() {
		if c.Out.Len() < before {
			c.Restart()
		}
		c.Guard(wire.WaitSend, c.w.Settings.Send)
		return false
	}
	if c.ending != endingNot {
		c.linger()
		return true
	}
	if heads >= headRounds {
		c.w.Again(c)
		return false
	}
	return c.readHead()
}

// readHead reads and parses until a request has begun (true) or more bytes are needed (false).
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) readHead() bool {
	w := c.w
	data := c.In.Bytes()
	if len(data) == 0 {
		n := c.Read(w.Scratch[:headRead])
		if n == 0 {
			return c.headEnds()
		}
		data = w.Scratch[:n]
	}
	for {
		if !c.partial {
			w.req.Reset()
			status := h1.ParseRequest(&w.req, data, w.set.limits)
			switch {
			case status == h1.Done:
				return c.startExchange(data)
			case status.Err() == h1.ErrHTTP2Preface && c.requests == 0 && w.set.http2:
				c.startSession(data)
				return true
			case status != h1.Incomplete:
				c.refuseHead(status.Err())
				return true
			}
			if c.In.Len() == 0 {
				w.Buffers.Append(&c.In, data)
				c.ackPiece()
			}
			c.partial = true
		}
		// The head is parsed again only once another line is complete, so that a client that sends byte by byte costs at
		// most one parse per field.
		for line := false; !line && c.In.Len() < w.set.limits.MaxHead; {
			n := c.Read(w.Scratch[:headRead])
			if n == 0 {
				if c.EOF || c.Broken {
					c.shut()
					return true
				}
				c.Guard(wire.WaitHead, w.set.header)
				return false
			}
			w.Buffers.Append(&c.In, w.Scratch[:n])
			line = bytes.IndexByte(w.Scratch[:n], '\n') >= 0
		}
		data = c.In.Bytes()
		c.partial = false
	}
}

// headEnds handles a read that brought no byte of a next request, and reports whether c has closed.
func (c *Conn) headEnds() bool {
	switch {
	case c.EOF || c.Broken:
		c.shut()
		return true
	case c.w.draining:
		c.Guard(wire.WaitIdle, IdleGrace)
	case c.requests == 0:
		c.Guard(wire.WaitHead, c.w.set.header)
	default:
		c.Guard(wire.WaitIdle, c.w.set.idle)
	}
	return false
}

// startExchange starts the Exchange of the request that w.req holds; data begins with its head.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) startExchange(data []byte) bool {
	w := c.w
	from := exchange.FrameNone
	switch {
	case w.req.Chunked:
		from = exchange.FrameChunked
	case w.req.ContentLength > 0:
		from = exchange.FrameLength
	}
	head := data[:w.req.HeadLen]
	rest := data[w.req.HeadLen:]
	x := w.NewExchange(c, &w.req.Request, head, from)
	c.x = x
	c.become(phaseServe)
	if c.PeerClosed {
		x.ClientHalfClosed()
	}
	fromIn := c.In.Len() > 0
	n, fail := x.TakeEarly(rest)
	early, next := rest[:n], rest[n:]
	if !x.RequestDone() {
		c.ackPiece()
	}
	c.requests++
	if fromIn {
		// head and early alias the memory of In, which now keeps only the bytes behind them.
		kept := c.In
		c.In = wire.Buffer{}
		w.Buffers.Append(&c.In, next)
		x.Start(&w.req.Request, head, early, fail)
		w.Buffers.Release(&kept)
	} else {
		w.Buffers.Append(&c.In, next)
		x.Start(&w.req.Request, head, early, fail)
	}
	return true
}

// ackPiece has the first bytes of a connection acknowledged where they are a piece of a request: see Loop.NewListener.
func (c *Conn) ackPiece() {
	if c.requests == 0 && c.TLS == nil {
		c.AckAtOnce()
	}
}

// refuseHead answers a head that does not parse, and closes: the start of the next request is not known.
func (c *Conn) refuseHead(e h1.Error) {
	status := e.HTTPStatus()
	reason := stats.ClientMalformed
	if status == 431 || status == 414 {
		reason = stats.HeaderTooLarge
	}
	c.w.RecordRefused(status, reason)
	c.w.Buffers.Release(&c.In)
	c.respondError(nil, status, e.Reason(), false, false)
	c.why = stats.ClosedOnError
}

// Served implements exchange.Down: the response is handed over. In a drain the connection goes on, unless the response's
// head has announced its close: the client's next request may be on its way. A connection whose request is not complete is
// not read from again.
func (c *Conn) Served(x *exchange.Core) {
	c.x = nil
	c.become(phaseHead)
	if !x.RequestDone() {
		c.ends(endingUnread)
	}
	if x.Tunnels() {
		c.why = stats.ClosedTunnel
		c.shut()
	} else if c.ending == endingCut {
		if c.why == stats.ClosedByClient {
			c.why = stats.ClosedOnError
		}
		c.shut()
	}
}

// Guard implements exchange.Down.
func (c *Conn) Guard(what wire.Wait, timeout int64) {
	c.WaitTimer.Guard(&c.w.Loop.Loop, what, timeout)
}

// Expired implements loop.Expirer.
func (c *Conn) Expired(*loop.Timer, int64) {
	wait := c.Wait
	c.Wait = wire.WaitNothing
	if wait == wire.WaitWatch {
		c.watch()
		return
	}
	c.why = stats.ClosedOnError
	switch wait {
	case wire.WaitHead:
		if c.In.Len() > 0 {
			c.w.RecordRefused(408, stats.HeaderTimeout)
			c.respondError(nil, 408, "the request head did not arrive in time", false, false)
		}
		c.shut()
	case wire.WaitBody:
		if c.x != nil {
			c.x.Fail(exchange.FailBodyTimeout)
			c.Pump()
		}
	case wire.WaitSend:
		// The reset frees the bytes that the kernel holds for this client.
		c.Reset()
		if c.x != nil {
			c.x.Cancel(exchange.FailStalled)
		}
		c.shut()
	case wire.WaitHandshake:
		c.failTLS(tlsconn.ErrTimeout)
	case wire.WaitProxy:
		c.refuseProxy(stats.ProxyTimeout)
	case wire.WaitIdle:
		c.why = stats.ClosedIdle
		if c.w.draining {
			c.why = stats.ClosedDraining
		}
		if c.session != nil {
			c.session.sendGoAway()
			return
		}
		c.shut()
	case wire.WaitLinger:
		c.why = stats.ClosedAfterResponse
		c.shut()
	}
}

// linger shuts the write side and begins phaseLinger; it closes at once where the client has nothing more to send.
func (c *Conn) linger() {
	if c.why == stats.ClosedByClient {
		c.why = stats.ClosedAfterResponse
	}
	c.w.Buffers.Release(&c.In)
	if c.EOF || !c.Readable && c.ending < endingUnread {
		c.shut()
		return
	}
	c.ShutWrite()
	c.become(phaseLinger)
}

// discard drains the socket before close. It does not decrypt TLS, or a flood could buy CPU.
func (c *Conn) discard() {
	c.Flush() // close_notify, where it had to wait
	for range wire.Rounds {
		n, end := c.ReadSocket(c.w.Scratch)
		if n == 0 {
			if end || c.EOF || c.Broken {
				c.shut()
			}
			return
		}
		if c.lingered += int32(n); c.lingered > lingerBytes {
			c.shut()
			return
		}
	}
	c.w.Again(c)
}

// shut closes the connection. The loop pools it when the batch is over.
func (c *Conn) shut() {
	if c.phase == phaseClosed {
		return
	}
	if s := c.session; s != nil {
		s.teardown()
	}
	c.become(phaseClosed)
	c.Close()
	c.w.Unlink(&c.Timer)
	c.w.forget(c)
}
