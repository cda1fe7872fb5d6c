package wire

import (
	"io"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// newLoop returns a Loop that does not run, so that a test can use it on its own goroutine and report events itself.
func newLoop(t testing.TB) *Loop {
	t.Helper()
	on, err := loop.New(0)
	if err != nil {
		t.Fatal(err)
	}
	l := &Loop{}
	l.Init(on, nil)
	t.Cleanup(func() {
		l.ClosePipes(l.IdlePipes())
		for _, fault := range l.Audit() {
			t.Error(fault)
		}
		on.Close()
		if err := on.Serve(); err != nil { // which ends at once, and closes the loop's descriptors
			t.Error(err)
		}
	})
	return l
}

// nobody is a handler that ignores events.
type nobody struct{}

func (nobody) Ready(loop.Events) {}

// connect returns a Sock of l and its peer.
func connect(t testing.TB, l *Loop) (*Sock, *net.TCPConn) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := NewAddr(ln.Addr().(*net.TCPAddr).AddrPort())
	s := NewSock(l)
	l.Use.Descriptors.Add(1)
	if !s.Connect(&addr, nobody{}) {
		t.Fatal("not connected")
	}
	peer, err := ln.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	s.Note(loop.Writable)
	if ended, ok := s.Connected(); !ended || !ok {
		t.Fatalf("connected: %v, %v", ended, ok)
	}
	t.Cleanup(func() { s.Close(); peer.Close() })
	return &s, peer
}

// arrives waits until s has something to read, and notes it.
func arrives(t testing.TB, s *Sock) {
	t.Helper()
	wait(t, s, loop.Readable)
	s.Note(loop.Readable)
}

// full reads n bytes from c.
func full(t testing.TB, c io.Reader, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return b
}
