//go:build !race

package tlsconn

import (
	"net/netip"
	"runtime"
	"testing"
)

// TestIdleMemory: what an established connection retains after one small request, and after a record
// of the largest size, with a reader whose buffers fall out of step with the records.
func TestIdleMemory(t *testing.T) {
	const conns = 500
	for _, v := range versions {
		for _, test := range []struct {
			name        string
			sent, bound int
		}{{"small", 120, 12 << 10}, {"large", 200_000, 30 << 10}} {
			hs := NewHandshakes(Limits{})
			config, client := serverConfig(v.id), clientConfig()
			p := make([]byte, 20_000)
			before := memory()
			ends := make([]*end, conns)
			for i := range ends {
				server, client := pair(t, hs, config, client, 0)
				for raw := client.seal(t, make([]byte, test.sent)); len(raw) > 0; {
					n := min(len(raw), 10_007)
					if _, err := server.Read(p, raw[:n], false); err != nil {
						t.Fatal(err)
					}
					raw = raw[n:]
				}
				server.seal(t, make([]byte, 200))
				ends[i] = server
			}
			until(t, "the handshakes to end", func() bool { return hs.Counts().UnderWay == 0 })
			each := (memory() - before) / conns
			t.Logf("%s, %s: %d bytes each, %d goroutines", v.name, test.name, each, runtime.NumGoroutine())
			if each > test.bound {
				t.Errorf("%s, %s: %d bytes each", v.name, test.name, each)
			}
			runtime.KeepAlive(ends)
		}
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
