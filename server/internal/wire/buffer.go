package wire

// Buffer holds bytes that wait: for the rest of a head, or for a peer that does not read. The zero
// value is empty and owns no memory; it borrows from its Loop's Pool while it holds bytes, and copies what it is given.
type Buffer struct {
	b   []byte
	off int
}

// Len and Bytes are what it holds. Bytes is valid until the next Append, Consume or Release.
func (b *Buffer) Len() int      { return len(b.b) - b.off }
func (b *Buffer) Bytes() []byte { return b.b[b.off:] }

// Cap returns how much memory it has borrowed.
func (b *Buffer) Cap() int { return cap(b.b) }

// Sizes of buffers: for a head, a head read, a body read, and two for what a stream's window lets a peer
// send while the other side takes nothing. Most are the first.
const (
	SmallBuffer  = 4 << 10
	mediumBuffer = 20 << 10
	largeBuffer  = 80 << 10
	halfWindow   = 160 << 10
	wholeWindow  = 288 << 10
)

// Reuse empties what a pooled struct keeps for its next user, and lets go of what few need so much of: a thousand
// structs would each keep the most that anybody ever made of them.
func Reuse(b []byte) []byte {
	if cap(b) > SmallBuffer {
		return nil
	}
	return b[:0]
}
