package clienthello

// cursor reads a message across the records it is cut into. walk has seen all of them: each has at least
// one byte, and together they are as long as the message. Copy a cursor to read twice.
type cursor struct {
	buf  []byte
	at   int  // the next byte
	left int  // bytes left in the record of at
	rest int  // bytes left in the vector being read
	bad  bool // a read went past the end
}

// u8 reads a byte, 0 where there is none.
func (c *cursor) u8() int {
	if c.rest == 0 {
		c.bad = true
		return 0
	}
	if c.left == 0 {
		c.nextRecord()
	}
	b := c.buf[c.at]
	c.at++
	c.left--
	c.rest--
	return int(b)
}

// u16 reads two bytes.
func (c *cursor) u16() int {
	high := c.u8()
	return high<<8 | c.u8()
}

// skip passes over n bytes.
func (c *cursor) skip(n int) {
	if n > c.rest {
		c.bad = true
		n = c.rest
	}
	c.rest -= n
	for n > c.left {
		n -= c.left
		c.at += c.left
		c.nextRecord()
	}
	c.at += n
	c.left -= n
}

// take passes over the next n bytes and returns a cursor for them alone.
func (c *cursor) take(n int) cursor {
	part := *c
	part.rest = min(n, c.rest)
	c.skip(n)
	return part
}

// nextRecord goes to the first byte of the next record. left is 0.
func (c *cursor) nextRecord() {
	c.left = int(c.buf[c.at+3])<<8 | int(c.buf[c.at+4])
	c.at += recordHead
}
