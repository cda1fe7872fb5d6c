package h2

import (
	"encoding/binary"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// headerBlock is a header block that goes over several frames: RFC 9113 section 4.3.
type headerBlock struct {
	active bool
	header frameHeader // of the HEADERS frame
	self   bool        // it made its stream depend on itself
	buf    []byte
}

// headers acts on HEADERS: section 6.2.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) headers(h frameHeader, p []byte) {
	if h.stream == 0 {
		c.fail(errStreamZero)
		return
	}
	if h.has(flagPadded) {
		if len(p) == 0 {
			c.fail(errFrameLength)
			return
		}
		pad := int(p[0])
		if p = p[1:]; pad > len(p) {
			c.fail(errPadding)
			return
		}
		p = p[:len(p)-pad]
	}
	self := false
	if h.has(flagPriority) {
		if len(p) < 5 {
			c.fail(errFrameLength)
			return
		}
		self = binary.BigEndian.Uint32(p)&maxWindow == h.stream
		p = p[5:]
	}
	if h.has(flagEndHeaders) {
		c.headerBlock(h, p, self)
		return
	}
	if !c.charge(FloodContinuation) {
		return
	}
	c.block = headerBlock{active: true, header: h, self: self, buf: append(c.shared.buffer(len(p)), p...)}
}

// continuation acts on CONTINUATION: section 6.10. begin has compared the stream.
func (c *Conn) continuation(h frameHeader, p []byte) {
	if !c.block.active {
		c.fail(errContinuation)
		return
	}
	if !c.charge(FloodContinuation) {
		return
	}
	// A block is decoded in one piece, and to skip one would lose the dynamic table. What comes to more
	// than twice the limit that the peer was told is no accident.
	b := &c.block
	if len(b.buf)+len(p) > max(2*c.shared.config.MaxHead, 2*maxFrame) {
		c.fail(floodErrors[FloodContinuation])
		return
	}
	b.buf = append(b.buf, p...)
	if h.has(flagEndHeaders) {
		done := *b
		*b = headerBlock{}
		c.headerBlock(done.header, done.buf, done.self)
		c.shared.freeBuffer(done.buf)
	}
}

// headerBlock acts on a complete header block. Whatever becomes of it, it must be decoded, because
// it may have changed the dynamic table.
func (c *Conn) headerBlock(h frameHeader, p []byte, self bool) {
	s := c.streams.get(h.stream)
	end := h.has(flagEndStream)
	switch {
	case s == nil && c.server == nil:
		if c.idle(h.stream) {
			c.fail(errIdleStream)
			return
		}
		if c.charge(FloodClosed) { // the answer to what we have cancelled
			c.decodeNothing(p)
		}
	case s == nil && h.stream <= c.lastPeer:
		c.closedHeaders(h.stream, p)
	case s == nil:
		if h.stream&1 == 0 {
			c.fail(errStreamID)
			return
		}
		c.openStream(h.stream, p, end, self)
	case s.recvEnded:
		if c.decodeNothing(p) {
			c.streamFault(s, FaultStreamClosed)
		}
	case self:
		if c.decodeNothing(p) {
			c.streamFault(s, FaultSelfDependency)
		}
	case s.recvHead:
		c.trailers(s, p, end)
	default:
		c.response(s, p, end)
	}
}

// closedHeaders judges HEADERS of a client on a stream that is not open any more.
func (c *Conn) closedHeaders(id uint32, p []byte) {
	how := c.past.find(id)
	if id > c.goneLast {
		how = endedByUs // section 6.8: ignored
	}
	switch how {
	case endedBoth:
		c.fail(errHeadersClosed)
	case endedByUs:
		if c.charge(FloodClosed) {
			c.decodeNothing(p)
		}
	case endedByPeer:
		if c.decodeNothing(p) {
			c.refuse(id, FaultStreamClosed)
		}
	default:
		c.fail(errStreamID)
	}
}

