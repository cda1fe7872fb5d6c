package server

// buffer holds bytes that wait: for the rest of a head, or for a peer that does not read. The zero
// value is empty and owns no memory; it borrows from its worker's bufferPool while it holds bytes.
type buffer struct {
	b   []byte
	off int
}

func (b *buffer) len() int      { return len(b.b) - b.off }
func (b *buffer) bytes() []byte { return b.b[b.off:] }

// Sizes of buffers: for a head, a head read, a body read, and two for what a stream's window lets a peer
// send while the other side takes nothing. Most are the first.
const (
	smallBuffer  = 4 << 10
	mediumBuffer = 20 << 10
	largeBuffer  = 80 << 10
	halfWindow   = 160 << 10
	wholeWindow  = 288 << 10
)

// small empties what a pooled struct keeps for its next user, and lets go of what few need so much of: a thousand
// structs would each keep the most that anybody ever made of them.
func small(b []byte) []byte {
	if cap(b) > smallBuffer {
		return nil
	}
	return b[:0]
}

// bufferSizes says how many free ones of each size are kept: 1 to 2.5 MiB.
var bufferSizes = [...]struct{ size, keep int }{
	{smallBuffer, 256}, {mediumBuffer, 64}, {largeBuffer, 32}, {halfWindow, 4}, {wholeWindow, 4},
}

// bufferPool keeps free buffers of one loop. What it keeps is bounded, so that a burst gives its
// memory back. It lends to tlsconn.Conns too, as their Buffers.
type bufferPool struct {
	free    [len(bufferSizes)][][]byte
	account account // of what is lent
}

// Get returns an empty buffer with room for n bytes.
func (p *bufferPool) Get(n int) []byte {
	for i := range bufferSizes {
		size := bufferSizes[i].size
		if n > size {
			continue
		}
		free := &p.free[i]
		if last := len(*free) - 1; last >= 0 {
			b := (*free)[last]
			*free = (*free)[:last]
			p.count(int64(size))
			return b[:0]
		}
		p.count(int64(size))
		return make([]byte, 0, size)
	}
	p.count(int64(n))
	return make([]byte, 0, n)
}

// Put takes back a buffer that Get returned.
func (p *bufferPool) Put(b []byte) {
	p.count(-int64(cap(b)))
	for i := range bufferSizes {
		if cap(b) == bufferSizes[i].size && len(p.free[i]) < bufferSizes[i].keep {
			p.free[i] = append(p.free[i], b)
		}
	}
}

// append copies data behind what b holds.
func (p *bufferPool) append(b *buffer, data []byte) {
	if len(data) == 0 {
		return
	}
	if b.off > 0 && len(b.b)+len(data) > cap(b.b) {
		n := copy(b.b, b.b[b.off:])
		b.b, b.off = b.b[:n], 0
	}
	if len(b.b)+len(data) > cap(b.b) {
		grown := append(p.Get(len(b.b)+len(data)), b.b...)
		p.Put(b.b)
		b.b = grown
	}
	b.b = append(b.b, data...)
}

// consume drops the first n bytes of b, and its memory when none are left.
func (p *bufferPool) consume(b *buffer, n int) {
	b.off += n
	if b.off >= len(b.b) {
		p.release(b)
	}
}

func (p *bufferPool) release(b *buffer) {
	if b.b != nil {
		p.Put(b.b)
		*b = buffer{}
	}
}
