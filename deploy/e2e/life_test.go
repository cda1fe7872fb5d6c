package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// startGateway runs a gateway of the test's own until the test ends, and returns when it is ready.
func startGateway(t *testing.T, o gatewayOptions) *gateway {
	t.Helper()
	g := launchGateway(t, o)
	if err := g.awaitReady(); err != nil {
		t.Fatalf("%v; its log:\n%s", err, g.logTail())
	}
	return g
}

// launchGateway is startGateway without the wait.
func launchGateway(t *testing.T, o gatewayOptions) *gateway {
	t.Helper()
	g := newGateway(o)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.kill()
		if lines := g.complaints(); len(lines) > 0 {
			t.Errorf("gateway %s logged:\n%s", o.name, lines)
		}
	})
	return g
}

// readiness asks /readyz once.
func readiness(t *testing.T, g *gateway, want int, says string) {
	t.Helper()
	status, body, err := g.ask(g.metrics, "/readyz")
	if err != nil || status != want || !strings.Contains(body, says) {
		t.Errorf("/readyz: %d %q %v, want %d with %q", status, body, err, want, says)
	}
}

// Not ready before everything was listed, ready after, not ready from the signal on; what is in flight
// is finished, and clients that honour "Connection: close" lose nothing.
func TestLife(t *testing.T) {
	s := newSpace(t)
	p := startPod(t, "a")
	s.web("a", p)
	s.ingress("x", s.host("x")+" / Prefix a:80")

	gate := startGate(t)
	kubeconfig := filepath.Join(shared.dir, "life.kubeconfig")
	if err := gate.kubeconfig(kubeconfig); err != nil {
		t.Fatal(err)
	}
	g := launchGateway(t, gatewayOptions{name: "life", port: 8280, kubeconfig: kubeconfig})
	eventually(t, "metrics plane", func() (bool, string) {
		status, _, err := g.ask(g.metrics, "/healthz")
		return err == nil && status == http.StatusOK, "nothing"
	})
	gate.awaitKnock(t)
	readiness(t, g, http.StatusServiceUnavailable, "not ready")
	gate.open()
	if err := g.awaitReady(); err != nil {
		t.Fatalf("%v; its log:\n%s", err, g.logTail())
	}
	// Ready means that it serves, from the first request on.
	c := client{address: g.address}
	defer c.close()
	if a, err := c.get(s.host("x"), "/"); err != nil || a.String() != "200 a" {
		t.Fatalf("first request: %v %v, want 200 a", a, err)
	}

	slow := startSlow(t, g, p, s.host("x"), "/")
	clients := startPoliteClients(g, s.host("x"), 16)
	time.Sleep(300 * time.Millisecond) // a drain in the middle of a load, not at its start
	if err := g.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	clients.wait(t)
	readiness(t, g, http.StatusServiceUnavailable, "draining")
	p.unblock()
	if got, want := <-slow, p.slowBody(podPort, "/"); got != want {
		t.Errorf("the request that was under way got %q, want %q", got, want)
	}
	if err := g.wait(time.Minute); err != nil { // it may drain for five
		t.Errorf("end of the gateway: %v, want exit status 0; its log:\n%s", err, g.logTail())
	}
}

// drainGrace is how long a gateway that drains keeps a connection on which nothing is asked.
const drainGrace = 2 * time.Second

// politeClients ask without pause until no listener accepts new connections: half of them on one
// connection as long as it lasts, half on another for each request.
type politeClients struct {
	all    sync.WaitGroup
	served atomic.Int64
	last   atomic.Int64 // connections that ended with a "Connection: close"
	late   atomic.Int64 // requests that were too late for their connection

	mu       sync.Mutex
	failures []string // guarded by mu
}

func startPoliteClients(g *gateway, host string, n int) *politeClients {
	p := &politeClients{}
	for i := range n {
		p.all.Go(func() {
			c := client{address: g.address}
			defer c.close()
			for begun := time.Now(); ; {
				before, kept := begun, c.conn != nil
				begun = time.Now()
				a, err := c.get(host, "/")
				switch {
				case errors.Is(err, errDial):
					return
				case err != nil && kept && c.sent.Sub(before) >= drainGrace:
					p.late.Add(1) // kept from asking by the machine, so that the connection was taken for idle
					continue
				case err != nil || a.String() != "200 a":
					p.mu.Lock()
					p.failures = append(p.failures, fmt.Sprint(a, err))
					p.mu.Unlock()
					return
				}
				p.served.Add(1)
				if a.last {
					p.last.Add(1)
				}
				if i%2 == 1 {
					c.close()
				}
			}
		})
	}
	return p
}

// wait returns when no client can connect any more.
func (p *politeClients) wait(t *testing.T) {
	t.Helper()
	p.all.Wait()
	t.Logf("%d requests, %d connections told to close, %d failed, %d came too late", p.served.Load(), p.last.Load(), len(p.failures), p.late.Load())
	if len(p.failures) > 0 {
		t.Errorf("%d requests failed: %s", len(p.failures), strings.Join(p.failures, "; "))
	}
	if p.last.Load() == 0 {
		t.Error("no connection was told to close")
	}
}

// gate is a way to the API server that can be shut: connections through it are held, cut, or passed on.
type gate struct {
	listener net.Listener

	mu sync.Mutex
	// Guarded by mu:
	opened  chan struct{} // closed while the gate is open
	conns   map[net.Conn]struct{}
	knocked chan struct{} // closed at the first connection
	once    sync.Once
}

// startGate makes one that is shut.
func startGate(t *testing.T) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: listener, opened: make(chan struct{}), conns: make(map[net.Conn]struct{}), knocked: make(chan struct{})}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			g.once.Do(func() { close(g.knocked) })
			go g.pass(conn)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		g.shut()
		g.open() // lets those that are held end
	})
	return g
}

// kubeconfig writes the gateway's kubeconfig with the gate in place of the API server.
func (g *gate) kubeconfig(file string) error {
	return redirectKubeconfig(file, g.listener.Addr().String())
}

func (g *gate) awaitKnock(t *testing.T) {
	t.Helper()
	select {
	case <-g.knocked:
	case <-time.After(time.Minute):
		t.Fatal("nobody asked for the API server")
	}
}

func (g *gate) pass(in net.Conn) {
	defer in.Close()
	g.mu.Lock()
	g.conns[in] = struct{}{}
	opened := g.opened
	g.mu.Unlock()
	<-opened
	out, err := net.Dial("tcp", apiAddress)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		io.Copy(out, in)
		out.Close()
	}()
	io.Copy(in, out)
}

// open lets everyone pass.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

// shut cuts every connection and holds new ones.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
		g.opened = make(chan struct{})
	default:
	}
	for conn := range g.conns {
		conn.Close()
		delete(g.conns, conn)
	}
}
