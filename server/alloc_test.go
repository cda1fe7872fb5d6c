//go:build !race && !invariants

package server

import (
	"bytes"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// thriftyBackend answers without an allocation.
func thriftyBackend(t *testing.T) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	plain := []byte("HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
	chunked := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var b [4096]byte
				for {
					n, err := c.Read(b[:])
					if err != nil {
						return
					}
					answer := plain
					if bytes.Contains(b[:n], []byte("/chunked")) {
						answer = chunked
					}
					c.Write(answer)
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// TestNoAllocations sends requests over one connection, with a client and a Backend that allocate nothing themselves, and
// counts what the process allocated: nothing per request, whatever the body's framing.
func TestNoAllocations(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serve(nil, thriftyBackend(t))
	for name, tt := range map[string]struct {
		request []byte
		end     []byte
	}{
		"GET":            {[]byte("GET /a/b?c=d HTTP/1.1\r\nHost: app.test\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"), []byte("hello")},
		"dirty path":     {[]byte("GET /a//b/../%41 HTTP/1.1\r\nHost: APP.test:80\r\n\r\n"), []byte("hello")},
		"POST":           {[]byte("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody"), []byte("hello")},
		"chunked":        {[]byte("POST /chunked HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"), []byte("0\r\n\r\n")},
		"refused path":   {[]byte("GET /../.. HTTP/1.1\r\nHost: app.test\r\n\r\n"), []byte("path\n")},
		"error answer":   {[]byte("GET / HTTP/1.1\r\nHost: app.test\r\nExpect: magic\r\n\r\n"), []byte("expectation\n")},
		"own connection": {[]byte("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n"), []byte("hello")},
	} {
		t.Run(name, func(t *testing.T) {
			wantNoAllocations(t, g, tt.request, tt.end)
		})
	}
}

// wantNoAllocations sends request again and again, whose answer ends with end.
func wantNoAllocations(t *testing.T, g *gateway, request, end []byte) {
	t.Helper()
	c := g.dial()
	var b [4096]byte
	do := func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		for n := 0; !bytes.HasSuffix(b[:n], end); {
			k, err := c.Read(b[n:])
			if err != nil {
				t.Fatalf("after %q: %v", b[:n], err)
			}
			n += k
		}
	}
	servertest.WantNoAllocations(t, t.Name(), servertest.Times(5000, 1500), do)
}

// TestNoAllocationsTakenOver is TestNoAllocations for an object that was taken over from ingress-nginx, with a proxy in front that
// is believed, and one that is not.
func TestNoAllocationsTakenOver(t *testing.T) {
	for _, trusted := range []string{"", "127.0.0.0/8"} {
		g := newGateway(t, func(c *config.Config) {
			c.Threads = 1
			if trusted != "" {
				c.Forwarded.TrustedCIDRs = []string{trusted}
			}
			c.Forwarded.FullList, c.Forwarded.OriginalURI = true, true
		}, Options{})
		g.serve(nil, thriftyBackend(t))
		g.takenOver()
		wantNoAllocations(t, g, []byte("GET /a/b?c=d HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 192.0.2.1, 192.0.2.2\r\nX-Forwarded-Host: a.test\r\n"+
			"X-Forwarded-Proto: https\r\nX-Request-ID: mine\r\nForwarded: for=192.0.2.3\r\nX-Other: x\r\n\r\n"), []byte("hello"))
	}
}
