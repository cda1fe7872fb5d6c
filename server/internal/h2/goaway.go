package h2

import "encoding/binary"

// goAway acts on GOAWAY: section 6.8.
func (c *Conn) goAway(h frameHeader, p []byte) {
	switch {
	case h.stream != 0:
		c.fail(errStreamNotZero)
		return
	case len(p) < 8:
		c.fail(errFrameLength)
		return
	case !c.charge(FloodSettings):
		return
	}
	last := binary.BigEndian.Uint32(p) & maxWindow
	if c.peerGone && last > c.peerLast {
		c.fail(errGoAwayRaised)
		return
	}
	c.peerGone, c.peerLast = true, last
	if c.client != nil {
		c.dropAbove(last)
	}
	c.h.GoAway(last, Code(binary.BigEndian.Uint32(p[4:])))
}

// dropAbove ends the streams that the peer has not acted on and never will.
func (c *Conn) dropAbove(last uint32) {
	for again := true; again; {
		again = false
		c.streams.all(func(s *Stream) bool {
			if s.id > last {
				again = true
				c.closeStream(s, endedByPeer)
				c.h.Reset(s, RefusedStream) // may end others: begin anew
			}
			return !again
		})
	}
}

// GoAway announces the drain of the connection: section 6.8. The first call, with final false, only
// asks the peer to open no more streams; those on their way are still taken. The second, a round trip
// later (Ping measures it), names the last one. Open streams are finished.
func (c *Conn) GoAway(final bool) {
	last := uint32(maxWindow)
	if final {
		last = min(c.lastPeer, c.goneLast)
		c.goneLast = last
	}
	c.appendGoAway(last, NoError)
}

// Gone reports whether the peer takes no more requests.
func (c *Conn) Gone() bool { return c.peerGone }

func (c *Conn) appendGoAway(last uint32, code Code) {
	c.out = appendFrameHeader(c.room(), 8, frameGoAway, 0, 0)
	c.out = binary.BigEndian.AppendUint32(c.out, min(last, c.goneLast)) // may not go up
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(code))
}
