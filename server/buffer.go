package server

// buffer holds bytes that wait: for the rest of a head, or for a peer that does not read. The zero
// value is empty and owns no memory; it borrows from its worker's bufferPool while it holds bytes.
type buffer struct {
	b   []byte
	off int
}

func (b *buffer) len() int      { return len(b.b) - b.off }
func (b *buffer) bytes() []byte { return b.b[b.off:] }

// The pool has five sizes: a head, a head read, a body read, and two for what a stream's window lets a peer
// send while the other side takes nothing. Most buffers are the first.
const (
	smallBuffer  = 4 << 10
	mediumBuffer = 20 << 10
	largeBuffer  = 80 << 10
	halfWindow   = 160 << 10
	wholeWindow  = 288 << 10
)

// bufferPool keeps free buffers of one loop. What it keeps is bounded, so that a burst gives its
// memory back.
type bufferPool struct {
	small, medium, large, half, whole [][]byte
}

const (
	keepSmall  = 256 // 1 MiB
	keepMedium = 64  // 1.25 MiB
	keepLarge  = 32  // 2.5 MiB
	keepHalf   = 4   // 0.6 MiB
	keepWhole  = 4   // 1.1 MiB
)

func (p *bufferPool) get(n int) []byte {
	switch {
	case n <= smallBuffer:
		return take(&p.small, smallBuffer)
	case n <= mediumBuffer:
		return take(&p.medium, mediumBuffer)
	case n <= largeBuffer:
		return take(&p.large, largeBuffer)
	case n <= halfWindow:
		return take(&p.half, halfWindow)
	case n <= wholeWindow:
		return take(&p.whole, wholeWindow)
	}
	return make([]byte, 0, n)
}

func take(list *[][]byte, size int) []byte {
	if n := len(*list); n > 0 {
		b := (*list)[n-1]
		*list = (*list)[:n-1]
		return b[:0]
	}
	return make([]byte, 0, size)
}

func (p *bufferPool) put(b []byte) {
	switch cap(b) {
	case smallBuffer:
		if len(p.small) < keepSmall {
			p.small = append(p.small, b)
		}
	case mediumBuffer:
		if len(p.medium) < keepMedium {
			p.medium = append(p.medium, b)
		}
	case largeBuffer:
		if len(p.large) < keepLarge {
			p.large = append(p.large, b)
		}
	case halfWindow:
		if len(p.half) < keepHalf {
			p.half = append(p.half, b)
		}
	case wholeWindow:
		if len(p.whole) < keepWhole {
			p.whole = append(p.whole, b)
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
		grown := append(p.get(len(b.b)+len(data)), b.b...)
		p.put(b.b)
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
		p.put(b.b)
		*b = buffer{}
	}
}
