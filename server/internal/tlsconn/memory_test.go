//go:build !race

package tlsconn

import (
	"crypto/tls"
	"net/netip"
	"runtime"
	"testing"
	"unsafe"
)

// idleBound is what an established connection may retain between two requests: 6 KiB with the 2 that the owner and the
// allocator have to themselves.
const idleBound = 4 << 10

// TestIdleMemory: what an established connection retains after one small request and after records of the largest size,
// with a reader whose buffers fall out of step with the records; as server and as client; without a session to resume,
// and with certificates of the client's.
func TestIdleMemory(t *testing.T) {
	shown := []tls.Certificate{*certificate(t, "ECDSA P-256")}
	for _, v := range versions {
		for _, test := range []struct {
			name   string
			conns  int
			sent   int
			client bool // the client's ends are kept
			full   bool
			shown  []tls.Certificate
		}{
			{name: "small", conns: 2000, sent: 120},
			{name: "large", conns: 300, sent: 200_000},
			{name: "no session", conns: 300, sent: 120, full: true},
			{name: "client certificate", conns: 300, sent: 120, full: true, shown: shown},
			{name: "client", conns: 300, sent: 120, client: true},
			{name: "client, large", conns: 300, sent: 200_000, client: true},
		} {
			hs := NewHandshakes(Limits{})
			config, client := serverConfig(v.id), clientConfig()
			if client.Certificates = test.shown; test.shown != nil {
				config.ClientAuth = tls.RequireAnyClientCert
			}
			if test.full {
				client.ClientSessionCache = nil
			}
			p := make([]byte, 20_000)
			before := memory()
			ends := make([]*end, test.conns)
			for i := range ends {
				kept, other := pair(t, hs, config, client, 0)
				if test.client {
					kept, other = other, kept
				}
				for raw := other.seal(t, make([]byte, test.sent)); len(raw) > 0; {
					n := min(len(raw), 10_007)
					if _, err := kept.Read(p, raw[:n], false); err != nil {
						t.Fatal(err)
					}
					raw = raw[n:]
				}
				kept.seal(t, make([]byte, 200))
				if kept.heap.out > 0 || kept.Held() > 0 {
					t.Fatalf("%s, %s: %d buffers are still lent, of %d bytes", v.name, test.name, kept.heap.out, kept.Held())
				}
				kept.heap.free = nil // a loop has one pool for all
				ends[i] = kept
			}
			until(t, "the handshakes to end", func() bool { return hs.Counts().UnderWay == 0 })
			each := (memory() - before) / test.conns
			t.Logf("%s, %s: %d bytes each, %d goroutines", v.name, test.name, each, runtime.NumGoroutine())
			if each > idleBound {
				t.Errorf("%s, %s: %d bytes each", v.name, test.name, each)
			}
			runtime.KeepAlive(ends)
		}
	}
}

// TestSize: a Conn fits the class of the allocator that it is laid out for.
func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 160 {
		t.Errorf("a Conn has %d bytes", n)
	}
}

// TestWaitingMemory: what a handshake holds that waits for its client, its goroutine's stack included.
func TestWaitingMemory(t *testing.T) {
	const most = 1000
	hs := NewHandshakes(Limits{UnderWay: most})
	hello := clientHello(t)
	config := serverConfig(0)
	q := newQueue()
	rounds := 5 // four of which are displaced
	if testing.Short() {
		rounds = 2
	}
	ends := make([]*end, rounds*most)
	before := memory()
	for i := range ends {
		e := &end{}
		e.Conn, _ = hs.Server(Params{Config: config, Remote: netip.MustParseAddrPort("192.0.2.1:1"), Loop: q, Owner: e, Buffers: &e.heap, Early: hello})
		until(t, "the handshake to wait", func() bool { return hs.Counts().Waiting == min(i+1, most) })
		for !q.idle() {
			q.run()
		}
		if i >= most { // displaced
			ends[i-most].Close(nil)
			ends[i-most] = nil
		}
		ends[i] = e
	}
	each := (memory() - before) / most
	t.Logf("%d bytes each", each)
	if each > 64<<10 {
		t.Errorf("%d bytes each", each)
	}
	for _, e := range ends {
		if e != nil {
			e.Close(nil)
		}
	}
	until(t, "the end", func() bool { return hs.Counts().UnderWay == 0 })
}

// memory is the memory in use, goroutines' stacks included.
func memory() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
