package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// down is a protocol that clients speak to the gateway.
type down struct {
	name       string
	tls, http2 bool
}

var downs = []down{
	{"h1", false, false},
	{"h2c", false, true},
	{"h1-tls", true, false},
	{"h2", true, true},
}

// up is a protocol that the gateway speaks to Backends.
type up struct {
	name, annotation string
	tls, http2       bool
}

var ups = []up{
	{"h1", "HTTP", false, false},
	{"h2c", "H2C", false, true},
	{"h1-tls", "HTTPS", true, false},
	{"h2", "GRPCS", true, true},
}

func (u up) host() string { return u.name + ".test" }

// protocols are those of one side of net/http, and no others.
func protocols(tls, http2 bool) *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2 && tls)
	p.SetUnencryptedHTTP2(http2 && !tls)
	return p
}

// addr is the listener of the gateway for a protocol.
func (g *gateway) addr(d down) string {
	if d.tls {
		return g.secure
	}
	return g.plain
}

// dial opens a connection for a protocol, to the Host of that name.
func (g *gateway) dial(d down, host string) net.Conn {
	g.t.Helper()
	c, err := net.Dial("tcp", g.addr(d))
	g.must(err)
	g.t.Cleanup(func() { c.Close() })
	if !d.tls {
		return c
	}
	next := "http/1.1"
	if d.http2 {
		next = "h2"
	}
	s := tls.Client(c, &tls.Config{RootCAs: certRoots, ServerName: host, NextProtos: []string{next}})
	g.must(s.Handshake())
	if got := s.ConnectionState().NegotiatedProtocol; got != next {
		g.t.Fatalf("ALPN gave %q, want %q", got, next)
	}
	return s
}

// client is net/http's, made to speak one protocol to the gateway whatever the Host.
func (g *gateway) client(d down) *http.Client {
	tr := &http.Transport{
		Protocols: protocols(d.tls, d.http2), DisableCompression: true, MaxIdleConnsPerHost: 200,
		TLSClientConfig: &tls.Config{RootCAs: certRoots},
	}
	dialer := &net.Dialer{}
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, g.addr(d))
	}
	g.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 5 * time.Minute}
}

// url is of a path on a Host; the port is not looked at.
func (d down) url(host, path string) string {
	if d.tls {
		return "https://" + host + path
	}
	return "http://" + host + path
}

// backend is a net/http server of one protocol.
type backend struct {
	addr string
	srv  *http.Server
	sent atomic.Int64  // body bytes that its handlers could write
	got  atomic.Int64  // body bytes that its handlers read
	held chan struct{} // closed at the end: releases handlers that hold still
}

// startBackend runs one with the handler, nil for the standard one.
func startBackend(t *testing.T, u up, h http.Handler) *backend {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{addr: ln.Addr().String(), held: make(chan struct{})}
	if h == nil {
		h = b
	}
	b.srv = &http.Server{Handler: h, Protocols: protocols(u.tls, u.http2), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certPair}}}
	b.srv.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1000}
	if u.tls {
		go b.srv.ServeTLS(ln, "", "")
	} else {
		go b.srv.Serve(ln)
	}
	t.Cleanup(func() {
		close(b.held)
		b.srv.Close()
	})
	return b
}

// ServeHTTP answers the paths that the tests ask for.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := func(key string) int64 {
		n, _ := strconv.ParseInt(r.URL.Query().Get(key), 10, 64)
		return n
	}
	switch r.URL.Path {
	case "/bytes": // n bytes; with unknown length where chunked is set
		n := query("n")
		if query("chunked") == 0 {
			w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		}
		piece := make([]byte, 32<<10)
		for n > 0 {
			m, err := w.Write(piece[:min(n, int64(len(piece)))])
			b.sent.Add(int64(m))
			n -= int64(m)
			if err != nil {
				return
			}
		}
	case "/sum": // reads all, and reports how much it was
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if err == nil {
			fmt.Fprintf(w, "%d %x", n, h.Sum(nil))
		}
	case "/hold": // reads nothing until the test ends
		<-b.held
	case "/slow": // reads a piece each millisecond
		piece := make([]byte, 64<<10)
		for {
			n, err := io.ReadFull(r.Body, piece)
			b.got.Add(int64(n))
			if err != nil {
				break
			}
		}
		fmt.Fprint(w, b.got.Load())
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range int(query("n")) {
			fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", i, i)
			w.(http.Flusher).Flush()
		}
	default:
		w.Header().Set("X-Protocol", r.Proto)
		fmt.Fprintf(w, "%s %s", r.Method, r.Host)
	}
}

// startPairs runs a gateway with a Host and a Backend for each protocol.
func startPairs(t *testing.T, config string) (*gateway, map[string]*backend) {
	t.Helper()
	var services []service
	backends := map[string]*backend{}
	for _, u := range ups {
		b := startBackend(t, u, nil)
		backends[u.name] = b
		services = append(services, service{host: u.host(), protocol: u.annotation, endpoints: []string{b.addr}})
	}
	return start(t, config, services...), backends
}

// eachPair runs f for every pairing of protocols.
func eachPair(t *testing.T, g *gateway, f func(t *testing.T, d down, u up)) {
	for _, d := range downs {
		for _, u := range ups {
			t.Run(d.name+" to "+u.name, func(t *testing.T) {
				f(t, d, u)
			})
		}
	}
}

// TestPairs moves small and large bodies both ways through every pairing.
func TestPairs(t *testing.T) {
	g, _ := startPairs(t, "")
	body := make([]byte, 4<<20)
	_, _ = rand.Read(body)
	sum := sha256.Sum256(body)
	eachPair(t, g, func(t *testing.T, d down, u up) {
		c := g.client(d)
		get := func(resp *http.Response, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if want := map[bool]int{false: 1, true: 2}[d.http2]; resp.ProtoMajor != want {
				t.Errorf("the gateway speaks HTTP/%d, want %d", resp.ProtoMajor, want)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 {
				t.Errorf("status %d, %v", resp.StatusCode, err)
			}
			return string(text)
		}
		resp, err := c.Get(d.url(u.host(), "/"))
		if got := get(resp, err); got != "GET "+u.host() {
			t.Errorf("got %q", got)
		} else if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[u.http2]; resp.Header.Get("X-Protocol") != want {
			t.Errorf("the Backend was spoken to in %s, want %s", resp.Header.Get("X-Protocol"), want)
		}
		for _, unknown := range []bool{false, true} {
			var r io.Reader = bytes.NewReader(body)
			if unknown {
				r = io.MultiReader(r)
			}
			resp, err := c.Post(d.url(u.host(), "/sum"), "", r)
			if got, want := get(resp, err), fmt.Sprintf("%d %x", len(body), sum); got != want {
				t.Errorf("upload: %q, want %q", got, want)
			}
		}
		for _, chunked := range []string{"0", "1"} {
			resp, err := c.Get(d.url(u.host(), "/bytes?n=5000000&chunked="+chunked))
			if got := get(resp, err); len(got) != 5000000 {
				t.Errorf("download: %d bytes", len(got))
			}
		}
		resp, err = c.Get(d.url(u.host(), "/events?n=100"))
		if got := get(resp, err); strings.Count(got, "data:") != 100 {
			t.Errorf("events: %q", got)
		}
	})
}
