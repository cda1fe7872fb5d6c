package tlsconn

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// queue is a loop for tests: the test's goroutine runs what was posted.
type queue chan func()

func newQueue() queue         { return make(queue, 1<<14) }
func (q queue) Post(f func()) { q <- f }
func (q queue) run()          { (<-q)() }
func (q queue) idle() bool    { return len(q) == 0 }
func (q queue) runAll() {
	for !q.idle() {
		q.run()
	}
}

// heap lends from the heap and counts what is out. It keeps one that was put back, as pools of loops do.
type heap struct {
	out  int
	free []byte
}

func (h *heap) Get(n int) []byte {
	h.out++
	b := h.free
	if h.free = nil; cap(b) < n || n == InputSize && cap(b) > n {
		b = make([]byte, 0, n)
	}
	return b[:0]
}

func (h *heap) Put(b []byte) {
	h.out--
	h.free = b
}

// end is one end of a connection in memory: an Owner whose socket is the other end's output.
type end struct {
	*Conn
	heap     heap
	progress int
	done     bool
	err      error
}

func (e *end) Progress() { e.progress++ }

// advance returns the handshake's output.
func (e *end) advance() []byte {
	out, done, err := e.Advance(nil)
	e.done, e.err = done, err
	return out
}

type oneCertificate struct{ pair *tls.Certificate }

func (o oneCertificate) Lookup(string) []*tls.Certificate { return nil }
func (o oneCertificate) Default() *tls.Certificate        { return o.pair }

var selfSigned = func() *tls.Certificate {
	pair, err := tlsconfig.SelfSigned()
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return pair
}()

func serverConfig(version uint16) *tls.Config {
	return tlsconfig.NewServer(tlsconfig.Settings{
		MinVersion: version, MaxVersion: version, ALPN: []string{"h2", "http/1.1"}, Tickets: tlsconfig.NewTickets(1<<40, 3),
	}, oneCertificate{selfSigned}, nil).Config()
}

func clientConfig() *tls.Config {
	return &tls.Config{
		ServerName: "test.com", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
		MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
}

// pair shakes hands in memory, cutting what travels into pieces of the given size (0: not at all).
func pair(t testing.TB, hs *Handshakes, serverConfig, clientConfig *tls.Config, piece int) (server, client *end) {
	t.Helper()
	q := newQueue()
	server, client = &end{}, &end{}
	var err error
	remote := netip.MustParseAddrPort("192.0.2.1:443")
	if client.Conn, err = hs.Client(Params{Config: clientConfig, Remote: remote, Loop: q, Owner: client, Buffers: &client.heap}); err != nil {
		t.Fatal(err)
	}
	for client.progress == 0 {
		q.run()
	}
	first := client.advance()
	if got := clienthello.Parse(new(clienthello.Hello), first, clienthello.Limits{}); got != clienthello.Done {
		t.Fatalf("the ClientHello of crypto/tls is %v", got)
	}
	if server.Conn, err = hs.Server(Params{Config: serverConfig, Remote: remote, Loop: q, Owner: server, Buffers: &server.heap, Early: first}); err != nil {
		t.Fatal(err)
	}
	for !server.done || !client.done {
		q.run()
		moveHandshake(server, client, piece)
		moveHandshake(client, server, piece)
	}
	if err := errors.Join(server.err, client.err); err != nil {
		t.Fatal(err)
	}
	// crypto/tls sends its ticket in the server's first flight, so it has come early.
	if n, err := client.Read(make([]byte, 16), nil, false); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	return server, client
}

// moveHandshake hands from's output to to, whichever of them has finished.
func moveHandshake(from, to *end, piece int) {
	if from.progress == 0 {
		return
	}
	from.progress = 0
	out := from.advance()
	for len(out) > 0 {
		n := len(out)
		if piece > 0 {
			n = min(n, piece)
		}
		if to.wire.hs != nil {
			to.Feed(out[:n], false)
		} else if m, err := to.Read(make([]byte, 16), out[:n], false); m != 0 || err != nil {
			panic("BUG: data in a handshake")
		}
		out = out[n:]
	}
}

// seal encrypts.
func (e *end) seal(t testing.TB, p []byte) []byte {
	t.Helper()
	out, err := e.Append(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// clientHello returns what crypto/tls sends first.
func clientHello(t testing.TB) []byte {
	q, o := newQueue(), &end{}
	c, err := NewHandshakes(Limits{}).Client(Params{Config: clientConfig(), Loop: q, Owner: o, Buffers: &o.heap})
	if err != nil {
		t.Fatal(err)
	}
	q.run()
	o.Conn = c
	hello := o.advance()
	c.Close(nil)
	return hello
}
