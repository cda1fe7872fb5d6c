package acceptance

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A flood runs in a process of its own, at the lowest priority: what is measured beside it is to be the
// gateway's doing and not the load's.

// floodVariable holds kind, address, sources and connections of the flood that this process is.
const floodVariable = "SLUICE_FLOOD"

// floodSide is the main function of such a process, which ends when it is killed.
func floodSide(what string) {
	var kind, addr string
	var sources, each int
	if _, err := fmt.Sscanf(what, "%s %s %d %d", &kind, &addr, &sources, &each); err != nil {
		panic(err)
	}
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
	hello := clientHello()
	var all sync.WaitGroup
	for s := range sources {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+s))}, Timeout: time.Second}
		for range each {
			all.Go(func() { floodFrom(kind, addr, from, hello) })
		}
	}
	all.Wait()
}

func floodFrom(kind, addr string, from *net.Dialer, hello []byte) {
	answer := make([]byte, 64<<10)
	for {
		c, err := from.Dial("tcp", addr)
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		tcp := c.(*net.TCPConn)
		_ = tcp.SetLinger(0) // no TIME-WAIT, which would run out of ports
		switch kind {
		case "compute":
			// The gateway makes keys and a signature, and the client nothing.
			_, _ = tcp.Write(hello)
			_, _ = tcp.Read(answer)
		case "complete":
			tcp.SetDeadline(time.Now().Add(10 * time.Second))
			_ = tls.Client(tcp, anyCertificate).Handshake()
		case "half":
			_, _ = tcp.Write(hello)
			for err == nil {
				_, err = tcp.Read(answer)
			}
		case "silent":
			_, _ = tcp.Read(answer)
		}
		tcp.Close()
		if kind == "half" || kind == "silent" {
			time.Sleep(time.Second) // it is their number that counts, and not their rate
		}
	}
}

func (g *gateway) flood(kind string, sources, each int) (stop func()) {
	g.t.Helper()
	self, err := os.Executable()
	g.must(err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %d", floodVariable, kind, g.secure, sources, each))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	g.must(cmd.Start())
	return sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// TestHandshakeFlood: as many handshakes as the machine can make, from eight addresses, beside clients
// with open connections: those of which the gateway computes its part only, and complete ones.
func TestHandshakeFlood(t *testing.T) {
	const sources, each = 8, 64
	for _, kind := range []string{"compute", "complete"} {
		t.Run(kind, func(t *testing.T) {
			app, _ := stuckBackend(t)
			g, idle := start(t, "", app), start(t, "", app)
			for _, g := range []*gateway{g, idle} {
				g.secureHost(1)
				g.shownBy(1, time.Now())
				g.warm()
			}
			before := g.rss()
			calmIdle, calm := stalls(t, 2*time.Second, nil, idle, g)
			stop := g.flood(kind, sources, each)
			time.Sleep(time.Second)
			started, begun := g.metric("sluice_tls_handshakes_started_total", "client"), time.Now()
			besides, during := stalls(t, 5*time.Second, nil, idle, g)
			rate := (g.metric("sluice_tls_handshakes_started_total", "client") - started) / time.Since(begun).Seconds()
			grown := g.rss() - before
			stop()
			t.Logf("%s: %.0f handshakes/s; open connections, calm %v (idle gateway %v); flooded %v (idle gateway %v); the gateway grew by %s",
				kind, rate, calm, calmIdle, during, besides, mebibytes(grown))
			if rate < 100 {
				t.Errorf("%.0f handshakes/s are no flood", rate)
			}
			if most := 20*time.Millisecond + 2*max(calm.p99, besides.p99); during.p99 > most {
				t.Errorf("the p99 of others is %v, bar %v", during.p99, most)
			}
			if grown > 64<<20 {
				t.Errorf("the gateway grew by %s", mebibytes(grown))
			}
		})
	}
}

// TestHalfOpenHandshakes: 5,000 connections that send a ClientHello and then nothing, and as many that
// send nothing at all, are cut off in time and counted, and others are served meanwhile. A single address
// has no more than its share.
func TestHalfOpenHandshakes(t *testing.T) {
	const connections, timeout = 5000, 3 * time.Second
	for _, row := range []struct {
		kind    string
		sources int
		counted func(g *gateway) float64
	}{
		{"half", 50, func(g *gateway) float64 {
			return g.metric("sluice_tls_handshakes_failed_total", "client", "timeout") + g.metric("sluice_tls_handshakes_failed_total", "client", "displaced")
		}},
		{"half", 1, func(g *gateway) float64 { return g.metric("sluice_tls_handshakes_failed_total", "client", "displaced") }},
		{"silent", 50, func(g *gateway) float64 { return g.metric("sluice_tls_handshakes_refused_total", "no_hello") }},
	} {
		t.Run(fmt.Sprintf("%s, %d sources", row.kind, row.sources), func(t *testing.T) {
			app, _ := stuckBackend(t)
			config := fmt.Sprintf("tls: {handshake_timeout: %v}\n", timeout)
			g, idle := start(t, config, app), start(t, config, app)
			for _, g := range []*gateway{g, idle} {
				g.secureHost(1)
				g.shownBy(1, time.Now())
				g.warm()
			}
			before := g.rss()
			_, calm := stalls(t, 2*time.Second, nil, idle, g)
			stop := g.flood(row.kind, row.sources, connections/row.sources)
			defer stop()
			besides, during := stalls(t, 2*timeout, nil, idle, g)
			newcomer := time.Now()
			for range 10 {
				c := g.dialTLS()
				_, err := c.get("/quick")
				g.must(err)
				c.Close()
			}
			took := time.Since(newcomer) / 10
			open, grown := g.metric("sluice_connections_active"), g.rss()-before
			counted := row.counted(g)
			stop()
			t.Logf("%s: %.0f connections open, %.0f cut off and counted; open connections, calm %v, during %v (idle gateway %v); new ones served after %v on average; the gateway grew by %s",
				row.kind, open, counted, calm, during, besides, took, mebibytes(grown))
			if took > 2*time.Second {
				t.Errorf("new clients were served after %v", took)
			}
			if counted < connections/10 {
				t.Errorf("only %.0f were cut off", counted)
			}
			if open > connections*1.2 {
				t.Errorf("%.0f connections are open", open)
			}
			if most := 20*time.Millisecond + 2*max(calm.p99, besides.p99); during.p99 > most {
				t.Errorf("the p99 of others is %v, bar %v", during.p99, most)
			}
			// 4,096 handshakes of some 30 KiB at a time, and as many again that are ending.
			if grown > 300<<20 {
				t.Errorf("the gateway grew by %s", mebibytes(grown))
			}
			for deadline := time.Now().Add(3 * timeout); g.metric("sluice_tls_handshakes_active", "client") > 0; time.Sleep(100 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("handshakes are under way long after the flood")
				}
			}
		})
	}
}
