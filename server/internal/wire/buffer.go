package wire

// Buffer holds bytes that cannot be handled yet: an incomplete head, or output for a peer that does not read. The zero value
// is empty and owns no memory; a Buffer borrows from its Loop's Pool while it holds bytes. Append copies.
type Buffer struct {
	b   []byte
	off int
}

// Len returns the number of bytes in b.
func (b *Buffer) Len() int { return len(b.b) - b.off }

// Bytes returns the bytes in b, valid until the next Append, Consume or Release.
func (b *Buffer) Bytes() []byte { return b.b[b.off:] }

// borrowed returns the size of the memory that b has borrowed.
func (b *Buffer) borrowed() int { return cap(b.b) }

// Sizes of buffers: for a head, a head read, a body read, and two for the bytes that a stream's window lets a peer send
// while the other side takes nothing. Most are of the first.
const (
	SmallBuffer  = 4 << 10
	mediumBuffer = 20 << 10
	largeBuffer  = 80 << 10
	halfWindow   = 160 << 10
	wholeWindow  = 288 << 10
)

// Reuse returns b, emptied, for the next user of a pooled struct, or nil if b is large: a thousand pooled structs would
// otherwise each keep the most that any request ever needed.
func Reuse(b []byte) []byte {
	if cap(b) > SmallBuffer {
		return nil
	}
	return b[:0]
}
