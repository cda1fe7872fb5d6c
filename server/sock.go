package server

import (
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// sock is a non-blocking stream socket with what waits on it. Owned by its worker's loop.
//
// Readiness is edge-triggered, so it is remembered here: readable and writable stay true until a
// system call says otherwise. A read that fills less than it was given has emptied the socket
// (epoll(7)), which saves the read that would return EAGAIN; once the peer's FIN is known, reading
// goes on until it is seen.
type sock struct {
	src loop.Source
	w   *worker

	in  buffer // read, not yet consumed
	out buffer // to be written

	readable   bool
	writable   bool
	peerClosed bool // FIN seen by epoll: read until 0
	eof        bool // read returned 0
	broken     bool // reset, or an error from a system call
}

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
	if !s.readable || s.eof || !s.src.Open() {
		return 0
	}
	for {
		n, errno := loop.Read(s.src.FD(), p)
		switch errno {
		case 0:
			if n == 0 {
				s.eof = true
			} else if n < len(p) && !s.peerClosed {
				s.readable = false
			}
			return n
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.readable = false
			return 0
		default:
			s.broken, s.readable = true, false
			return 0
		}
	}
}

// write sends p, and keeps what the kernel does not take now: the caller owns p again afterwards.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) write(p []byte) {
	if s.broken || len(p) == 0 {
		return
	}
	if s.out.len() == 0 && s.writable {
		n := s.writeOnce(p)
		if n == len(p) || s.broken {
			return
		}
		p = p[n:]
	}
	s.w.buffers.append(&s.out, p)
}

// write2 sends a and b as one.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) write2(a, b []byte) {
	if s.broken {
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
			s.w.buffers.append(&s.out, b[n-len(a):])
			return
		}
		a = a[n:]
	}
	s.w.buffers.append(&s.out, a)
	s.w.buffers.append(&s.out, b)
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

// flush writes what waits, and reports whether nothing is left.
//
// hot: runs per request; no alloc, no lock.
func (s *sock) flush() bool {
	if s.out.len() == 0 {
		return true
	}
	if s.writable && !s.broken {
		if n := s.writeOnce(s.out.bytes()); n > 0 {
			s.w.buffers.consume(&s.out, n)
		}
	}
	return s.out.len() == 0
}

// What follows makes sock the byte part of a side.

func (s *sock) held() []byte          { return s.in.bytes() }
func (s *sock) drop(n int)            { s.w.buffers.consume(&s.in, n) }
func (s *sock) keep(p []byte)         { s.w.buffers.append(&s.in, p) }
func (s *sock) ended() bool           { return s.eof }
func (s *sock) lost() bool            { return s.broken }
func (s *sock) lastHeld() bool        { return false }
func (s *sock) trailers() []byte      { return nil }
func (s *sock) send(p []byte, _ bool) { s.write(p) }
func (s *sock) pending() int          { return s.out.len() }
func (s *sock) plain() *sock          { return s }

// sendTrailers has nothing to do: a body that is neither in chunks nor of known length ends with the
// connection, and its trailers are lost (RFC 9110, 6.5.1 allows that).
func (s *sock) sendTrailers([]byte) {}

func (s *sock) shutWrite() { _ = syscall.Shutdown(s.src.FD(), syscall.SHUT_WR) }

// close closes the socket and gives its buffers back. Closing twice does no harm.
func (s *sock) close() {
	s.w.loop.CloseSource(&s.src)
	s.w.buffers.release(&s.in)
	s.w.buffers.release(&s.out)
	s.broken = true
}

// reset makes close send a RST: for a response that has no other way to say that it is not whole.
func (s *sock) reset() {
	if s.src.Open() {
		_ = syscall.SetsockoptLinger(s.src.FD(), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	}
}
