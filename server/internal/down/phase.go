package down

import "github.com/sluice-gateway/sluice/server/internal/wire"

// phase is the present activity of a Conn. In order of life:
//
//	accept ──┬────────────┬──► hello ──┬──► shake ──┬──► head ◄──► serve ──► linger ──► closed
//	         └──► proxy ──┤            │            └──► session ──────────► linger ──► closed
//	                      │            └──► passthrough ──────────────────────────────► closed
//	                      └──► in clear text: head, or session where that begins with HTTP/2's preface
//
// Every phase may end in closed at once. Linger lets a client read the last answer before its connection ends.
type phase uint8

const (
	phaseProxy       phase = iota // waits for, or reads, a PROXY protocol header: see proxy.go
	phaseHello                    // waits for, or reads, a ClientHello: see tls.go
	phaseShake                    // a TLS handshake is under way
	phaseHead                     // waits for, or reads, a request head
	phaseServe                    // an Exchange is under way
	phaseSession                  // HTTP/2: see Session
	phasePassthrough              // TLS that an Endpoint terminates: see passthrough
	phaseLinger                   // the last answer was sent: discards input until the client closes
	phaseClosed
)

// endKind says how a Conn goes on once the present request has ended; each value includes those before it.
type endKind uint8

const (
	endingNot           endKind = iota // it is kept for the next request
	endingAfterResponse                // no request is read after the present one
	endingUnread                       // and the client may still be sending bytes that are discarded
	endingCut                          // the response was cut: no byte may follow it
)

// become puts c into phase p, and arms the timer of a phase that has one of its own.
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
		// Behind an answer the timer guards the sending of its rest; nextHead arms it for the head.
		if before == phaseShake {
			c.Restart()
			c.Rest()
		}
	case phaseServe:
		c.Rest()
	case phaseSession: // the Session arms the timer
		c.Restart()
	case phasePassthrough: // which has a timer of its own
		c.Restart()
		c.Rest()
	case phaseLinger:
		c.Guard(wire.WaitLinger, lingerTime)
	}
}

// ends settles how c ends, unless a later value was settled before.
func (c *Conn) ends(how endKind) { c.ending = max(c.ending, how) }

// tunnels reports that c's bytes are another protocol's: those that came before its connection broke are still relayed.
func (c *Conn) tunnels() bool {
	return c.phase == phasePassthrough || c.x != nil && c.x.Tunnels()
}
