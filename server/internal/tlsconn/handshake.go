package tlsconn

import (
	"container/list"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync"
)

const (
	// maxHandshake bounds the bytes that a peer may send in a handshake, unless Params has a lower bound. It leaves
	// room for a chain of certificates, much of which crypto/tls goes on to retain.
	maxHandshake = 128 << 10
	// maxQueue bounds the bytes that wait between the loop and a handshake. It is more than two
	// records, so the one that the handshake waits for always fits.
	maxQueue = 40 << 10
)

// handshake is where the goroutine that shakes hands and the loop that owns the connection meet.
type handshake struct {
	// Immutable after start:
	conn   *Conn
	set    *Handshakes
	remote netip.AddrPort
	loop   Poster
	owner  Owner
	client bool
	check  func(tls.ConnectionState) // nil for none
	// maxBytes is how many bytes the peer may send.
	maxBytes int

	// Owned by the goroutine:
	given int  // bytes given to crypto/tls
	slot  bool // holds a turn on the processor

	// Guarded by set.mu:
	source    *source
	counted   bool          // as under way
	displaced bool          // and counted as leaving
	waiting   *list.Element // in set.waiting, while it waits for the peer
	sibling   *list.Element // in source.waiting, the same

	// Guarded by mu, which may be taken while set.mu is held:
	mu     sync.Mutex
	wake   sync.Cond
	in     []byte // from the peer, not yet given to crypto/tls
	out    []byte // for the peer
	full   bool   // the loop found no room
	eof    bool
	why    error // why it was aborted; nil: it was not
	told   bool  // the owner is about to call Advance
	done   bool
	err    error
	frames framer
}

// run is the handshake's goroutine.
func (h *handshake) run() {
	h.enter()
	err := h.shake()
	h.leave()
	h.mu.Lock()
	if h.why != nil {
		err = h.why
	}
	h.mu.Unlock()
	h.set.end(h, err)
	h.mu.Lock()
	h.done, h.err = true, err
	h.tellLocked()
	h.mu.Unlock()
}

// shake keeps a panic, in crypto/tls or in a callback of its Config, from ending the process.
func (h *handshake) shake() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	if err = h.conn.tls.HandshakeContext(context.Background()); err != nil {
		return err
	}
	if h.check != nil {
		h.check(h.conn.tls.ConnectionState())
	}
	fieldsOf.trim(h.conn.tls, h.client)
	return nil
}

// enter waits for a turn on the processor.
func (h *handshake) enter() {
	if !h.slot {
		h.set.slots <- struct{}{}
		h.slot = true
	}
}

// leave ends the turn. The loop gets a turn before the next handshake does: it may be on the same processor,
// and a goroutine that a channel wakes runs ahead of all others, so that each handshake would follow the last.
func (h *handshake) leave() {
	if h.slot {
		runtime.Gosched()
		<-h.set.slots
		h.slot = false
	}
}

// read is wire.Read while the handshake lasts: one record at a time, so that nothing behind the last
// one is in crypto/tls's buffer when the handshake is complete.
func (h *handshake) read(p []byte) (int, error) {
	for {
		h.mu.Lock()
		if h.why != nil {
			h.mu.Unlock()
			return 0, h.why
		}
		if n, _ := h.frames.span(h.in, len(p), 1); n > 0 {
			copy(p, h.in[:n])
			if h.in = h.in[n:]; len(h.in) == 0 {
				h.in = nil
			}
			h.mu.Unlock()
			if h.given += n; h.given > h.maxBytes {
				return 0, errHandshakeSize
			}
			return n, nil
		}
		if h.eof {
			h.mu.Unlock()
			return 0, io.EOF
		}
		if h.full || len(h.conn.wire.out) > 0 {
			h.tellLocked()
		}
		h.mu.Unlock()

		h.set.wait(h)
		h.leave()
		h.mu.Lock()
		for h.why == nil && !h.eof && !h.frames.ready(h.in) {
			h.wake.Wait()
		}
		aborted := h.why != nil
		h.mu.Unlock()
		h.set.resume(h)
		// An aborted handshake ends at once, so that it does not queue with the others.
		if !aborted {
			h.enter()
		}
	}
}

// tellLocked hands over the output of crypto/tls, and has the owner called on its loop. Everything
// written between two waits travels as one.
func (h *handshake) tellLocked() {
	w := &h.conn.wire
	if len(h.out) == 0 {
		h.out, w.out = w.out, nil // what crypto/tls wrote is not used again, so it need not be copied
	} else {
		h.out = append(h.out, w.out...)
		w.out = nil
	}
	h.full = false
	if h.told {
		return
	}
	h.told = true
	h.loop.Post(func() {
		if !h.conn.closed {
			h.owner.Progress()
		}
	})
}

// abort ends the handshake for the given reason, unless it has ended. It does not wait for it.
func (h *handshake) abort(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why == nil && !h.done {
		h.why = why
		h.in = nil
		h.wake.Signal()
	}
}

// Room returns how many bytes Feed takes now. Where it is 0 leave the socket unread: Progress
// reports when there is room again.
func (c *Conn) Room() int {
	h := c.wire.hs
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	room := max(0, maxQueue-len(h.in))
	h.full = room == 0
	return room
}

// Feed hands bytes read from the socket to the handshake, which keeps a copy. fin means that the
// socket has ended behind raw.
func (c *Conn) Feed(raw []byte, fin bool) {
	h := c.wire.hs
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.in = append(h.in, raw...)
	h.eof = h.eof || fin
	if h.eof || h.frames.ready(h.in) {
		h.wake.Signal()
	}
}

// Advance appends to dst the bytes that the handshake has to send. done means that it has ended;
// then err is set if it failed, in which case dst may end with the alert for the peer, to be sent
// before the connection is closed. Else the Conn is ready for Read and Append, and Buffered reports
// whether bytes that came early wait for Read.
func (c *Conn) Advance(dst []byte) (out []byte, done bool, err error) {
	h := c.wire.hs
	if h == nil {
		return dst, true, c.err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	dst = append(dst, h.out...)
	h.out = h.out[:0]
	h.told = false
	if !h.done {
		return dst, false, nil
	}
	c.wire.hs = nil
	c.wire.frames = h.frames
	if c.err = h.err; c.err == nil {
		c.fin = h.eof
		c.keep(h.in) // in memory that is counted, see Buffers
	}
	return dst, true, c.err
}
