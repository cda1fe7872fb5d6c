package h2

import (
	"encoding/binary"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// headerBlock is a header block that goes over several frames: RFC 9113 section 4.3.
type headerBlock struct {
	active bool
	header frameHeader // of the HEADERS frame
	self   bool        // the HEADERS frame made its stream depend on itself
	// skipped: the block is too long to be kept, and is decoded as it comes, only for the dynamic table.
	skipped bool
	length  int    // so far
	buf     []byte // not decoded yet
}

// skipBlocks is how long a skipped block may become, in multiples of the most that is kept of one. The other
// streams of the connection wait meanwhile.
const skipBlocks = 4

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
		c.headerBlock(&headerBlock{header: h, self: self}, p)
		return
	}
	if len(p) < crumb && !c.charge(FloodContinuation) {
		return
	}
	c.block = headerBlock{active: true, header: h, self: self, length: len(p), buf: append(c.shared.buffer(len(p)), p...)}
}

// continuation acts on CONTINUATION: section 6.10. begin has compared the stream.
func (c *Conn) continuation(h frameHeader, p []byte) {
	if !c.block.active {
		c.fail(errContinuation)
		return
	}
	if len(p) < crumb && !h.has(flagEndHeaders) && !c.charge(FloodContinuation) {
		return
	}
	// A block is decoded in one piece. One of more than twice the limit that the peer was told is its stream's fault,
	// since the connection's streams may be many clients'; one that goes on is the connection's.
	b := &c.block
	most := max(2*c.shared.config.MaxHead, 2*maxFrame)
	b.length += len(p)
	if len(b.buf)+len(p) > most {
		if !c.skip(b) {
			return
		}
		if b.length > skipBlocks*most || len(b.buf)+len(p) > most {
			c.fail(floodErrors[FloodContinuation])
			return
		}
	}
	b.buf = append(b.buf, p...)
	if h.has(flagEndHeaders) {
		done := *b
		*b = headerBlock{}
		c.headerBlock(&done, done.buf)
		c.shared.freeBuffer(done.buf)
	}
}

// skip decodes the whole fields of a block so far, and drops them. It reports whether the connection lives.
func (c *Conn) skip(b *headerBlock) bool {
	n, ok := c.decoder.skip(b.buf, !b.skipped, &c.shared.heads.hpack)
	if !ok {
		return c.fail(errCompression)
	}
	b.skipped = true
	b.buf = b.buf[:copy(b.buf, b.buf[n:])]
	return true
}

// headerBlock acts on a complete header block, whose rest p is to be decoded. It must be decoded in every case,
// because it may have changed the dynamic table.
func (c *Conn) headerBlock(b *headerBlock, p []byte) {
	h, self := b.header, b.self
	s := c.streams.get(h.stream)
	end := h.has(flagEndStream)
	switch {
	case b.skipped && s != nil:
		if c.decodeNothing(p) {
			c.streamFault(s, FaultTooLarge)
		}
	case s == nil && c.server == nil:
		if c.idle(h.stream) {
			c.fail(errIdleStream)
			return
		}
		if c.amnesty.takeFrame() || c.charge(FloodClosed) { // the answer to a cancelled request
			c.decodeNothing(p)
		}
	case s == nil && h.stream <= c.lastPeer:
		c.closedHeaders(h.stream, p)
	case s == nil:
		if h.stream&1 == 0 {
			c.fail(errStreamID)
			return
		}
		c.openStream(b, p, end)
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
		if c.amnesty.takeFrame() || c.charge(FloodClosed) {
			c.decodeNothing(p)
		}
	case endedByPeer:
		if c.decodeNothing(p) {
			c.refuse(id, FaultStreamClosed)
		}
	default:
		if !c.amnesty.takeFrame() { // for a stream that we reset while there were many
			c.fail(errStreamID)
			return
		}
		c.decodeNothing(p)
	}
}

// openStream takes a client's request.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) openStream(b *headerBlock, p []byte, end bool) {
	id := b.header.stream
	c.lastPeer = id
	config := &c.shared.config
	switch {
	case id > c.goneLast:
		c.amnesty.grant(int32(config.StreamWindow), c.recvOpen)
		c.decodeNothing(p) // section 6.8: ignored
		return
	case c.streams.n >= int(config.MaxStreams), c.live >= 2*int(config.MaxStreams):
		if c.decodeNothing(p) {
			c.refuseNew(id, FaultRefused)
		}
		return
	}
	a := &c.shared.heads
	if b.skipped {
		if !c.decodeNothing(p) {
			return
		}
		a.req.Reset()
		a.fault = FaultHeadTooLarge
	} else if !a.request(c, p, end) {
		return
	}
	if b.self && a.fault.HTTPStatus() == 0 {
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

// decodeNothing keeps the dynamic table in step with a header block that is dropped.
func (c *Conn) decodeNothing(p []byte) bool { return c.shared.heads.nothing(c, p) }

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
		if !c.amnesty.takeFrame() {
			c.charge(FloodClosed)
		}
		return
	}
	if c.server != nil && !s.sendEnded {
		if h.stream > c.fedFrom {
			if c.hasty++; c.hasty > maxHasty {
				c.fail(floodErrors[FloodReset])
				return
			}
		}
		if !c.charge(FloodReset) {
			return
		}
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

// Open returns the number of streams that have not ended.
func (c *Conn) Open() int { return c.streams.n }
