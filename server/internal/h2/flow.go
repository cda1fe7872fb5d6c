package h2

import "encoding/binary"

// dataFrame is the DATA frame being read. Its payload is delivered as it comes.
type dataFrame struct {
	s       *Stream // nil: the stream is gone, the data is dropped
	left    uint32  // payload to come, padding aside
	pad     uint32  // padding to come
	active  bool
	needPad bool // the byte that holds the padding's length is to come
	end     bool
	empty   bool // nothing of it was data
}

// beginData checks a DATA frame by its header: RFC 9113 section 6.1.
//
// hot: runs per DATA frame; no alloc, no lock.
func (c *Conn) beginData(h frameHeader) {
	switch {
	case h.stream == 0:
		c.fail(errStreamZero)
		return
	case int64(h.length) > int64(c.recvOpen):
		c.fail(errConnFlow)
		return
	case h.has(flagPadded) && h.length == 0:
		c.fail(errFrameLength)
		return
	}
	c.recvOpen -= int32(h.length)
	s := c.streams.get(h.stream)
	end := h.has(flagEndStream)
	switch {
	case s == nil:
		if !c.closedData(h.stream, h.length) {
			return
		}
	case s.recvEnded:
		c.streamFault(s, FaultStreamClosed)
		s = nil
	case !s.recvHead: // DATA in front of the response's head
		c.streamFault(s, FaultHeadMissing)
		s = nil
	case int64(h.length) > int64(s.recvOpen):
		c.streamFault(s, FaultFlow)
		s = nil
	default:
		s.recvOpen -= int32(h.length)
	}
	c.data = dataFrame{s: s, left: h.length, active: true, needPad: h.has(flagPadded), end: end, empty: true}
	if !c.data.needPad {
		c.measure()
	}
	if h.length == 0 {
		c.endData(nil)
	}
}

// measure compares the frame's data, whose length is now known, with content-length: section 8.1.1.
func (c *Conn) measure() {
	d := &c.data
	if s := d.s; s != nil && s.left >= 0 {
		s.left -= int64(d.left)
		if s.left < 0 || d.end && s.left > 0 {
			c.streamFault(s, FaultLengthMismatch) // which clears d.s
		}
	}
}

// closedData judges DATA on a stream that is not open, and reports whether the connection lives.
func (c *Conn) closedData(id, length uint32) bool {
	if c.idle(id) {
		return c.fail(errIdleStream)
	}
	// Section 5.1: frames that were on their way when we reset the stream are ignored, others are answered.
	// Frames that came too late for our GOAWAY are ignored too: section 6.8. A stream of which nothing is known
	// may be one that we reset while there were many.
	how := uint32(endedByUs)
	if c.server != nil && id <= c.goneLast {
		how = c.past.find(id)
	}
	if (how == endedByUs || how == endedNever) && c.amnesty.takeData(int32(length), c.server != nil) {
		return true
	}
	if length < crumb && !c.charge(FloodClosed) {
		return false
	}
	return how == endedByUs || c.refuse(id, FaultStreamClosed)
}

// feedData consumes the part of p that belongs to the DATA frame and returns the rest.
//
// hot: runs per DATA frame; no alloc, no lock.
func (c *Conn) feedData(p []byte) []byte {
	d := &c.data
	if d.needPad {
		d.needPad = false
		d.pad = uint32(p[0])
		p = p[1:]
		d.left--
		if d.pad > d.left {
			c.fail(errPadding)
			return nil
		}
		d.left -= d.pad
		c.padding(int32(d.pad) + 1)
		c.measure()
		if d.left == 0 {
			c.endData(nil)
			if !d.active {
				return p
			}
		}
	}
	if d.left > 0 {
		n := min(len(p), int(d.left))
		piece := p[:n]
		p = p[n:]
		d.left -= uint32(n)
		d.empty = false
		if d.left > 0 {
			c.deliver(piece, false)
			return p
		}
		c.endData(piece)
		return p
	}
	n := min(len(p), int(d.pad))
	d.pad -= uint32(n)
	d.active = d.pad > 0
	return p[n:]
}

