package server

// buffer holds bytes that wait: for the rest of a head, or for a peer that does not read. The zero
// value is empty and owns no memory; it borrows from its worker's bufferPool while it holds bytes.
type buffer struct {
	b   []byte
	off int
}

func (b *buffer) len() int      { return len(b.b) - b.off }
func (b *buffer) bytes() []byte { return b.b[b.off:] }

// cap returns how much memory it has borrowed.
func (b *buffer) cap() int { return cap(b.b) }

// Sizes of buffers: for a head, a head read, a body read, and two for what a stream's window lets a peer
// send while the other side takes nothing. Most are the first.
const (
	smallBuffer  = 4 << 10
	mediumBuffer = 20 << 10
	largeBuffer  = 80 << 10
	halfWindow   = 160 << 10
	wholeWindow  = 288 << 10
)

// reuse empties what a pooled struct keeps for its next user, and lets go of what few need so much of: a thousand
// structs would each keep the most that anybody ever made of them.
func reuse(b []byte) []byte {
	if cap(b) > smallBuffer {
		return nil
	}
	return b[:0]
}
