package wire

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/netip"

	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// The TLS part of Sock: see package tlsconn. Only the loop touches the socket; the bytes of a handshake, which runs on a
// goroutine of its own, pass through here.

// sealRoom is the overhead of the records of one write, which is at most two times ScratchSize.
const sealRoom = 1 << 10

// ConnectTLS begins a handshake in the client's role. owner.Progress is called when the handshake has bytes for Shake.
func (s *Sock) ConnectTLS(config *tls.Config, remote netip.AddrPort, owner tlsconn.Owner) error {
	return s.startShake(s.loop.handshakes.Client(tlsconn.Params{
		Config: config, Remote: remote, Loop: s.loop.Loop, Owner: owner, Buffers: &s.loop.Buffers,
	}))
}

// AcceptTLS begins a handshake in the server's role. hello holds the ClientHello. check, which may be nil, verifies the
// client's certificates: see tlsconn.Params. The client may send room bytes of these beside the rest of its handshake.
func (s *Sock) AcceptTLS(config *tls.Config, remote netip.AddrPort, owner tlsconn.Owner, hello []byte, room int, check func(tls.ConnectionState)) error {
	return s.startShake(s.loop.handshakes.Server(tlsconn.Params{
		Config: config, Remote: remote, Loop: s.loop.Loop, Owner: owner, Buffers: &s.loop.Buffers, Early: hello,
		MaxBytes: shakeBytes + room, Check: check,
	}))
}

// shakeBytes bounds the bytes that a client sends in a handshake, its certificates aside: a ClientHello has 16 KiB at most,
// and the rest a hundred bytes.
const shakeBytes = 32 << 10

// startShake sets s up for the handshake of c, unless err says that there is none.
func (s *Sock) startShake(c *tlsconn.Conn, err error) error {
	if err == nil {
		s.TLS = c
		s.Shaking = true
		s.loop.Await(1)
	}
	return err
}

// errPeerLeft is counted as a peer that closed during its handshake.
var errPeerLeft = fmt.Errorf("the peer left during its TLS handshake: %w", io.ErrUnexpectedEOF)

// Shake moves the bytes of a handshake both ways, until it has ended, or waits for the peer, or for its goroutine, which
// calls owner.Progress.
func (s *Sock) Shake() (done bool, err error) {
	l := s.loop
	for {
		var out []byte
		out, done, err = s.TLS.Advance(l.sealed[:0])
		s.writeSocket(out)
		if done || err != nil {
			if err == nil {
				s.shaken()
			}
			return done, err
		}
		if s.Broken {
			return false, errPeerLeft
		}
		room := min(s.TLS.Room(), len(l.cipher))
		if room == 0 || s.rawEOF {
			return false, nil
		}
		n := 0
		n, s.rawEOF = s.ReadSocket(l.cipher[:room])
		if n == 0 && !s.rawEOF {
			return false, nil
		}
		s.TLS.Feed(l.cipher[:n], s.rawEOF)
	}
}

// shaken ends a handshake, which the loop awaits no more.
func (s *Sock) shaken() {
	if s.Shaking {
		s.Shaking = false
		s.loop.Await(-1)
	}
}

// readTLS is Read for a socket that carries TLS records. An end without close_notify is a failure on a socket that
// NeedsCloseNotify, where it may be a truncation, and a proper end on others: many clients send none.
//
// hot: runs per request; no alloc, no lock.
func (s *Sock) readTLS(p []byte) int {
	if s.Shaking {
		return 0
	}
	l := s.loop
	for {
		var raw []byte
		buffered := s.TLS.Buffered()
		if !buffered {
			m := 0
			if !s.rawEOF {
				m, s.rawEOF = s.ReadSocket(l.cipher[:min(len(p), len(l.cipher))])
			}
			raw = l.cipher[:m]
		}
		n, err := s.TLS.Read(p, raw, s.rawEOF)
		if s.TLS.HasReply() && s.Out.Len() == 0 {
			s.writeSocket(s.TLS.AppendReply(l.sealed[:0]))
		}
		switch {
		case err == io.EOF:
			s.EOF, s.gotCloseNotify = true, true
		case err == io.ErrUnexpectedEOF:
			s.EOF = true
			s.Broken = s.Broken || s.NeedsCloseNotify // after a failed write, a reset reads as an end
		case err != nil:
			s.Broken = true
		case n == 0 && (buffered || len(raw) > 0):
			continue // a part of a record, or one without data
		}
		return n
	}
}

// seal appends the records of p to dst.
//
// hot: runs per write; no alloc, no lock but crypto/tls's own.
func (s *Sock) seal(dst, p []byte) []byte {
	dst, err := s.TLS.Append(dst, p)
	if err != nil {
		s.Broken = true
	}
	return dst
}
