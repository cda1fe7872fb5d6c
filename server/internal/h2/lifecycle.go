package h2

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
	if how == endedBoth {
		c.budget.earnExchange()
	}
	if c.data.s == s {
		c.data.s = nil
	}
	c.free(s)
}

// free returns a stream that is closed and released to the free list.
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
		c.budget.earnExchange()
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
	open := s.recvOpen
	if s.recvEnded {
		open = 0
	}
	c.amnesty.grant(open, c.recvOpen)
	c.closeStream(s, endedByUs)
}

// streamFault resets a stream for a fault of the peer, and tells the handler. A client has an allowance
// for faults. An Endpoint needs none: we opened the stream, and its fault is that stream's alone.
func (c *Conn) streamFault(s *Stream, f Fault) {
	if c.server != nil && (!c.charge(FloodFault) || !c.reply()) {
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
		c.amnesty.grant(int32(c.shared.config.StreamWindow), c.recvOpen)
		c.past.add(id, endedByUs)
		c.h.Fault(nil, f)
	}
}
