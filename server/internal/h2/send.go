package h2

// pump lets the waiting streams write, in turn, as long as there is room for them.
func (c *Conn) pump() {
	if c.pumping || c.feeding {
		return
	}
	c.pumping = true
	for c.queue.head != nil && c.writable() {
		s := c.queue.head
		c.queue.remove(s)
		c.h.Writable(s)
	}
	c.pumping = false
}

// writable reports whether the connection takes data now. The last frame may go beyond MaxOutput.
func (c *Conn) writable() bool {
	return c.err == nil && c.sendOpen > 0 && len(c.out)-c.sent < c.shared.config.MaxOutput
}

// tinyPiece is the length below which a piece of data that a window cuts off counts as a crumb.
const tinyPiece = 128

// WriteData sends bytes of a body, copying them, and returns how many it took: no more than both windows and the
// room in the output allow, and not more than a frame while other streams wait. Where that is less than all,
// Handler.Writable is called when there may be room, and the rest, with end as before, is to be offered then. end
// ends our side of the stream together with the last byte. For a stream that has ended the bytes are dropped.
//
// hot: runs per piece of a body; no alloc, no lock.
func (c *Conn) WriteData(s *Stream, p []byte, end bool) int {
	if s.sendEnded || s.closed || c.err != nil {
		return len(p)
	}
	if len(p) == 0 {
		if end {
			c.out = appendFrameHeader(c.room(), 0, frameData, flagEndStream, s.id)
			c.endSending(s)
		}
		return 0
	}
	b := c.room()
	n := 0
	for n < len(p) {
		if s.sendOpen <= 0 {
			s.starved = true
			c.queue.remove(s)
			break
		}
		if c.sendOpen <= 0 || len(b)-c.sent >= c.shared.config.MaxOutput || n > 0 && c.queue.head != nil {
			c.queue.push(s)
			break
		}
		piece := min(len(p)-n, maxFrame, int(s.sendOpen), int(c.sendOpen))
		var flags uint8
		if end && n+piece == len(p) {
			flags = flagEndStream
		} else if piece < tinyPiece && n+piece < len(p) && !c.chargeTiny(&b) {
			return len(p)
		}
		if len(b)+frameHeaderLen+piece > cap(b) {
			b = c.grow(b, frameHeaderLen+piece)
		}
		b = appendFrameHeader(b, piece, frameData, flags, s.id)
		b = append(b, p[n:n+piece]...)
		n += piece
		s.sendOpen -= int32(piece)
		c.sendOpen -= int32(piece)
		c.budget.earn(piece)
		if piece >= tinyPiece || n == len(p) {
			c.budget.earnFrames(2) // the updates that answer it, of the stream and of the connection
		}
	}
	c.out = b
	if end && n == len(p) {
		c.endSending(s)
	}
	return n
}

// grow makes room for n more bytes of output behind b, first over the part already written, then in a
// buffer that holds as much as MaxOutput lets wait. Left to append, the output would outgrow the size kept
// for the next user, and each read of a long body would leave buffers behind.
func (c *Conn) grow(b []byte, n int) []byte {
	if c.sent > 0 {
		b = b[:copy(b, b[c.sent:])]
		c.sent = 0
		if len(b)+n <= cap(b) {
			return b
		}
	}
	if cap(b) >= maxBuffer {
		return b // MaxOutput is larger than usual: append
	}
	grown := append(c.shared.buffer(maxBuffer), b...)
	c.shared.freeBuffer(b)
	return grown
}

func (c *Conn) chargeTiny(b *[]byte) bool {
	c.out = *b
	return c.charge(FloodTinyWindow)
}

// endSending notes our END_STREAM.
func (c *Conn) endSending(s *Stream) {
	s.sendEnded = true
	s.starved = false
	c.queue.remove(s)
	if s.recvEnded {
		c.closeStream(s, endedBoth)
	}
}
