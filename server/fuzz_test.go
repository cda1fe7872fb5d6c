package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// FuzzExchange gives the gateway arbitrary bytes from a client and from a Backend at once. Whatever they are, the gateway
// lives, the connection ends once the client has ended its side, and two other clients, before and behind, on connections to
// the same Endpoint, get their own answer, whole.
func FuzzExchange(f *testing.F) {
	for i, r := range h1test.Requests {
		if len(r.Raw) < 1000 {
			f.Add([]byte(r.Raw), []byte(h1test.Responses[i%len(h1test.Responses)].Raw))
		}
	}
	for _, r := range h1test.Accepted {
		f.Add([]byte(r.Raw), []byte(servertest.OKResponse("ok")+servertest.Evil))
	}
	for _, r := range h1test.Responses {
		if len(r.Raw) < 1000 {
			f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"), []byte(r.Raw+servertest.Evil))
		}
	}
	f.Add([]byte(servertest.UpgradeRequest+"early"), []byte(servertest.UpgradeResponse+"late"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), []byte(servertest.OKResponse("gggggggg")))
	// What an innocent client gets begins with what no input can hold: it is chosen anew by each process.
	mark := fmt.Sprintf("%016x", rand.Uint64())
	g := newGateway(f, func(c *config.Config) { c.Threads = 1 }, Options{})
	answer := make(chan []byte, 1) // holds what the Backend sends in this round
	g.serve(nil, servertest.RawBackend(f, func(_ int, c *servertest.Wire) {
		for {
			head := c.Head()
			switch {
			case head == "":
				return
			case strings.Contains(head, "\r\nX-Good: "):
				_, token, _ := strings.Cut(head, "\r\nX-Good: ")
				token, _, _ = strings.Cut(token, "\r\n")
				c.Send(servertest.OKResponse(token))
			default:
				bad := <-answer
				answer <- bad
				c.TCPConn.Write(bad)
				c.CloseWrite()
				c.Rest()
				return
			}
		}
	}))
	serial := 0
	good := func(t *testing.T, c *servertest.Wire) {
		serial++
		token := mark + strings.Repeat("g", serial%100)
		c.Send("GET / HTTP/1.1\r\nHost: a\r\nX-Good: %s\r\n\r\n", token)
		if got := c.ReadAnswer("GET"); got.StatusCode != 200 || got.Text != token || got.Cut != nil {
			t.Fatalf("an innocent request got %d %q %v, want %q", got.StatusCode, got.Text, got.Cut, token)
		}
	}
	f.Fuzz(func(t *testing.T, client, backend []byte) {
		if len(client) > 1<<16 || len(backend) > 1<<16 || bytes.Contains(bytes.ToLower(client), []byte("x-good")) {
			return
		}
		g.t = t
		answer <- backend
		before := servertest.NewWire(t, g.dial())
		good(t, before)
		c := servertest.NewWire(t, g.dial())
		c.TCPConn.Write(client)
		c.CloseWrite()
		if text, _ := c.Rest(); strings.Contains(text, mark) {
			t.Fatalf("the client got another's answer: %q", text)
		}
		good(t, before)
		after := servertest.NewWire(t, g.dial())
		good(t, after)
		c.Close()
		before.Close()
		after.Close()
		<-answer
	})
}
