package wire

import (
	"net"
	"testing"
	"time"
)

// TestRefuseConnections: a connection in the queue of a listener is accepted; behind it none can be opened, by IPv4 and IPv6.
func TestRefuseConnections(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	config.SetMultipathTCP(false) // Listeners have none
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := config.Listen(t.Context(), "tcp", addr)
		if err != nil {
			t.Logf("%s: %v", addr, err) // a machine without IPv6
			continue
		}
		defer l.Close()
		queued, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer queued.Close()
		raw, err := l.(*net.TCPListener).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { RefuseConnections(int(fd)) }); err != nil {
			t.Fatal(err)
		}
		late, err := net.DialTimeout("tcp", l.Addr().String(), 200*time.Millisecond) // a SYN is sent again after a second
		if err == nil {
			late.Close()
		}
		if e, ok := err.(net.Error); !ok || !e.Timeout() {
			t.Errorf("%s: connecting got %v, want a timeout", addr, err)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close()
		queued.Write([]byte("x"))
		b := make([]byte, 1)
		if n, err := accepted.Read(b); n != 1 || b[0] != 'x' {
			t.Errorf("%s: read %d %v", addr, n, err)
		}
	}
}
