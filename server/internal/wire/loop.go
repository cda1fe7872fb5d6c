package wire

import (
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// ScratchSize is the largest single read, the size of the largest segment on loopback, and bounds what
// waits for a slow peer.
const ScratchSize = 64 << 10

// Rounds bounds how many reads in a row one connection gets before the others have their turn.
const Rounds = 8

// Loop is what the connections of one event loop share: the loop itself, which reports what their sockets are ready
// for, and the memory, pipes and scratch that they borrow. All of it belongs to the loop's goroutine, but for Use. Made
// ready by Init; must not be copied.
type Loop struct {
	*loop.Loop

	Buffers Pool
	// Scratch is for one read. What is in it is valid until somebody reads again, so that whoever keeps bytes copies
	// them before he calls on.
	Scratch []byte

	cipher     []byte // for one read of TLS records
	sealed     []byte // for the records of one write
	pipes      []*Pipe
	toFlush    []Flusher
	handshakes *tlsconn.Handshakes

	Use Use
}

// Init makes the zero value ready for connections of on, whose TLS handshakes run by the rules of handshakes.
func (l *Loop) Init(on *loop.Loop, handshakes *tlsconn.Handshakes) {
	l.Loop, l.handshakes = on, handshakes
	l.Buffers.published = &l.Use.Buffered
	l.Scratch = make([]byte, ScratchSize)
	l.cipher = make([]byte, ScratchSize)
	l.sealed = make([]byte, 0, 2*ScratchSize+sealRoom)
}

// Use is what a loop has in use of what all share. It has a cache line of its own: others read it, when theirs
// has changed.
type Use struct {
	_           [64]byte
	Buffered    atomic.Int64 // bytes that the pool lends, as of its last Tell
	Descriptors atomic.Int64 // those to Endpoints, and of pipes
	_           [48]byte
}

// giveDescriptors counts n descriptors as no longer in use. Who opens one to an Endpoint counts it before, by what all
// loops may have.
func (l *Loop) giveDescriptors(n int64) { l.Use.Descriptors.Add(-n) }
