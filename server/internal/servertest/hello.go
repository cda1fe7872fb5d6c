package servertest

import (
	"crypto/tls"
	"net"
	"testing"
)

// ClientHello returns the ClientHello of a client that asks for name.
func ClientHello(t testing.TB, name string) string {
	near, far := net.Pipe()
	go func() { _ = tls.Client(near, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake() }()
	b := make([]byte, 16<<10)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	near.Close()
	return string(b[:n])
}

// BehindHello is a Backend that expects a ClientHello, and gives what follows to f.
func BehindHello(t testing.TB, hello string, f func(c *Wire)) string {
	return RawBackend(t, func(_ int, c *Wire) {
		if got := c.Take(len(hello)); got != hello {
			if got != "" {
				t.Errorf("the Backend saw %q instead of the ClientHello", got)
			}
			return
		}
		f(c)
	})
}
