package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestForbiddenTrailerCutsNothing: a response with a trailer that must not be one is as complete as any other: the field
// stays behind, and the rest arrives (RFC 9110 section 6.5.1), in every pairing.
func TestForbiddenTrailerCutsNothing(t *testing.T) {
	t.Parallel()
	const answers = 40
	forbidden := []string{"expires", "0", "set-cookie", "a=b", "content-length", "7", "date", "never", "proxy", "x"}
	lines := ""
	for i := 0; i < len(forbidden); i += 2 {
		lines += forbidden[i] + ": " + forbidden[i+1] + "\r\n"
	}
	one := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for n := 0; ; n++ {
			if c.Head() == "" {
				return
			}
			text := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n" + lines + "Sum: 42\r\n\r\n"
			if at := len(text) - 1 - n%answers*4; at > 0 && n > 0 { // wherever it is split
				c.Send("%s", text[:at])
				text = text[at:]
			}
			c.Send("%s", text)
		}
	})
	two := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		for {
			id := c.NextHead()
			if id == 0 {
				return
			}
			c.Fields(id, false, ":status", "200")
			_ = c.WriteData(id, false, []byte("body"))
			c.Fields(id, true, append(forbidden[:len(forbidden):len(forbidden)], "sum", "42")...)
		}
	})
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		endpoint := one
		if exchange.SpeaksHTTP2(p) {
			endpoint = two
		}
		for name, client := range map[string]*http.Client{"h1": servertest.HTTP1Client(t), "h2": servertest.HTTP2Client(t)} {
			for _, scheme := range []string{"http", "https"} {
				t.Run(fmt.Sprintf("%s, %s to %v", name, scheme, p), func(t *testing.T) {
					g := newGateway(t, nil, Options{})
					g.serveProtocol(p, endpoint)
					addr := g.addr
					if scheme == "https" {
						addr = g.secureAddr
					}
					for range answers {
						resp, err := client.Get(scheme + "://" + addr + "/")
						if err != nil {
							t.Fatal(err)
						}
						b, err := io.ReadAll(resp.Body)
						if err != nil || string(b) != "body" {
							t.Fatalf("%q, %v", b, err)
						}
						if len(resp.Trailer) != 1 || resp.Trailer.Get("Sum") != "42" {
							t.Fatalf("trailers %v", resp.Trailer)
						}
						resp.Body.Close()
					}
				})
			}
		}
	}
}

// TestForbiddenTrailerInRequest: nor does one in a request; what follows on the connection is answered too.
func TestForbiddenTrailerInRequest(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		backend, seen := servertest.RecordingBackend(t, p)
		g := newGateway(t, nil, Options{})
		g.serveProtocol(p, backend)
		c := g.wire()
		for _, trailers := range []string{"Expires: 0\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n", "Host: b\r\nSum: 1\r\n", ""} {
			c.Send("%s", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n3\r\nabc\r\n0\r\n"+trailers+"\r\n")
			if a := c.ReadAnswer("POST"); a.StatusCode != 204 {
				t.Fatalf("%v, %q: %d", p, trailers, a.StatusCode)
			}
			text := servertest.NextSeen(t, seen)
			if servertest.HasField(text, "Expires") || servertest.HasField(text, "Content-Length") || strings.Contains(text, ": b\n") || servertest.HasField(text, "Sum") != strings.Contains(trailers, "Sum") {
				t.Errorf("%v, %q: %s", p, trailers, text)
			}
		}
	}
}

// TestTrailersOfAReplay: a request that is sent again has its trailers again, once and filtered.
func TestTrailersOfAReplay(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		seen := make(chan string, 1)
		closing := servertest.RawBackend(t, func(_ int, c *servertest.Wire) { c.Head() })
		if exchange.SpeaksHTTP2(p) {
			closing = servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
				if id := c.NextHead(); id != 0 {
					_ = c.WriteRSTStream(id, http2.ErrCodeRefusedStream)
					_, _ = c.ReadFrame()
				}
			})
		}
		good, got := servertest.RecordingBackend(t, p)
		go func() {
			for text := range got {
				seen <- text
			}
		}()
		g := newGateway(t, nil, Options{})
		g.serveProtocol(p, closing, good)
		for range 4 { // the first Endpoint of some is the one that closes
			c := g.wire()
			c.Send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n3\r\nabc\r\n0\r\nExpires: 0\r\nSum: 42\r\n\r\n")
			if a := c.ReadAnswer("PUT"); a.StatusCode != 204 {
				t.Fatalf("%v: %d", p, a.StatusCode)
			}
			if text := servertest.NextSeen(t, seen); strings.Count(text, "sum: 42\n") != 1 || servertest.HasField(text, "expires") {
				t.Errorf("%v: %s", p, text)
			}
		}
	}
}
