package wire

import (
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// ScratchSize is the largest single read, bytes: the size of the largest segment on loopback. It bounds the bytes that wait
// for a slow peer.
const ScratchSize = 64 << 10

// Rounds bounds how many reads in a row one connection gets before the others have their turn.
const Rounds = 8

// Loop holds everything that the connections of one event loop share: the loop itself, which reports the readiness of their
// sockets, and the buffers, pipes and scratch memory that they borrow. It belongs to the loop's goroutine, except Use. Made
// ready by Init; must not be copied.
type Loop struct {
	*loop.Loop

	Buffers Pool
	// Scratch is for one read. Its bytes are valid until the next read on the loop: a caller that needs them longer copies
	// them.
	Scratch []byte

	cipher     []byte // for one read of TLS records
	sealed     []byte // for the records of one write
	pipes      []*Pipe
	toFlush    []Flusher
	handshakes *tlsconn.Handshakes

	Use Use
}

// Init makes the zero value ready for connections on the loop on, whose TLS handshakes handshakes computes.
func (l *Loop) Init(on *loop.Loop, handshakes *tlsconn.Handshakes) {
	l.Loop, l.handshakes = on, handshakes
	l.Buffers.published = &l.Use.Buffered
	l.Scratch = make([]byte, ScratchSize)
	l.cipher = make([]byte, ScratchSize)
	l.sealed = make([]byte, 0, 2*ScratchSize+sealRoom)
}

// Use counts a loop's part of resources that the process bounds as a whole. It has a cache line of its own, because other
// loops read it whenever their own part has grown.
type Use struct {
	_           [64]byte
	Buffered    atomic.Int64 // bytes that the Pool lends, as of its last Tell
	Descriptors atomic.Int64 // of sockets that Connect opened, and of pipes
	_           [48]byte
}

// giveDescriptors counts n descriptors as closed. Those of connections are counted by the caller of Sock.Connect, which
// knows the bound of all loops.
func (l *Loop) giveDescriptors(n int64) { l.Use.Descriptors.Add(-n) }
