package servertest

import (
	"io"
	"strings"
	"testing"
	"time"
)

const (
	UpgradeRequest  = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhl\r\n\r\n"
	UpgradeResponse = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: czNw\r\n\r\n"
)

// UpgradedBackend is a Backend that answers 101 and then gives the connection to f.
func UpgradedBackend(t testing.TB, f func(c *Wire)) string {
	return RawBackend(t, func(_ int, c *Wire) {
		head := c.Head()
		if !strings.Contains(head, "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n") {
			t.Errorf("the Backend saw %q", head)
		}
		c.Send(UpgradeResponse)
		f(c)
	})
}

// Echo sends back what comes, up to its end.
func Echo(c *Wire) {
	io.Copy(c.TCPConn, c.R)
	c.CloseWrite()
}

// PushUntilFull writes up to most bytes until the peer has taken none for a while, and returns how
// many it took.
func PushUntilFull(c *Wire, most int) (n int) {
	piece := make([]byte, 256<<10)
	for n < most {
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		k, err := c.Write(piece[:min(len(piece), most-n)])
		n += k
		if err != nil {
			return n
		}
	}
	return n
}
