package h2

// Held returns how many bytes of memory wait on the connection: output, and an incomplete frame or head.
//
// hot: runs per batch of events; no alloc, no lock.
func (c *Conn) Held() int64 { return int64(cap(c.out) + cap(c.in) + cap(c.block.buf)) }

// Starved reports whether the stream's own window keeps its data back, and not the connection's or the output.
func (s *Stream) Starved() bool { return s.starved }
