package server

import (
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// scratchSize is the largest single read, the size of the largest segment on loopback, and bounds what
// waits for a slow peer.
const scratchSize = 64 << 10

// rounds bounds how many reads in a row one connection gets before the others have their turn.
const rounds = 8

// wireLoop is what the connections of one event loop share: the loop itself, which reports what their sockets are ready
// for, and the memory, pipes and scratch that they borrow. All of it belongs to the loop's goroutine, but for use. Made
// ready by init; must not be copied.
type wireLoop struct {
	*loop.Loop

	buffers bufferPool
	// scratch is for one read. What is in it is valid until somebody reads again, so that whoever keeps bytes copies
	// them before he calls on.
	scratch []byte

	cipher     []byte // for one read of TLS records
	sealed     []byte // for the records of one write
	pipes      []*pipe
	toFlush    []flusher
	handshakes *tlsconn.Handshakes

	use use
}

// init makes the zero value ready for connections of on, whose TLS handshakes run by the rules of handshakes.
func (l *wireLoop) init(on *loop.Loop, handshakes *tlsconn.Handshakes) {
	l.Loop, l.handshakes = on, handshakes
	l.buffers.published = &l.use.buffered
	l.scratch = make([]byte, scratchSize)
	l.cipher = make([]byte, scratchSize)
	l.sealed = make([]byte, 0, 2*scratchSize+sealRoom)
}

// use is what a loop has in use of what all share. It has a cache line of its own: others read it, when theirs
// has changed.
type use struct {
	_           [64]byte
	buffered    atomic.Int64 // bytes that the pool lends, as of its last tell
	descriptors atomic.Int64 // those to Endpoints, and of pipes
	_           [48]byte
}

// giveDescriptors counts n descriptors as no longer in use. Who opens one to an Endpoint counts it before, by what all
// loops may have.
func (l *wireLoop) giveDescriptors(n int64) { l.use.descriptors.Add(-n) }
