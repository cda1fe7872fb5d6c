package servertest

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// RawBackend accepts connections and gives each to handle, with its number from 0. A connection is
// closed when handle returns, and at the end of the test.
func RawBackend(t testing.TB, handle func(n int, c *Wire)) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				handle(n, NewWire(t, c))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

// ScriptedBackend is a Backend that answers every request with the same bytes, closing after them if so
// told, and remembers the last head it saw. Bodies are consumed as Content-Length says.
func ScriptedBackend(t testing.TB, answer string, closes bool) (addr string, heads chan string) {
	heads = make(chan string, 100)
	return RawBackend(t, func(_ int, c *Wire) {
		for {
			head := c.Head()
			if head == "" {
				return
			}
			if _, length, ok := strings.Cut(head, "\r\nContent-Length: "); ok {
				var n int
				fmt.Sscan(length, &n)
				c.Take(n)
			}
			select {
			case heads <- head:
			default: // nobody looks
			}
			c.Send(answer)
			if closes {
				return
			}
		}
	}), heads
}

// FaultyBackend answers every target but /bad with "fine", on connections that stay open, and gives
// /bad to bad. What bad returns is whether the connection goes on.
func FaultyBackend(t testing.TB, bad func(c *Wire) bool) string {
	return RawBackend(t, func(_ int, c *Wire) {
		for {
			head := c.Head()
			switch {
			case head == "":
				return
			case Target(head) != "/bad":
				c.Send(OKResponse("fine"))
			case !bad(c):
				return
			}
		}
	})
}

// Evil is a response that nobody asked for. Whoever gets it was served another's bytes.
const Evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
