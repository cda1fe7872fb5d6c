package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// podPort is where every Pod listens by default.
const podPort = "8080"

// pod is a real HTTP server on an address of its own. Its answers name it.
type pod struct {
	// Immutable after startPod:
	name    string
	address string
	server  *http.Server

	// Safe for concurrent use:
	asked    atomic.Int64  // requests so far
	inFlight atomic.Int64  // requests being answered
	waiting  atomic.Int64  // those of them that wait for unblock
	release  chan struct{} // lets slow requests go on once closed
	once     sync.Once

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu
}

// podAddress is the next free one.
var podAddress = netip.MustParseAddr("10.244.1.0")

// startPod runs a Pod until the test ends. It listens on ports, or on podPort where there are none.
func startPod(t *testing.T, name string, ports ...string) *pod {
	t.Helper()
	podAddress = podAddress.Next()
	return startPodAt(t, name, podAddress.String(), ports...)
}

func startPodAt(t *testing.T, name, address string, ports ...string) *pod {
	t.Helper()
	if len(ports) == 0 {
		ports = []string{podPort}
	}
	p := &pod{name: name, address: address, release: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	p.server = &http.Server{Handler: p, ConnState: p.track}
	for _, port := range ports {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, port))
		if err != nil {
			t.Fatalf("start pod %s: %v", name, err)
		}
		go p.server.Serve(listener)
	}
	t.Cleanup(func() {
		p.unblock()
		p.server.Close()
	})
	return p
}

// ServeHTTP answers with the Pod's name and the port and path that were asked for. "?wait" is answered
// after a few milliseconds; "?slow" waits for unblock, after the head and the first bytes of the body
// are out.
func (p *pod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	p.inFlight.Add(1)
	defer p.inFlight.Add(-1)
	if r.URL.Query().Has("wait") {
		time.Sleep(5 * time.Millisecond)
	}
	w.Header().Set("Pod", p.name)
	local := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	io.WriteString(w, p.name+" "+local.String()+" "+r.URL.Path)
	if r.URL.Query().Has("slow") {
		http.NewResponseController(w).Flush()
		p.waiting.Add(1)
		<-p.release
		p.waiting.Add(-1)
		io.WriteString(w, " done")
	}
}

// unblock lets the slow requests finish.
func (p *pod) unblock() { p.once.Do(func() { close(p.release) }) }

// stop ends the Pod like one that handles SIGTERM: it closes its listener, finishes the answers
// under way, and closes its connections.
func (p *pod) stop(t *testing.T) {
	t.Helper()
	if err := p.server.Shutdown(context.Background()); err != nil {
		t.Errorf("stop pod %s: %v", p.name, err)
	}
}

// kill ends the Pod as SIGKILL does: every connection is reset. It returns how many requests were
// being answered.
func (p *pod) kill() (cut int64) {
	p.mu.Lock()
	cut = p.inFlight.Load()
	for conn := range p.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
	}
	p.mu.Unlock()
	p.server.Close()
	return cut
}

func (p *pod) track(conn net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.conns[conn] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(p.conns, conn)
	}
}
