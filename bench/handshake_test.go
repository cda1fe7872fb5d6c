package main

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// shakeServer serves HTTP/1.1 over TLS with a key pair of the run; resumed counts resumed handshakes.
type shakeServer struct {
	*httptest.Server
	handshaker
	requests, resumed atomic.Int64
}

func newShakeServer(t *testing.T, change func(*tls.Config)) *shakeServer {
	keys, err := newKeyPair(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(keys.Both, keys.Both)
	if err != nil {
		t.Fatal(err)
	}
	s := &shakeServer{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if r.TLS.DidResume {
			s.resumed.Add(1)
		}
		if r.Host != benchHost || r.TLS.ServerName != benchHost {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, "hello")
	}))
	s.Server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	if change != nil {
		change(s.Server.TLS)
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots, err := readRoots(keys.Cert)
	if err != nil {
		t.Fatal(err)
	}
	s.handshaker = handshaker{addr: s.Listener.Addr().String(), path: "/", config: clientTLS(Wire{TLS: true}, roots)}
	return s
}

func TestHandshakes(t *testing.T) {
	full := newShakeServer(t, nil)
	got := full.atLeast(4, 2, 100*time.Millisecond)
	if got.Errors != 0 || got.Requests != full.requests.Load() || full.resumed.Load() != 0 {
		t.Errorf("full: %+v, %d resumed", got, full.resumed.Load())
	}
	again := newShakeServer(t, nil)
	again.resume = true
	got = again.atLeast(4, 2, 100*time.Millisecond)
	if full := got.Requests - again.resumed.Load(); got.Errors != 0 || full < 1 || full > 2 { // the first of each worker
		t.Errorf("resumed: %+v, %d resumed", got, again.resumed.Load())
	}
}

// atLeast runs for longer and longer, until there was time for n handshakes; what the server counts is of the
// last run.
func (s *shakeServer) atLeast(n int64, conns int, duration time.Duration) (got tally) {
	for ; ; duration *= 2 {
		s.requests.Store(0)
		s.resumed.Store(0)
		if got = s.run(conns, duration); got.Requests+got.Errors >= n || duration > 10*time.Second {
			return got
		}
	}
}

func TestHandshakesThatAreNotAsAskedFor(t *testing.T) {
	tests := []struct {
		name   string
		server func(*tls.Config)
		client func(*handshaker)
		reason string
	}{
		{"a server that does not resume", func(c *tls.Config) { c.SessionTicketsDisabled = true }, func(h *handshaker) { h.resume = true }, "session resumed: false"},
		{"an older version", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, nil, "version"},
		{"no ALPN", func(c *tls.Config) {
			plain := c.Clone()
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return plain, nil }
		}, nil, "ALPN"},
		{"another certificate", nil, func(h *handshaker) { h.config.RootCAs = nil }, "certificate"},
		{"another name", nil, func(h *handshaker) { h.config.ServerName = "other.test" }, "other.test"},
	}
	for _, tt := range tests {
		s := newShakeServer(t, tt.server)
		if tt.client != nil {
			tt.client(&s.handshaker)
		}
		got := s.atLeast(2, 1, 30*time.Millisecond)
		if got.Errors == 0 || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}
