package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestMediaTypeGivesNoTime: a body that does not come ends its request after timeouts.body, whatever the request's media
// type and Endpoint are. Only a stream of messages between two sides of HTTP/2 may rest longer: as long as a tunnel.
func TestMediaTypeGivesNoTime(t *testing.T) {
	t.Parallel()
	mute := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	clear, secure := servertest.StartBackend(t, false, mute), servertest.StartBackend(t, true, mute)
	for _, p := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPC, routing.GRPCS} {
		addr := clear
		if p == routing.HTTPS || p == routing.GRPCS {
			addr = secure
		}
		for _, media := range []string{"text/plain", "application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web-text"} {
			for _, streams := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v, %s, client of HTTP/2 %v", p, media, streams), func(t *testing.T) {
					t.Parallel()
					servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
						rests := streams && exchange.SpeaksHTTP2(p) && (media == "application/grpc" || media == "application/grpc+proto")
						g := newGateway(t, timeouts(func(o *config.Timeouts) {
							o.Body = config.Duration(timeout)
							if rests { // or it would be seen to take the other's time
								o.Body, o.Tunnel = config.Duration(long), config.Duration(timeout)
							}
						}), Options{})
						g.serveProtocol(p, addr)
						begun := time.Now()
						if streams {
							c := servertest.DialHTTP2(t, g.addr)
							c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
							c.Request(1, "POST", "/", false, "content-type", media, "content-length", "1000")
							_ = c.WriteData(1, false, []byte("AAAAAAAA"))
							if status, reset := c.AwaitEnd(t, 1); status != "408" && status != "200" {
								t.Errorf("status %q, %v", status, reset)
							}
						} else {
							c := g.wire()
							c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\nAAAAAAAA", media)
							if got := c.ReadAnswer("POST"); got.StatusCode != 408 && got.StatusCode != 200 {
								t.Errorf("status %d", got.StatusCode)
							}
						}
						servertest.Took(t, begun, timeout)
					})
				})
			}
		}
	}
}

// TestStreamOfMessagesRests: between two sides of HTTP/2 a gRPC stream outlives timeouts.body, and bytes of either side
// restart its time.
func TestStreamOfMessagesRests(t *testing.T) {
	t.Parallel()
	addr := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.(http.Flusher).Flush()
		b := make([]byte, 100)
		for {
			n, err := r.Body.Read(b)
			_, _ = w.Write(b[:n])
			w.(http.Flusher).Flush()
			if err != nil {
				return
			}
		}
	}))
	servertest.Retry(t, func(t *servertest.Try, timeout time.Duration) {
		g := newGateway(t, timeouts(func(o *config.Timeouts) {
			o.Body, o.Tunnel = config.Duration(timeout/10), config.Duration(timeout)
		}), Options{})
		g.serveProtocol(routing.GRPC, addr)
		c := servertest.DialHTTP2(t, g.addr)
		c.Request(1, "POST", "/", false, "content-type", "application/grpc")
		last := time.Now()
		for range 4 {
			time.Sleep(timeout / 3) // plays a quiet peer
			last = time.Now()
			_ = c.WriteData(1, false, []byte("ping"))
			for got := []byte(nil); !bytes.Equal(got, []byte("ping")); {
				f, err := c.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				switch f := f.(type) {
				case *http2.DataFrame:
					got = append(got, f.Data()...)
				case *http2.RSTStreamFrame:
					t.Fatalf("reset with %v", f.ErrCode)
				}
			}
		}
		c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		if status, reset := c.AwaitEnd(t, 1); reset == 0 {
			t.Errorf("ended with %q", status)
		}
		servertest.Took(t, last, timeout)
	})
}

// TestMediaTypeOpensNoTunnel: an extended CONNECT with gRPC's media type is refused as any extended CONNECT. An error of
// gRPC's has the status 200, which would tell the client that it was accepted.
func TestMediaTypeOpensNoTunnel(t *testing.T) {
	t.Parallel()
	g := newGateway(t, oneLoop, Options{})
	g.serveProtocol(routing.HTTP, servertest.Refusing(t))
	c := servertest.DialHTTP2(t, g.addr)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.Fields(1, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a", ":path", "/",
		"content-type", "application/grpc")
	if status, reset := c.AwaitEnd(t, 1); status != "502" {
		t.Errorf("status %q, %v", status, reset)
	}
}
