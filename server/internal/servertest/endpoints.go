package servertest

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// Endpoints is a listener whose connections, or streams, each are a party once their request's head is here.
type Endpoints struct {
	Addr string
	came chan *Party
	mu   sync.Mutex
	open []*net.TCPConn
}

// NewEndpoints starts one for a protocol. With hello its connections are what is behind that ClientHello.
func NewEndpoints(t testing.TB, protocol routing.Protocol, hello string) *Endpoints {
	t.Helper()
	pair, err := tlsconfig.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	e := &Endpoints{came: make(chan *Party, 1000)}
	gone := make(chan struct{})
	e.Addr = RawBackend(t, func(_ int, w *Wire) {
		e.mu.Lock()
		e.open = append(e.open, w.TCPConn)
		e.mu.Unlock()
		p := &Party{t: t, name: "Endpoint " + protocol.String(), TCP: w.TCPConn, Conn: w.TCPConn}
		if hello == "" && (protocol == routing.HTTPS || protocol == routing.GRPCS) {
			next := "http/1.1"
			if speaksStreams(protocol) {
				next = "h2"
			}
			p.Conn = tls.Server(w.TCPConn, &tls.Config{Certificates: []tls.Certificate{*pair}, NextProtos: []string{next}})
		}
		p.R = bufio.NewReader(p.Conn)
		switch {
		case hello != "":
			if _, err := io.ReadFull(p.R, make([]byte, len(hello))); err != nil {
				return
			}
			e.came <- p
			<-gone
		case speaksStreams(protocol):
			if _, err := io.ReadFull(p.R, make([]byte, len(http2.ClientPreface))); err != nil {
				return
			}
			f := newFrames(p.Conn, p.R, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
			f.open = func(stream uint32) *Party {
				s := *p
				s.H2, s.stream = f, stream
				e.came <- &s
				return &s
			}
			f.run()
		default:
			if p.head = p.Heard(); strings.HasSuffix(p.head, "\r\n\r\n") {
				e.came <- p
				<-gone
			}
		}
	})
	t.Cleanup(func() { close(gone) })
	return e
}

// Next returns the party of the next request.
func (e *Endpoints) Next(t testing.TB) *Party {
	t.Helper()
	select {
	case p := <-e.came:
		return p
	case <-time.After(Timeout):
		t.Fatal("no request reached the Endpoint")
		return nil
	}
}

// speaksStreams reports that a protocol of Backends is HTTP/2.
func speaksStreams(p routing.Protocol) bool {
	return p == routing.H2C || p == routing.GRPC || p == routing.GRPCS
}
