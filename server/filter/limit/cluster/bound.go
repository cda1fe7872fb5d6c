package cluster

import (
	"errors"
	"net"
)

// The library believes the lengths that an answer announces, and allocates for them before anything has come: 16 bytes would
// cost gigabytes. Answers to the script have less than 100 bytes; that to HELLO, which begins a connection, has some hundred,
// or a few thousand where the server has many modules.

const (
	// maxAnswer bounds the bytes that come after a write.
	maxAnswer = 16 << 10
	// maxAnnounced bounds the sum of the lengths that they announce.
	maxAnnounced = 16 << 10
)

var errTooLarge = errors.New("the answer is larger than any that was asked for")

// bound is a connection whose answers are bounded.
type bound struct {
	net.Conn
	read      int
	announced int
	// Of the line that is being read: its first byte, 0 at its start, and the number behind that.
	kind   byte
	number int
}

func bounded(c net.Conn) net.Conn {
	if c == nil {
		return nil
	}
	return &bound{Conn: c}
}

// Write implements net.Conn. What comes next is a new answer.
func (b *bound) Write(p []byte) (int, error) {
	b.read, b.announced = 0, 0
	return b.Conn.Write(p)
}

// Read implements net.Conn.
func (b *bound) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if b.read += n; b.read > maxAnswer || !b.scan(p[:n]) {
		return 0, errTooLarge
	}
	return n, err
}

// scan adds up the lengths that p announces. A text whose line looks like a length is taken for one: those that are asked for
// have none.
func (b *bound) scan(p []byte) bool {
	for _, c := range p {
		switch {
		case c == '\n':
			b.kind, b.number = 0, 0
		case b.kind == 0:
			b.kind = c
		case b.kind == '+' || b.kind == '-' || b.kind == ':':
		case c >= '0' && c <= '9':
			before := b.number
			b.number = b.number*10 + int(c-'0')
			if b.announced += b.number - before; b.announced > maxAnnounced {
				return false
			}
		default:
			b.kind = '+' // no length
		}
	}
	return true
}
