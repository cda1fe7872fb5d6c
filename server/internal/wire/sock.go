package wire

import (
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// Sock is a non-blocking stream socket with its unread and unsent bytes, with or without TLS. Owned by its Loop, and
// embedded in the type that knows its protocol.
//
// Readiness is edge-triggered, so a Sock remembers it: Readable and Writable stay true until a system call finds otherwise.
// A read that fills less than its buffer has emptied the socket (epoll(7)), which saves the read that would return EAGAIN;
// once the peer's FIN is known, reads go on until one returns 0.
type Sock struct {
	Src  loop.Source
	loop *Loop
	TLS  *tlsconn.Conn // nil on a plain connection

	In  Buffer // read, not yet consumed
	Out Buffer // to be written

	// Set by Note from epoll's events, and cleared by the system call that finds otherwise:
	Readable   bool
	Writable   bool
	PeerClosed bool // FIN seen: read until 0

	// Set by reads and writes:
	EOF    bool // read returned 0
	Broken bool // reset, or an error from a system call
	shut   bool // nothing is sent after Out: FIN follows once that has left

	// Set by Connect, and cleared by Connected:
	Connecting bool // connect(2) is under way

	// Set by TLS:
	Shaking        bool // a handshake is under way
	rawEOF         bool // the socket has ended; EOF is the end of the plaintext
	gotCloseNotify bool // the peer sent close_notify: nothing is missing, however the socket ends

	// Set by the owner:
	NeedsCloseNotify bool // an end without close_notify is a failure
	NoCloseNotify    bool // close without close_notify, so that a cut response is not taken for a complete one
	FinFollows       bool // Close or ShutWrite follows what is written, in the same turn: the FIN goes in its last packet

	// Set by Connect, and cleared by Close:
	counted bool // in Loop.Use.Descriptors
}

// NewSock returns a socket of l that is not open yet.
func NewSock(l *Loop) Sock { return Sock{loop: l} }

// Note stores the events that epoll reported.
func (s *Sock) Note(ev loop.Events) {
	if ev&loop.Writable != 0 {
		s.Writable = true
	}
	if ev&(loop.Readable|loop.ReadClosed) != 0 {
		s.Readable = true
	}
	if ev&loop.ReadClosed != 0 {
		s.PeerClosed = true
	}
	if ev&loop.Failed != 0 {
		s.Broken = true
		s.Readable = true
	}
}

// Read reads once into p. It returns 0 when the socket is empty, at the end (EOF) and on failure (Broken). Bytes that
// arrived before a reset, or before a write failed, can still be read: they may be the response that tells the cause.
//
// hot: runs per request; no alloc, no lock.
func (s *Sock) Read(p []byte) int {
	if s.EOF || !s.Src.Open() {
		return 0
	}
	if s.TLS != nil {
		return s.readTLS(p)
	}
	n, end := s.ReadSocket(p)
	s.EOF = end
	return n
}

// ReadSocket reads the socket once, TLS records undecrypted. end says that the peer has shut its side.
//
// hot: runs per request; no alloc, no lock.
func (s *Sock) ReadSocket(p []byte) (n int, end bool) {
	if !s.Readable {
		return 0, false
	}
	for {
		n, errno := loop.Read(s.Src.FD(), p)
		switch errno {
		case 0:
			if n == 0 {
				return 0, true
			}
			if n < len(p) && !s.PeerClosed {
				s.Readable = false
			}
			return n, false
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.Readable = false
			return 0, false
		default:
			s.Broken, s.Readable = true, false
			return 0, false
		}
	}
}

// Write sends p, and keeps a copy of the part that the kernel does not take now.
//
// hot: runs per request; no alloc, no lock.
func (s *Sock) Write(p []byte) {
	if s.TLS != nil {
		p = s.seal(s.loop.sealed[:0], p)
	}
	s.writeSocket(p)
}

// writeSocket is Write without TLS.
//
// hot: runs per request; no alloc, no lock.
func (s *Sock) writeSocket(p []byte) {
	if s.Broken || s.shut || len(p) == 0 {
		return
	}
	if s.Out.Len() == 0 && s.Writable {
		n := s.writeOnce(p)
		if n == len(p) || s.Broken {
			return
		}
		p = p[n:]
	}
	s.loop.Buffers.Append(&s.Out, p)
}

// Write2 sends a and b as one.
//
// hot: runs per request; no alloc, no lock.
func (s *Sock) Write2(a, b []byte) {
	if s.Broken || s.shut {
		return
	}
	if s.TLS != nil {
		s.writeSocket(s.seal(s.seal(s.loop.sealed[:0], a), b))
		return
	}
	if s.Out.Len() == 0 && s.Writable {
		n, errno := loop.Writev(s.Src.FD(), a, b, s.FinFollows)
		for errno == syscall.EINTR {
			n, errno = loop.Writev(s.Src.FD(), a, b, s.FinFollows)
		}
		if errno == 0 && n == len(a)+len(b) {
			return
		}
		if errno != 0 {
			n = 0
			if errno != syscall.EAGAIN {
				s.Broken, s.Readable = true, true
				return
			}
		}
		s.Writable = false
		if n >= len(a) {
			s.loop.Buffers.Append(&s.Out, b[n-len(a):])
			return
		}
		a = a[n:]
	}
	s.loop.Buffers.Append(&s.Out, a)
	s.loop.Buffers.Append(&s.Out, b)
}

// writeOnce calls write(2) once, and returns how many bytes of p the kernel took.
func (s *Sock) writeOnce(p []byte) int {
	for {
		n, errno := loop.Write(s.Src.FD(), p, s.FinFollows)
		switch errno {
		case 0:
			if n < len(p) {
				s.Writable = false
			}
			return n
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.Writable = false
			return 0
		default:
			s.Broken, s.Readable = true, true
			return 0
		}
	}
}

// Push writes as much of p as the socket takes, and returns how many bytes: for an owner that keeps the rest.
//
// hot: runs per batch of events; no alloc, no lock.
func (s *Sock) Push(p []byte) int {
	if !s.Writable || s.Broken {
		return 0
	}
	if s.TLS != nil {
		if !s.Flush() {
			return 0
		}
		p = p[:min(len(p), ScratchSize)]
		s.Write(p)
		return len(p)
	}
	return s.writeOnce(p)
}

// Flush writes pending bytes, and reports whether none are left.
//
// hot: runs per request; no alloc, no lock.
func (s *Sock) Flush() bool {
	if s.Out.Len() == 0 {
		return true
	}
	if s.Writable && !s.Broken {
		if n := s.writeOnce(s.Out.Bytes()); n > 0 {
			s.loop.Buffers.Consume(&s.Out, n)
		}
	}
	if s.Out.Len() > 0 {
		return false
	}
	if s.shut {
		s.endWrite()
	}
	return true
}

// The rest of Bytes.

func (s *Sock) Held() []byte          { return s.In.Bytes() }
func (s *Sock) Drop(n int)            { s.loop.Buffers.Consume(&s.In, n) }
func (s *Sock) Keep(p []byte)         { s.loop.Buffers.Append(&s.In, p) }
func (s *Sock) Ended() bool           { return s.EOF }
func (s *Sock) Lost() bool            { return s.Broken }
func (s *Sock) EndedWell() bool       { return s.EOF && (!s.Broken || s.gotCloseNotify) }
func (s *Sock) WriteBroken() bool     { return s.Broken }
func (s *Sock) LastHeld() bool        { return false }
func (s *Sock) Trailers() []byte      { return nil }
func (s *Sock) Send(p []byte, _ bool) { s.Write(p) }
func (s *Sock) Pending() int          { return s.Out.Len() }

// SendTrailers implements Bytes: it drops the trailers. A body that is neither in chunks nor of known length ends with the
// connection, and has no place for them (RFC 9110 section 6.5.1 allows that).
func (s *Sock) SendTrailers([]byte) {}

// Plain implements Bytes: the kernel cannot move bytes that have to be encrypted or decrypted.
func (s *Sock) Plain() *Sock {
	if s.TLS != nil {
		return nil
	}
	return s
}

// Unacknowledged implements Bytes.
func (s *Sock) Unacknowledged() int {
	if s.Broken || !s.Src.Open() {
		return 0
	}
	return s.Out.Len() + loop.Unacknowledged(s.Src.FD())
}

// ShutWrite implements Bytes. The FIN follows TLS's close_notify once that has left. A socket is shut only once: each
// shutdown reports it as writable, and an owner that shuts it on that event would never stop.
func (s *Sock) ShutWrite() {
	if s.shut || s.Broken {
		return
	}
	if s.TLS != nil {
		s.writeSocket(s.TLS.AppendClose(s.loop.sealed[:0]))
	}
	s.shut = true
	if s.Out.Len() == 0 {
		s.endWrite()
	}
}

func (s *Sock) endWrite() { _ = syscall.Shutdown(s.Src.FD(), syscall.SHUT_WR) }

// Close closes the socket and returns its buffers. It may be called again.
func (s *Sock) Close() {
	if s.TLS != nil {
		if !s.Shaking && !s.Broken && !s.NoCloseNotify && s.Out.Len() == 0 && s.Src.Open() {
			s.writeSocket(s.TLS.AppendClose(s.loop.sealed[:0]))
		}
		s.TLS.Close(nil)
		s.shaken()
	}
	s.loop.CloseSource(&s.Src)
	if s.counted {
		s.counted = false
		s.loop.giveDescriptors(1)
	}
	s.loop.Buffers.Release(&s.In)
	s.loop.Buffers.Release(&s.Out)
	s.Broken = true
}

// AckAtOnce has the kernel acknowledge the first segments as they come, and what it holds back by now: a peer with Nagle's
// algorithm (RFC 9293 section 3.7.4) sends the next piece of its message only then.
func (s *Sock) AckAtOnce() {
	if s.Src.Open() {
		SetInt(s.Src.FD(), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	}
}

// Connect begins to connect to to, and reports whether it could. The socket's events go to h. The caller has counted the
// descriptor in Loop.Use; Close counts it as closed, and so does Connect where it returns false.
func (s *Sock) Connect(to *Addr, h loop.Handler) bool {
	fd, connected := to.connect()
	if fd < 0 || s.loop.Register(&s.Src, fd, h) != nil {
		s.loop.giveDescriptors(1)
		return false
	}
	s.counted, s.Writable, s.Connecting = true, connected, !connected
	return true
}

// Connected reports whether the connect that Connect began has ended, and whether the connection is established. It is
// called at each event until the connect has ended.
func (s *Sock) Connected() (ended, ok bool) {
	if !s.Writable && !s.Broken && !s.PeerClosed {
		return false, false
	}
	s.Connecting = false
	code, err := syscall.GetsockoptInt(s.Src.FD(), syscall.SOL_SOCKET, syscall.SO_ERROR)
	return true, err == nil && code == 0
}

// Reset makes Close send a RST, so that the peer does not take a cut response for a complete one.
func (s *Sock) Reset() {
	s.NoCloseNotify = true
	if s.Src.Open() {
		_ = syscall.SetsockoptLinger(s.Src.FD(), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	}
}

// Holds returns how many bytes of memory s has borrowed, its TLS included.
func (s *Sock) Holds() int64 {
	n := int64(s.In.borrowed() + s.Out.borrowed())
	if s.TLS != nil && !s.Shaking {
		n += int64(s.TLS.Held())
	}
	return n
}
