package wire

import "sync/atomic"

// bufferSizes are the sizes of buffers, each with the number of free ones to keep: 1 to 2.5 MiB.
var bufferSizes = [...]struct{ size, keep int }{
	{SmallBuffer, 256}, {mediumBuffer, 64}, {largeBuffer, 32}, {halfWindow, 4}, {wholeWindow, 4},
}

// Pool lends memory to the Buffers of one loop, and to its tlsconn.Conns. The free memory that it keeps is bounded, so that
// it returns the memory of a burst. Owned by the loop; the zero value is ready.
//
// A Pool counts the bytes that it lends: for the rest of a head, for a peer that does not read, for a window that is closed;
// in both directions, in clear, as frames and as TLS records. Only the loop counts, in plain memory, and publishes the sum
// whenever it has changed by tellStep.
type Pool struct {
	free       [len(bufferSizes)][][]byte
	used, told int64
	published  *atomic.Int64 // used as other loops see it; nil: there are none
	OnGrowth   func()        // called, if set, when a larger sum was published
}

// Get returns an empty buffer with room for n bytes.
func (p *Pool) Get(n int) []byte {
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

// Put takes back a buffer that Get returned. The caller must not use it any more.
func (p *Pool) Put(b []byte) {
	p.count(-int64(cap(b)))
	for i := range bufferSizes {
		if cap(b) == bufferSizes[i].size && len(p.free[i]) < bufferSizes[i].keep {
			p.free[i] = append(p.free[i], b)
		}
	}
}

// Append appends a copy of data to b.
//
// hot: runs per read that waits; no alloc but where the pool is empty, no lock.
func (p *Pool) Append(b *Buffer, data []byte) {
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

// Consume drops the first n bytes of b, and returns its memory when none are left.
func (p *Pool) Consume(b *Buffer, n int) {
	b.off += n
	if b.off >= len(b.b) {
		p.Release(b)
	}
}

// Release empties b and returns its memory.
func (p *Pool) Release(b *Buffer) {
	if b.b != nil {
		p.Put(b.b)
		*b = Buffer{}
	}
}

// tellStep is by how much the sum changes before it is published.
const tellStep = 256 << 10

// count adds n bytes, which may be negative.
//
// hot: runs per buffer; no alloc, no lock.
func (p *Pool) count(n int64) {
	p.used += n
	if d := p.used - p.told; d >= tellStep || d <= -tellStep {
		p.Tell()
	}
}

// Recount counts now bytes in place of *held, and stores now in *held: for memory that a connection has from elsewhere.
//
// hot: runs per batch of events; no alloc, no lock.
func (p *Pool) Recount(held *int64, now int64) {
	if now != *held {
		p.count(now - *held)
		*held = now
	}
}

// Lent returns the sum of counted bytes.
func (p *Pool) Lent() int64 { return p.used }

// Tell publishes the sum.
func (p *Pool) Tell() {
	grown := p.used > p.told
	p.told = p.used
	if p.published == nil {
		return
	}
	p.published.Store(p.used)
	if grown && p.OnGrowth != nil {
		p.OnGrowth()
	}
}
