package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// recordConn counts the TLS records that it reads: each write of the other end makes one at least.
type recordConn struct {
	net.Conn
	head    []byte // of the next record, as far as it is here
	left    int    // of the present one
	records int
}

func (c *recordConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for b := p[:n]; len(b) > 0; {
		if c.left > 0 {
			k := min(c.left, len(b))
			c.left, b = c.left-k, b[k:]
			continue
		}
		k := min(5-len(c.head), len(b))
		c.head, b = append(c.head, b[:k]...), b[k:]
		if len(c.head) == 5 {
			c.left = int(binary.BigEndian.Uint16(c.head[3:]))
			c.head = c.head[:0]
			c.records++
		}
	}
	return n, err
}

// TestSmallFramesGoOnTogether: a body that comes in DATA of a few bytes goes on in pieces of what was read. To write each of
// them by itself costs a hundred times what it costs to send it, on our side and on that of the peer that reads.
func TestSmallFramesGoOnTogether(t *testing.T) {
	t.Parallel()
	const frames, size = 6000, 10
	body := servertest.Pattern(frames * size)
	burst := func(stream uint32) []byte {
		var b bytes.Buffer
		fr := http2.NewFramer(&b, nil)
		for i := range frames {
			_ = fr.WriteData(stream, i == frames-1, body[i*size:(i+1)*size])
		}
		return b.Bytes()
	}
	one := func(c *config.Config) { c.Threads = 1 }
	t.Run("request", func(t *testing.T) {
		own, err := tlsconfig.SelfSigned()
		if err != nil {
			t.Fatal(err)
		}
		begun, got, records := make(chan bool), make(chan string, 1), make(chan int, 1)
		g := newGateway(t, one, Options{})
		g.serveProtocol(routing.HTTPS, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
			counted := &recordConn{Conn: c.TCPConn}
			tc := tls.Server(counted, &tls.Config{Certificates: []tls.Certificate{*own}})
			in := bufio.NewReader(tc)
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			begun <- true
			b, _ := io.ReadAll(req.Body)
			got <- string(b)
			records <- counted.records
			_, _ = io.WriteString(tc, servertest.OKResponse("ok"))
		}))
		c := servertest.DialHTTP2(t, g.addr)
		c.Request(1, "POST", "/", false, "content-length", fmt.Sprint(len(body)))
		<-begun
		_, _ = c.Write(burst(1))
		if b := <-got; b != string(body) {
			t.Fatalf("%d bytes of another body", len(b))
		}
		if n := <-records; n > frames/20 {
			t.Errorf("%d records for %d frames", n, frames)
		}
	})
	t.Run("response", func(t *testing.T) {
		g := newGateway(t, one, Options{})
		g.serveProtocol(routing.H2C, servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
			c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
			st := c.NextMeta()
			c.Fields(st, false, ":status", "200", "content-length", fmt.Sprint(len(body)))
			_, _ = c.Write(burst(st))
			_ = c.NextMeta() // until the gateway closes
		}))
		tcp, err := net.Dial("tcp", g.secureAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer tcp.Close()
		_ = tcp.SetDeadline(time.Now().Add(servertest.Timeout))
		counted := &recordConn{Conn: tcp}
		c := tls.Client(counted, &tls.Config{InsecureSkipVerify: true})
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if !bytes.Equal(b, body) || err != nil {
			t.Fatalf("%d bytes of another body, %v", len(b), err)
		}
		if counted.records > frames/20 {
			t.Errorf("%d records for %d frames", counted.records, frames)
		}
	})
}
