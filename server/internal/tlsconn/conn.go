package tlsconn

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"time"
)

// Owner is the connection that a Conn belongs to. It is called on its loop.
type Owner interface {
	// Progress reports that the handshake has something to send, has room again for the peer's
	// bytes, or has ended: call Advance, and read the socket if it was left unread.
	Progress()
}

// Poster is the Owner's loop.
type Poster interface{ Post(func()) }

// Buffers lends memory to the loop's Conns, InputSize bytes for most Reads, and is used on that loop only.
type Buffers interface {
	// Get returns an empty slice with a capacity of at least n, and of n where n is InputSize.
	Get(n int) []byte
	// Put takes back a slice of Get. It is also handed other slices, to be dropped or kept.
	Put(b []byte)
}

// Bounds on work that a peer can cause after the handshake without sending a byte of plaintext.
const (
	// maxBarren is how much ciphertext may come between two records of data: tickets, key updates,
	// padding. crypto/tls would collect a handshake message of up to 256 KiB.
	maxBarren = 64 << 10
	// maxReply bounds the bytes to send because of records received: answers to key updates.
	maxReply = 4 << 10
)

// Conn is one TLS connection of a loop, made by Handshakes.Server or Handshakes.Client. All methods
// belong to the loop. Must not be copied. Its fields are as small and in such an order that it fits the
// allocator's 160 bytes.
type Conn struct {
	tls  *tls.Conn
	wire wire

	buffers Buffers
	stash   []byte           // ciphertext that waits for the rest of its record, or for room for its plaintext
	lent    *[InputSize]byte // memory that crypto/tls reads into, nil between Reads that leave nothing in it
	err     error            // Read's result from now on
	off     int32            // where stash begins
	more    bool             // crypto/tls may hold plaintext of a record that did not fit
	fin     bool             // nothing follows stash
	closed  bool
}

// wire is the net.Conn beneath crypto/tls: the handshake's while one is under way, the loop's then.
type wire struct {
	hs     *handshake      // nil once the handshake is complete
	remote *netip.AddrPort // of an upstream, for its sessions
	in     []byte          // ciphertext for Read to give to crypto/tls
	out    []byte          // ciphertext from crypto/tls
	frames framer
	barren int32 // bytes since the last plaintext
	inside int32 // records in crypto/tls's buffer, at most
	// reading: crypto/tls was called to decrypt, so its writes are replies.
	reading bool
	// clogged: a reply did not fit. crypto/tls would report that only at the next write.
	clogged bool
}

var _ net.Conn = (*wire)(nil)

// Read implements net.Conn for crypto/tls.
//
// hot: runs per record; no alloc, no lock.
func (w *wire) Read(p []byte) (int, error) {
	if w.hs != nil {
		return w.hs.read(p)
	}
	n, records := w.frames.span(w.in, len(p), len(p))
	if n == 0 {
		return 0, errDry
	}
	if w.barren += int32(n); w.barren > maxBarren {
		return 0, errBarren
	}
	copy(p, w.in[:n])
	w.in = w.in[n:]
	w.inside += int32(records)
	return n, nil
}

// Write implements net.Conn for crypto/tls.
//
// hot: runs per record; no alloc, no lock.
func (w *wire) Write(p []byte) (int, error) {
	if w.reading && len(w.out)+len(p) > maxReply {
		w.clogged = true
		return 0, errReply
	}
	w.out = append(w.out, p...)
	return len(p), nil
}

// Close implements net.Conn. Only tls.Conn.Close would call it, and that is never called.
func (w *wire) Close() error { return nil }

// LocalAddr implements net.Conn.
func (w *wire) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr implements net.Conn. crypto/tls keys client sessions by it where there is no server name. For the
// client of a server it is known during the handshake.
func (w *wire) RemoteAddr() net.Addr {
	switch {
	case w.hs != nil:
		return net.TCPAddrFromAddrPort(w.hs.remote)
	case w.remote != nil:
		return net.TCPAddrFromAddrPort(*w.remote)
	}
	return &net.TCPAddr{}
}

