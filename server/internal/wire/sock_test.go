package wire

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/loop"
	"golang.org/x/sys/unix"
)

// body returns n bytes, of which no two pieces are alike.
func body(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	return b
}

// TestSockWrites: bytes that a peer does not take are copied, counted and sent later, and the caller owns its own again.
func TestSockWrites(t *testing.T) {
	l := newLoop(t)
	s, peer := connect(t, l)
	want := body(16 << 20)
	p := bytes.Clone(want)
	s.Write2(p[:100], p[100:])
	clear(p)
	if s.Pending() == 0 || s.Writable {
		t.Fatalf("a peer that reads nothing took it all; writable: %v", s.Writable)
	}
	if held := s.Holds(); held < int64(s.Pending()) || l.Buffers.Lent() != held {
		t.Errorf("%d bytes wait in %d bytes of memory, of which %d are counted", s.Pending(), held, l.Buffers.Lent())
	}
	s.ShutWrite()
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(peer)
		got <- b
	}()
	for !s.Flush() {
		wait(t, s, loop.Writable)
		s.Note(loop.Writable)
	}
	if !bytes.Equal(<-got, want) {
		t.Error("the peer read something else")
	}
	if s.Holds() != 0 {
		t.Errorf("%d bytes are held when all has left", s.Holds())
	}
}

// TestSockReads: a read that empties the socket clears Readable, held bytes come first, and an end is seen behind the last
// byte.
func TestSockReads(t *testing.T) {
	l := newLoop(t)
	s, peer := connect(t, l)
	var b [64]byte
	peer.Write([]byte("one"))
	arrives(t, s)
	if n := s.Read(b[:]); string(b[:n]) != "one" || s.Readable {
		t.Fatalf("read %q; readable: %v", b[:n], s.Readable)
	}
	s.Keep([]byte("kept"))
	s.Drop(1)
	if got := string(s.Held()); got != "ept" {
		t.Errorf("held: %q", got)
	}
	s.Drop(3)
	peer.Write([]byte("two"))
	peer.CloseWrite()
	wait(t, s, loop.ReadClosed)
	s.Note(loop.Readable | loop.ReadClosed)
	if n := s.Read(b[:]); string(b[:n]) != "two" || s.Ended() {
		t.Fatalf("read %q; ended: %v", b[:n], s.Ended())
	}
	if n := s.Read(b[:]); n != 0 || !s.EndedWell() {
		t.Errorf("read %d bytes more; ended well: %v", n, s.EndedWell())
	}
}

// TestSockBreaks: bytes that came before a reset can be read, and none are kept for a peer that is gone.
func TestSockBreaks(t *testing.T) {
	l := newLoop(t)
	s, peer := connect(t, l)
	peer.SetLinger(0)
	peer.Close()
	wait(t, s, loop.Readable)
	s.Note(loop.Readable | loop.ReadClosed | loop.Failed)
	var b [8]byte
	if n := s.Read(b[:]); n != 0 || !s.Lost() || !s.WriteBroken() || s.EndedWell() {
		t.Errorf("read %d bytes; lost: %v, ended well: %v", n, s.Lost(), s.EndedWell())
	}
	s.Write(b[:])
	if s.Pending() != 0 {
		t.Errorf("%d bytes wait for a peer that is gone", s.Pending())
	}
}

// TestSockFinFollows: the FIN goes in the packet of the last bytes, whichever call writes them and whichever ends.
func TestSockFinFollows(t *testing.T) {
	segments := func(c *net.TCPConn) uint32 {
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var info *unix.TCPInfo
		if controlErr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); controlErr != nil || err != nil {
			t.Fatal(controlErr, err)
		}
		return info.Segs_in
	}
	for _, row := range []struct {
		name    string
		follows bool
		more    uint32 // segments beyond one
		write   func(s *Sock)
		end     func(s *Sock)
	}{
		{"write and close", true, 0, func(s *Sock) { s.Write([]byte("bye")) }, (*Sock).Close},
		{"two writes and close", true, 0, func(s *Sock) { s.Write([]byte("b")); s.Write([]byte("ye")) }, (*Sock).Close},
		{"gathering write and close", true, 0, func(s *Sock) { s.Write2([]byte("b"), []byte("ye")) }, (*Sock).Close},
		{"write and shutdown", true, 0, func(s *Sock) { s.Write([]byte("bye")) }, (*Sock).ShutWrite},
		{"write, no end announced", false, 1, func(s *Sock) { s.Write([]byte("bye")) }, (*Sock).Close},
	} {
		l := newLoop(t)
		s, peer := connect(t, l)
		before := segments(peer)
		s.FinFollows = row.follows
		row.write(s)
		row.end(s)
		if got, err := io.ReadAll(peer); string(got) != "bye" || err != nil {
			t.Errorf("%s: the peer read %q, %v", row.name, got, err)
		}
		if n := segments(peer) - before; n != 1+row.more {
			t.Errorf("%s: %d segments, want %d", row.name, n, 1+row.more)
		}
	}
}