// openStream takes a client's request.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) openStream(id uint32, p []byte, end, self bool) {
	c.lastPeer = id
	config := &c.shared.config
	switch {
	case id > c.goneLast:
		c.decodeNothing(p) // section 6.8: ignored
		return
	case c.streams.n >= int(config.MaxStreams), c.live >= 2*int(config.MaxStreams):
		if c.decodeNothing(p) {
			c.refuseNew(id, FaultRefused)
		}
		return
	}
	a := &c.shared.heads
	if !a.request(c, p, end) {
		return
	}
	if self && a.fault.HTTPStatus() == 0 {
		a.fault = FaultSelfDependency
	}
	if a.fault != FaultNone && a.fault.HTTPStatus() == 0 {
		c.refuseNew(id, a.fault)
		return
	}
	s := c.newStream(id)
	s.recvHead = true
	s.recvEnded = end
	s.method = a.req.Method
	s.extended = a.req.Extended
	s.left = -1
	if a.fault != FaultNone {
		s.discard = true
		c.server.Fault(s, a.fault)
		return
	}
	if a.req.HasBody {
		s.left = a.req.ContentLength
	} else if a.req.ContentLength == 0 && !a.req.Extended && a.req.Method != message.MethodConnect {
		s.left = 0
	}
	c.server.Request(s, &a.req, a.arena, end)
}

// response takes a server's head.
//
// hot: runs per response; no alloc, no lock.
func (c *Conn) response(s *Stream, p []byte, end bool) {
	a := &c.shared.heads
	if !a.response(c, s, p, end) {
		return
	}
	if a.fault != FaultNone {
		c.streamFault(s, a.fault)
		return
	}
	resp := &a.resp
	if resp.Code >= 200 || resp.Code == 101 {
		s.recvHead = true
		s.left = resp.ContentLength
		if resp.Code != 101 && resp.BodyKind(s.method) == message.BodyNone {
			s.left = 0
		}
	}
	if end {
		c.endReceiving(s)
	}
	c.client.Response(s, resp, a.arena, end)
}

// trailers takes a trailer section: section 8.1.
func (c *Conn) trailers(s *Stream, p []byte, end bool) {
	a := &c.shared.heads
	if !a.trailerSection(c, p) {
		return
	}
	switch {
	case !end:
		a.fault = FaultTrailers
	case a.fault == FaultNone && s.left > 0:
		a.fault = FaultLengthMismatch
	}
	if a.fault != FaultNone {
		c.streamFault(s, a.fault)
		return
	}
	c.endReceiving(s)
	if !s.discard {
		c.h.Trailers(s, &a.trailer, a.arena)
	}
}

// decodeNothing keeps the dynamic table in step with a header block that nobody wants.
func (c *Conn) decodeNothing(p []byte) bool { return c.shared.heads.nothing(c, p) }

// idle reports whether a stream was never opened.
func (c *Conn) idle(id uint32) bool {
	if c.server != nil {
		return id&1 == 0 || id > c.lastPeer
	}
	return id&1 == 0 || id >= c.nextID
}

func (c *Conn) newStream(id uint32) *Stream {
	s := c.shared.newStream()
	s.id = id
	s.sendOpen = c.peerWindow
	s.recvOpen = int32(c.shared.config.StreamWindow)
	c.live++
	c.streams.add(s)
	return s
}

// closeStream takes a stream out of the table. It is the handler's until it is released.
func (c *Conn) closeStream(s *Stream, how uint32) {
	s.closed = true
	s.starved = false
	c.queue.remove(s)
	c.streams.remove(s)
	c.past.add(s.id, how)
	if c.data.s == s {
		c.data.s = nil
	}
	c.free(s)
}

// free gives a stream that is closed and released back.
func (c *Conn) free(s *Stream) {
	if s.closed && s.released {
		c.live--
		if s.held > 0 {
			c.consumed(s.held)
		}
		c.shared.freeStream(s)
	}
}