// SetDeadline implements net.Conn. Deadlines are the owner's.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// Read takes over raw, all bytes that were read from the socket and not yet handed in, and decrypts as much
// of them as fits into p. fin means that the socket has ended behind raw. raw is not needed after Read.
//
// n bytes of plaintext are in p. err is nil when more may come; io.EOF after the peer's
// close_notify; io.ErrUnexpectedEOF when the socket ended without one; else the fault: an alert of
// the peer's, or records that do not decrypt. Once not nil it stays. n and err may both be set.
//
// n == 0 without err means that no whole record of data is here. Hand in raw only while Buffered is
// false, and ask for no event while it is true: the buffered bytes have already been read from the
// socket. If p is at least as long as raw and the bytes kept from before, all whole records fit.
// Afterwards, HasReply reports whether something must be sent.
//
// hot: runs per read; no alloc and no lock but those inside crypto/tls, see TestAllocations.
func (c *Conn) Read(p, raw []byte, fin bool) (n int, err error) {
	w := &c.wire
	c.fin = c.fin || fin
	if c.err != nil || w.hs != nil || c.closed {
		return 0, c.err
	}
	borrowed := len(c.stash) == int(c.off)
	if borrowed {
		w.in = raw
	} else {
		c.keep(raw)
		w.in = c.stash[c.off:]
	}
	for n < len(p) && c.whole() {
		m, err := c.decrypt(p[n:])
		n += m
		if err != nil {
			c.err = err
			break
		}
		if m == 0 {
			break
		}
	}
	switch {
	case c.err != nil, len(w.in) == 0:
		c.release()
	case borrowed:
		c.keep(w.in)
	default:
		c.off = int32(len(c.stash) - len(w.in))
	}
	w.in = nil
	c.reclaim()
	if c.fin && c.err == nil && !c.Buffered() {
		c.err = io.ErrUnexpectedEOF
		c.release()
	}
	return n, c.err
}

// whole reports whether crypto/tls can go on without more from the socket.
//
// hot: runs per record; no alloc, no lock.
func (c *Conn) whole() bool {
	return c.more || c.wire.inside > 0 || c.wire.frames.ready(c.wire.in)
}

// decrypt asks crypto/tls once. 0 without an error means that there is no whole record of data.
//
// hot: runs per record; no alloc and no lock but those inside crypto/tls.
func (c *Conn) decrypt(p []byte) (int, error) {
	c.lend()
	w := &c.wire
	rest := c.more
	w.reading = true
	n, err := c.tls.Read(p)
	w.reading = false
	c.more = n == len(p)
	if n > 0 {
		w.barren = 0
		if !rest && w.inside > 0 {
			w.inside--
		}
	}
	if err == error(errDry) {
		w.inside, c.more, err = 0, false, nil
	}
	if w.clogged {
		err = errReply
	}
	return n, err
}

// keep copies b behind stash.
func (c *Conn) keep(b []byte) {
	if len(b) == 0 {
		return
	}
	have := c.stash[c.off:]
	need := len(have) + len(b)
	if end := int(c.off) + need; end > cap(c.stash) || c.off > 0 && end > cap(c.stash)/2 {
		// Room for the whole record whose beginning is b, so that it need not grow again.
		size := expected(have)
		if len(have) == 0 {
			size = expected(b)
		}
		if size > maxRecord {
			size = 0
		}
		if max(need, size) > cap(c.stash) {
			grown := append(c.buffers.Get(max(need, size)), have...)
			if c.stash != nil {
				c.buffers.Put(c.stash)
			}
			c.stash = grown
		} else {
			c.stash = c.stash[:copy(c.stash, have)]
		}
		c.off = 0
	}
	c.stash = append(c.stash, b...)
}

