package server

import (
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// sock is a non-blocking stream socket with what waits on it. Owned by its worker's loop.
//
// Readiness is edge-triggered, so it is remembered here: readable and writable stay true until a
// system call says otherwise. A read that fills less than it was given has emptied the socket
// (epoll(7)), which saves the read that would return EAGAIN; once the peer's FIN is known, reading
// goes on until it is seen.
type sock struct {
	src  loop.Source
	loop *wireLoop
	tls  *tlsconn.Conn // nil on a plain connection

	in  buffer // read, not yet consumed
	out buffer // to be written

	// Set by note, of what epoll reports, and cleared by the system call that finds otherwise:
	readable   bool
	writable   bool
	peerClosed bool // FIN seen: read until 0

	// Set by reads and writes:
	eof    bool // read returned 0
	broken bool // reset, or an error from a system call
	shut   bool // nothing more is sent behind out: the peer is told the end once that has left

	// Set by connect, and cleared by connectEnded:
	connecting bool // to an Endpoint

	// Set by TLS:
	shaking bool // a handshake is under way
	rawEOF  bool // the socket has ended; eof is the end of what it carries
	told    bool // the peer told the end itself (close_notify): nothing is missing, however the socket ends

	// Set by the owner:
	strict  bool // an end without close_notify is a failure
	mute    bool // close without close_notify, so that a cut response is not taken for a complete one
	counted bool // among the descriptors of the Endpoints' side
}

// newSock returns a socket of l that is not open yet.
func newSock(l *wireLoop) sock { return sock{loop: l} }

// note takes over what epoll reported.
func (s *sock) note(ev loop.Events) {
	if ev&loop.Writable != 0 {
		s.writable = true
	}
	if ev&(loop.Readable|loop.ReadClosed) != 0 {
		s.readable = true
	}
	if ev&loop.ReadClosed != 0 {
		s.peerClosed = true
	}
	if ev&loop.Failed != 0 {
		s.broken = true
		s.readable = true
	}
}

// read reads once into p. It returns 0 when there is nothing now, at the end (eof) and on failure
// (broken). What had arrived before a reset, or before a write failed, can still be read: it may be the
// answer that says why.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) read(p []byte) int {
	if s.eof || !s.src.Open() {
		return 0
	}
	if s.tls != nil {
		return s.readTLS(p)
	}
	n, end := s.readSocket(p)
	s.eof = end
	return n
}

// readSocket reads the socket once. end says that the peer has shut its side.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) readSocket(p []byte) (n int, end bool) {
	if !s.readable {
		return 0, false
	}
	for {
		n, errno := loop.Read(s.src.FD(), p)
		switch errno {
		case 0:
			if n == 0 {
				return 0, true
			}
			if n < len(p) && !s.peerClosed {
				s.readable = false
			}
			return n, false
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.readable = false
			return 0, false
		default:
			s.broken, s.readable = true, false
			return 0, false
		}
	}
}

// write sends p, and keeps what the kernel does not take now: the caller owns p again afterwards.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) write(p []byte) {
	if s.tls != nil {
		p = s.seal(s.loop.sealed[:0], p)
	}
	s.writeSocket(p)
}

// writeSocket is write for bytes as the socket takes them.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) writeSocket(p []byte) {
	if s.broken || s.shut || len(p) == 0 {
		return
	}
	if s.out.len() == 0 && s.writable {
		n := s.writeOnce(p)
		if n == len(p) || s.broken {
			return
		}
		p = p[n:]
	}
	s.loop.buffers.append(&s.out, p)
}

// write2 sends a and b as one.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) write2(a, b []byte) {
	if s.broken || s.shut {
		return
	}
	if s.tls != nil {
		s.writeSocket(s.seal(s.seal(s.loop.sealed[:0], a), b))
		return
	}
	if s.out.len() == 0 && s.writable {
		n, errno := loop.Writev(s.src.FD(), a, b)
		for errno == syscall.EINTR {
			n, errno = loop.Writev(s.src.FD(), a, b)
		}
		if errno == 0 && n == len(a)+len(b) {
			return
		}
		if errno != 0 {
			n = 0
			if errno != syscall.EAGAIN {
				s.broken, s.readable = true, true
				return
			}
		}
		s.writable = false
		if n >= len(a) {
			s.loop.buffers.append(&s.out, b[n-len(a):])
			return
		}
		a = a[n:]
	}
	s.loop.buffers.append(&s.out, a)
	s.loop.buffers.append(&s.out, b)
}

func (s *sock) writeOnce(p []byte) int {
	for {
		n, errno := loop.Write(s.src.FD(), p)
		switch errno {
		case 0:
			if n < len(p) {
				s.writable = false
			}
			return n
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.writable = false
			return 0
		default:
			s.broken, s.readable = true, true
			return 0
		}
	}
}