// Release ends the handler's use of a stream. One that has not ended is reset: with NO_ERROR where the
// response is complete and the rest of the request is of no use (section 8.1), else with CANCEL.
func (c *Conn) Release(s *Stream) {
	if s.released {
		panic("BUG: h2: stream released twice")
	}
	s.released = true
	s.Owner = nil
	switch {
	case s.closed:
		c.free(s)
	case c.server != nil && s.sendEnded:
		c.reset(s, NoError)
	default:
		c.reset(s, Cancel)
	}
}

// Reset ends a stream with RST_STREAM. It is still to be released.
func (c *Conn) Reset(s *Stream, code Code) {
	if !s.closed {
		c.reset(s, code)
	}
}

func (c *Conn) reset(s *Stream, code Code) {
	if c.err == nil {
		c.out = appendWord(c.room(), frameResetStream, s.id, uint32(code))
	}
	c.closeStream(s, endedByUs)
}

// streamFault resets a stream for what the peer did, and tells the handler.
func (c *Conn) streamFault(s *Stream, f Fault) {
	if !c.charge(FloodFault) || !c.reply() {
		return
	}
	c.reset(s, f.Code())
	c.h.Fault(s, f)
}

// refuse resets a stream that the handler does not know.
func (c *Conn) refuse(id uint32, f Fault) bool {
	if !c.charge(FloodFault) || !c.reply() {
		return false
	}
	c.out = appendWord(c.out, frameResetStream, id, uint32(f.Code()))
	return true
}

// refuseNew resets a stream that has just been opened.
func (c *Conn) refuseNew(id uint32, f Fault) {
	if c.refuse(id, f) {
		c.past.add(id, endedByUs)
		c.h.Fault(nil, f)
	}
}

// resetStream acts on RST_STREAM: section 6.4.
func (c *Conn) resetStream(h frameHeader, p []byte) {
	switch {
	case h.stream == 0:
		c.fail(errStreamZero)
		return
	case len(p) != 4:
		c.fail(errFrameLength)
		return
	case c.idle(h.stream):
		c.fail(errIdleStream)
		return
	}
	s := c.streams.get(h.stream)
	if s == nil {
		c.charge(FloodClosed)
		return
	}
	if c.server != nil && !s.sendEnded && !c.charge(FloodReset) {
		return
	}
	c.closeStream(s, endedByPeer)
	c.h.Reset(s, Code(binary.BigEndian.Uint32(p)))
}

// priority acts on PRIORITY: section 6.3. Priorities of RFC 7540 are not followed.
func (c *Conn) priority(h frameHeader, p []byte) {
	if h.stream == 0 {
		c.fail(errStreamZero)
		return
	}
	if !c.charge(FloodPriority) {
		return
	}
	f := FaultNone
	switch {
	case len(p) != 5:
		f = FaultFrameLength
	case binary.BigEndian.Uint32(p)&maxWindow == h.stream:
		f = FaultSelfDependency
	default:
		return
	}
	if s := c.streams.get(h.stream); s != nil {
		c.streamFault(s, f)
	} else {
		c.refuse(h.stream, f)
	}
}

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
				c.h.Reset(s, RefusedStream) // which may end others: begin anew
			}
			return !again
		})
	}
}

// GoAway tells the peer that the connection is drained: section 6.8. The first call, with final
// false, only asks it to open no more streams; those that are on their way are still taken. The second,
// a round trip later (Ping tells), says which is the last one. What was opened is finished.
func (c *Conn) GoAway(final bool) {
	last := uint32(maxWindow)
	if final {
		last = min(c.lastPeer, c.goneLast)
		c.goneLast = last
	}
	c.appendGoAway(last, NoError)
}

// Open returns the number of streams that have not ended.
func (c *Conn) Open() int { return c.streams.n }

// Gone reports whether the peer takes no more requests.
func (c *Conn) Gone() bool { return c.peerGone }

func (c *Conn) appendGoAway(last uint32, code Code) {
	c.out = appendFrameHeader(c.room(), 8, frameGoAway, 0, 0)
	c.out = binary.BigEndian.AppendUint32(c.out, min(last, c.goneLast)) // which may not go up
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(code))
}