// Held returns how many bytes of memory wait on the connection. Not while its handshake is under way.
func (c *Conn) Held() int {
	n := cap(c.stash)
	if c.lent != nil {
		n += InputSize
	}
	return n
}

func (c *Conn) release() {
	if c.stash != nil {
		c.buffers.Put(c.stash)
		c.stash, c.off = nil, 0
	}
}

// Buffered reports whether Read may give more without more from the socket. While it is true, no
// event may come: read again when there is room. It can be true with nothing buffered, when plaintext
// filled p to its last byte: a Read that gives nothing then does not mean that the socket is drained.
//
// hot: runs per read; no alloc, no lock.
func (c *Conn) Buffered() bool {
	return c.err == nil && (c.more || c.wire.inside > 0 || c.wire.frames.ready(c.stash[c.off:]))
}

// HasReply reports whether Read left something to send, with the next Append or AppendReply: an answer to a
// key update, or the alert that explains why Read failed. To bound the bytes that wait for a peer that does
// not read, take the reply only once everything taken before has been written; Read fails when it grows.
//
// hot: runs per read; no alloc, no lock.
func (c *Conn) HasReply() bool { return len(c.wire.out) > 0 }

// AppendReply appends the reply that HasReply reports to dst.
func (c *Conn) AppendReply(dst []byte) []byte {
	dst = append(dst, c.wire.out...)
	c.wire.out = nil
	return dst
}

// Overhead is the most that a record adds to the plaintext, of which one holds MaxPlain, for sizing
// the dst of Append: header, explicit nonce or type, and tag, of any AEAD.
const (
	Overhead = 32
	MaxPlain = 16 << 10
)

// Append appends the records of p to dst, behind the reply that HasReply reports. It fails only once
// the Conn has failed or CloseNotify was sent; dst is valid in any case.
//
// hot: runs per write; no alloc, no lock but crypto/tls's own.
func (c *Conn) Append(dst, p []byte) ([]byte, error) {
	w := &c.wire
	if len(w.out) > 0 {
		dst = append(dst, w.out...)
	}
	w.out = dst
	_, err := c.tls.Write(p)
	dst, w.out = w.out, nil
	return dst, err
}

// AppendClose appends a close_notify: nothing more will be written. Reading goes on. Calling it
// again appends nothing.
func (c *Conn) AppendClose(dst []byte) []byte {
	w := &c.wire
	if len(w.out) > 0 {
		dst = append(dst, w.out...)
	}
	if w.hs != nil || c.closed {
		return dst
	}
	w.out = dst
	// CloseWrite fails only if the Conn has failed, and then the peer has had an alert.
	_ = c.tls.CloseWrite()
	dst, w.out = w.out, nil
	return dst
}

// Protocol is the result of ALPN, or "". It is valid once the handshake is complete.
func (c *Conn) Protocol() string { return c.tls.ConnectionState().NegotiatedProtocol }

// Suite returns the cipher suite of a connection of TLS 1.2 or below, and 0 for TLS 1.3, whose suites
// cannot be chosen.
func (c *Conn) Suite() uint16 {
	s := c.tls.ConnectionState()
	if s.Version > tls.VersionTLS12 {
		return 0
	}
	return s.CipherSuite
}

// State describes the connection, once the handshake is complete. A server's does not have the client's certificates:
// Params.Check has seen them.
func (c *Conn) State() tls.ConnectionState { return c.tls.ConnectionState() }

// Close frees the Conn's memory, and aborts its handshake, if one is under way: the Owner is not called
// any more, from this moment. why is the reason that the handshake is counted under, such as
// ErrTimeout; nil is ErrAborted. It sends nothing. Closing twice does no harm.
func (c *Conn) Close(why error) {
	if c.closed {
		return
	}
	c.closed = true
	if h := c.wire.hs; h != nil {
		if why == nil {
			why = ErrAborted
		}
		h.abort(why)
		return
	}
	c.release()
	c.reclaim()
	c.wire.out = nil
}