// endData delivers the last of a frame's data; padding may follow.
func (c *Conn) endData(piece []byte) {
	d := &c.data
	d.active = d.pad > 0
	switch {
	case d.s == nil: // closedData has counted it
	case !d.empty:
		c.budget.earnFrames(1)
	case !d.end && !c.charge(FloodEmpty):
		return
	}
	c.deliver(piece, d.end)
}

// deliver hands data to the handler.
func (c *Conn) deliver(p []byte, end bool) {
	s := c.data.s
	n := int32(len(p))
	if s == nil || s.discard {
		c.consumed(n)
		if s == nil {
			return
		}
		s.credit += n
		if end {
			c.endReceiving(s)
		} else {
			c.update(s)
		}
		return
	}
	s.held += n
	c.budget.earn(len(p))
	if end {
		c.endReceiving(s)
	}
	if n > 0 || end {
		c.h.Data(s, p, end)
	}
}

// endReceiving notes the peer's END_STREAM.
func (c *Conn) endReceiving(s *Stream) {
	s.recvEnded = true
	if s.sendEnded {
		c.closeStream(s, endedBoth)
	}
}

// padding counts as data for the windows, and is consumed at once.
func (c *Conn) padding(n int32) {
	if s := c.data.s; s != nil {
		s.credit += n
		c.update(s)
	}
	c.consumed(n)
}

// Consumed notes that the handler has passed on n bytes that Data delivered for s, so that the peer may
// send as many more. Windows are updated when half of one has been consumed, and at no other time. It
// must be called before Release; the bytes then left count as consumed.
//
// hot: runs per piece of a body; no alloc, no lock.
func (c *Conn) Consumed(s *Stream, n int) {
	if int32(n) > s.held {
		panic("BUG: h2: consumed more than was delivered")
	}
	s.held -= int32(n)
	s.credit += int32(n)
	c.update(s)
	c.consumed(int32(n))
}

func (c *Conn) update(s *Stream) {
	if s.credit >= int32(c.shared.config.StreamWindow/2) && !s.recvEnded && !s.closed && c.err == nil {
		c.out = appendWord(c.room(), frameWindowUpdate, s.id, uint32(s.credit))
		s.recvOpen += s.credit
		s.credit = 0
	}
}

func (c *Conn) consumed(n int32) {
	c.credit += n
	// Not only when half of the window is used up: streams that are not being read may hold nearly all of it.
	if c.credit >= int32(min(c.shared.config.ConnWindow/2, c.shared.config.StreamWindow)) && c.err == nil {
		c.out = appendWord(c.room(), frameWindowUpdate, 0, uint32(c.credit))
		c.recvOpen += c.credit
		c.credit = 0
	}
}

// windowUpdate opens a window for our data: section 6.9.
func (c *Conn) windowUpdate(h frameHeader, p []byte) {
	if len(p) != 4 {
		c.fail(errFrameLength)
		return
	}
	n := int64(binary.BigEndian.Uint32(p) & maxWindow)
	var s *Stream
	if h.stream != 0 {
		if s = c.streams.get(h.stream); s == nil && !c.idle(h.stream) && c.amnesty.takeFrame() {
			return
		}
	}
	if !c.charge(FloodWindowUpdate) {
		return
	}
	if h.stream == 0 {
		switch {
		case n == 0:
			c.fail(errWindowZero)
		case int64(c.sendOpen)+n > maxWindow:
			c.fail(errWindowOverflow)
		default:
			c.sendOpen += int32(n)
		}
		return
	}
	switch {
	case s == nil:
		if c.idle(h.stream) {
			c.fail(errIdleStream)
		}
	case n == 0:
		c.streamFault(s, FaultWindowZero)
	case int64(s.sendOpen)+n > maxWindow:
		c.streamFault(s, FaultFlow)
	default:
		s.sendOpen += int32(n)
		if s.starved && s.sendOpen > 0 {
			s.starved = false
			c.queue.push(s)
		}
	}
}
