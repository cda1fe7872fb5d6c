package down

import "github.com/sluice-gateway/sluice/server/internal/wire"

// phase is what a Conn does. In order of life:
//
//	accept ──┬────────────┬──► hello ──┬──► shake ──┬──► head ◄──► serve ──► linger ──► closed
//	         └──► proxy ──┤            │            └──► session ──────────► linger ──► closed
//	                      │            └──► passthrough ──────────────────────────────► closed
//	                      └──► in clear text: head, or session where that begins with HTTP/2's preface
//
// Every phase may end in closed at once; linger is for clients that are to read an answer before their connection ends.
type phase uint8

const (
	phaseProxy       phase = iota // waits for, or reads, a PROXY protocol header: see downproxy.go
	phaseHello                    // waits for, or reads, a ClientHello: see downtls.go
	phaseShake                    // a TLS handshake, and what has to be known before the first request
	phaseHead                     // waits for, or reads, a request head
	phaseServe                    // an Exchange is under way
	phaseSession                  // HTTP/2: see Session
	phasePassthrough              // TLS for an Endpoint: see passthrough
	phaseLinger                   // answered for the last time: discards input until the client closes
	phaseClosed
)

// endKind is whether and how a Conn ends once what is under way has ended; each includes those before it.
type endKind uint8

const (
	endingNot           endKind = iota // it is kept for the next request
	endingAfterResponse                // no request is read after the present one
	endingUnread                       // and the client may still be sending what is not going to be read
	endingCut                          // the response was cut: nothing may follow it
)

// become has c go on with phase p, and begins the timer of a phase that has one for itself.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) become(p phase) {
	before := c.phase
	c.phase = p
	switch p {
	case phaseProxy:
		c.Guard(wire.WaitProxy, c.w.set.proxy)
	case phaseHello:
		c.Restart()
		c.Guard(wire.WaitHandshake, c.w.set.handshake)
	case phaseShake: // in the time that phaseHello began
	case phaseHead:
		// Behind an answer, the rest of that has its time already; nextHead begins that of the head.
		if before == phaseShake {
			c.Restart()
			c.Rest()
		}
	case phaseServe:
		c.Rest()
	case phaseSession: // the session arms the timer by what it waits for
		c.Restart()
	case phasePassthrough: // which has a timer of its own
		c.Restart()
		c.Rest()
	case phaseLinger:
		c.Guard(wire.WaitLinger, lingerTime)
	}
}

// ends has c end in this way, or in the worse one that was decided before.
func (c *Conn) ends(how endKind) { c.ending = max(c.ending, how) }

// tunnels reports that c's bytes are another protocol's: what came before its connection broke is still passed on.
func (c *Conn) tunnels() bool {
	return c.phase == phasePassthrough || c.x != nil && c.x.Tunnels()
}