// push writes what it can of p, and returns how much that was: for an owner that keeps the rest.
//
// hot: runs per batch of events; no alloc, no lock.
func (s *sock) push(p []byte) int {
	if !s.writable || s.broken {
		return 0
	}
	if s.tls != nil {
		if !s.flush() {
			return 0
		}
		p = p[:min(len(p), scratchSize)]
		s.write(p)
		return len(p)
	}
	return s.writeOnce(p)
}

// flush writes what waits, and reports whether nothing is left.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) flush() bool {
	if s.out.len() == 0 {
		return true
	}
	if s.writable && !s.broken {
		if n := s.writeOnce(s.out.bytes()); n > 0 {
			s.loop.buffers.consume(&s.out, n)
		}
	}
	if s.out.len() > 0 {
		return false
	}
	if s.shut {
		s.endWrite()
	}
	return true
}

// What follows makes sock the byte part of a side.

func (s *sock) held() []byte          { return s.in.bytes() }
func (s *sock) drop(n int)            { s.loop.buffers.consume(&s.in, n) }
func (s *sock) keep(p []byte)         { s.loop.buffers.append(&s.in, p) }
func (s *sock) ended() bool           { return s.eof }
func (s *sock) lost() bool            { return s.broken }
func (s *sock) endedWell() bool       { return s.eof && (!s.broken || s.told) }
func (s *sock) deaf() bool            { return s.broken }
func (s *sock) lastHeld() bool        { return false }
func (s *sock) trailers() []byte      { return nil }
func (s *sock) send(p []byte, _ bool) { s.write(p) }
func (s *sock) pending() int          { return s.out.len() }

// sendTrailers has nothing to do: a body that is neither in chunks nor of known length ends with the
// connection, and its trailers are lost (RFC 9110, 6.5.1 allows that).
func (s *sock) sendTrailers([]byte) {}

// plain implements side: bytes that are encrypted have to be seen.
func (s *sock) plain() *sock {
	if s.tls != nil {
		return nil
	}
	return s
}

// unacknowledged implements side.
func (s *sock) unacknowledged() int {
	if s.broken || !s.src.Open() {
		return 0
	}
	return s.out.len() + loop.Unacknowledged(s.src.FD())
}

// shutWrite implements side. TLS has an end of its own, behind which the socket's is only told when that
// has left. Shutting a socket twice reports it as writable twice, and who shuts it for that does so for ever.
func (s *sock) shutWrite() {
	if s.shut || s.broken {
		return
	}
	if s.tls != nil {
		s.writeSocket(s.tls.AppendClose(s.loop.sealed[:0]))
	}
	s.shut = true
	if s.out.len() == 0 {
		s.endWrite()
	}
}

func (s *sock) endWrite() { _ = syscall.Shutdown(s.src.FD(), syscall.SHUT_WR) }

// close closes the socket and gives its buffers back. Closing twice does no harm.
func (s *sock) close() {
	if s.tls != nil {
		if !s.shaking && !s.broken && !s.mute && s.out.len() == 0 && s.src.Open() {
			s.writeSocket(s.tls.AppendClose(s.loop.sealed[:0]))
		}
		s.tls.Close(nil)
		s.shaken()
	}
	s.loop.CloseSource(&s.src)
	if s.counted {
		s.counted = false
		s.loop.giveDescriptors(1)
	}
	s.loop.buffers.release(&s.in)
	s.loop.buffers.release(&s.out)
	s.broken = true
}

// connect begins to connect to to, for which the caller has counted a descriptor, and reports whether it could: if not, the
// descriptor was given back. The socket's events go to h.
func (s *sock) connect(to *sockaddr, h loop.Handler) bool {
	fd, connected := to.connect()
	if fd < 0 || s.loop.Register(&s.src, fd, h) != nil {
		s.loop.giveDescriptors(1)
		return false
	}
	s.counted, s.writable, s.connecting = true, connected, !connected
	return true
}

// connectEnded reports whether the connect that connect began has ended, and whether the connection is established. It is
// asked once more at each event until it has.
func (s *sock) connectEnded() (ended, ok bool) {
	if !s.writable && !s.broken && !s.peerClosed {
		return false, false
	}
	s.connecting = false
	code, err := syscall.GetsockoptInt(s.src.FD(), syscall.SOL_SOCKET, syscall.SO_ERROR)
	return true, err == nil && code == 0
}

// reset makes close send a RST, so that the peer does not take a response that was cut for a complete one.
func (s *sock) reset() {
	s.mute = true
	if s.src.Open() {
		_ = syscall.SetsockoptLinger(s.src.FD(), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	}
}

// holds returns how many bytes of memory wait on s.
func (s *sock) holds() int64 {
	n := int64(s.in.cap() + s.out.cap())
	if s.tls != nil && !s.shaking {
		n += int64(s.tls.Held())
	}
	return n
}
