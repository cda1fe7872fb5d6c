package upstream

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// quick is a Check that a test has time for.
func quick(kind routing.CheckKind) routing.Check {
	return routing.Check{
		Kind: kind, Path: "/health", Least: 200, Most: 399, Rise: 2, Fall: 2,
		Interval: int64(20 * time.Millisecond), Timeout: int64(10 * time.Second),
	}
}

// watched returns a Backend at index whose Endpoints are checked.
func watched(index int, check routing.Check, addrs ...netip.AddrPort) *routing.Backend {
	b := backendAt(index, routing.RoundRobin)
	for _, a := range addrs {
		b.Endpoints = append(b.Endpoints, routing.Endpoint{Addr: a})
	}
	slices.SortFunc(b.Endpoints, func(a, b routing.Endpoint) int { return a.Addr.Compare(b.Addr) })
	b.Resilience = &routing.Resilience{Check: check}
	return b
}

// verdicts remembers what a Checker told.
type verdicts struct {
	mu     sync.Mutex
	unwell map[routing.BackendKey][]netip.AddrPort
	told   int
}

func (v *verdicts) tell(_ int32, key routing.BackendKey, unwell []netip.AddrPort) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.unwell[key] = unwell
	v.told++
}

func (v *verdicts) of(b *routing.Backend) []netip.AddrPort {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.unwell[b.Key]
}

func newTestChecker(t *testing.T, o CheckerOptions) (*Checker, *verdicts) {
	v := &verdicts{unwell: map[routing.BackendKey][]netip.AddrPort{}}
	o.Tell = v.tell
	c := NewChecker(o)
	t.Cleanup(c.Close)
	return c, v
}

// until waits for a condition.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// listen gives each connection to serve, and returns the address.
func listen(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

// nobody is an address that refuses connections.
func nobody(t *testing.T) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

func handler(t *testing.T, unencrypted bool, h http.HandlerFunc) netip.AddrPort {
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(!unencrypted)
	s.Config.Protocols.SetUnencryptedHTTP2(unencrypted)
	s.Start()
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// grpcHealth answers Check with the status, and trailers.
func grpcHealth(status byte, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "Grpc-Status")
		w.Header().Set("Content-Type", "application/grpc")
		if r.URL.Path != "/grpc.health.v1.Health/Check" || string(body) != "\x00\x00\x00\x00\x03\x0a\x01s" || r.ProtoMajor != 2 {
			w.Header().Set("Grpc-Status", "3")
			return
		}
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, status})
		w.Header().Set("Grpc-Status", code)
	}
}

// TestProbes: what each kind of check takes for well, and what it does not, be it as hostile as it likes.
func TestProbes(t *testing.T) {
	t.Parallel()
	send := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c)
		}
	}
	endless := func(first, more string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, first)
			for err == nil {
				_, err = io.WriteString(c, more)
			}
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, row := range []struct {
		name string
		kind routing.CheckKind
		addr netip.AddrPort
		well bool
	}{
		{"tcp", routing.CheckTCP, listen(t, func(net.Conn) {}), true},
		{"tcp, refused", routing.CheckTCP, nobody(t), false},
		{"http", routing.CheckHTTP, handler(t, false, status(204)), true},
		{"http, redirect is not followed", routing.CheckHTTP, handler(t, false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}), true},
		{"http, 500", routing.CheckHTTP, handler(t, false, status(500)), false},
		{"http, path and agent", routing.CheckHTTP, handler(t, false, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" || r.Method != "GET" || !strings.Contains(r.UserAgent(), "health") {
				w.WriteHeader(500)
			}
		}), true},
		{"http, silent", routing.CheckHTTP, listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), false},
		{"http, closes", routing.CheckHTTP, listen(t, func(net.Conn) {}), false},
		{"http, no HTTP", routing.CheckHTTP, listen(t, send("SSH-2.0-x\r\n")), false},
		{"http, endless head", routing.CheckHTTP, listen(t, endless("HTTP/1.1 200 OK\r\n", "X-A: b\r\n")), false},
		{"http, endless line", routing.CheckHTTP, listen(t, endless("HTTP/1.1 200 OK\r\nX-A: ", "b")), false},
		{"http, endless interim responses", routing.CheckHTTP, listen(t, endless("", "HTTP/1.1 103 Hints\r\nX: y\r\n\r\n")), false},
		{"http, endless body", routing.CheckHTTP, listen(t, endless("HTTP/1.1 200 OK\r\n\r\n", "body")), true},
		{"grpc", routing.CheckGRPC, handler(t, true, grpcHealth(1, "0")), true},
		{"grpc, not serving", routing.CheckGRPC, handler(t, true, grpcHealth(2, "0")), false},
		{"grpc, unknown", routing.CheckGRPC, handler(t, true, grpcHealth(0, "0")), false},
		{"grpc, error", routing.CheckGRPC, handler(t, true, grpcHealth(1, "14")), false},
		{"grpc, no grpc", routing.CheckGRPC, handler(t, true, status(200)), false},
		{"grpc, HTTP/1.1", routing.CheckGRPC, handler(t, false, status(200)), false},
		{"grpc, endless", routing.CheckGRPC, handler(t, true, func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			check := quick(row.kind)
			check.Service = "s"
			if row.name == "http, silent" {
				check.Timeout = int64(50 * time.Millisecond)
			}
			c, v := newTestChecker(t, CheckerOptions{})
			b := watched(0, check, row.addr)
			c.Update([]*routing.Backend{b})
			until(t, "checks", func() bool {
				n := c.Counts()
				return n.Passed+n.Failed >= 4
			})
			n := c.Counts()
			if row.well != (n.Unwell == 0) || row.well != (n.Passed > 0) || n.Endpoints != 1 {
				t.Errorf("%+v", n)
			}
			if !row.well {
				until(t, "verdict", func() bool { return slices.Equal(v.of(b), []netip.AddrPort{row.addr}) })
			}
		})
	}
}

// TestServing: the message, byte by byte.
func TestServing(t *testing.T) {
	for text, want := range map[string]bool{
		"\x00\x00\x00\x00\x02\x08\x01":          true,
		"\x00\x00\x00\x00\x05\x12\x01x\x08\x01": true, // a field that is not known
		"\x00\x00\x00\x00\x04\x08\x01\x08\x02":  false,
		"\x00\x00\x00\x00\x00":                  false,
		"\x01\x00\x00\x00\x02\x08\x01":          false, // compressed
		"\x00\x00\x00\x00\x03\x08\x01":          false,
		"\x00\x00\x00\x00\x02\x08\x01\x00":      false,
		"\x00\xff\xff\xff\xff\x08\x01":          false,
		"\x00\x00\x00\x00\x03\x12\xff\x01":      false,
		"\x00\x00\x00\x00\x02\x0d\x01":          false,
		"\x00\x00\x00\x00\x02\x08\x80":          false,
		"":                                      false,
	} {
		if serving([]byte(text)) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

func FuzzServing(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x05\x12\x01x\x08\x01"))
	f.Fuzz(func(_ *testing.T, b []byte) { serving(b) })
}

// TestVerdictsSurviveSnapshots: an Endpoint that is unwell stays so while others come and go, until it is well; a Check that
// changes, or ends, begins anew.
func TestVerdictsSurviveSnapshots(t *testing.T) {
	t.Parallel()
	var ill atomic.Bool
	ill.Store(true)
	one := handler(t, false, func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(503)
		}
	})
	two, three := listen(t, func(net.Conn) {}), nobody(t)
	fine := handler(t, false, func(http.ResponseWriter, *http.Request) {})
	c, v := newTestChecker(t, CheckerOptions{})
	b := watched(0, quick(routing.CheckHTTP), one, fine)
	c.Update([]*routing.Backend{b})
	until(t, "verdict", func() bool { return slices.Equal(v.of(b), []netip.AddrPort{one}) })
	for i := range 50 {
		b = watched(0, quick(routing.CheckHTTP), []netip.AddrPort{one, fine, two, three}[:2+i%3]...)
		c.Update([]*routing.Backend{b})
		if !slices.Contains(v.of(b), one) {
			t.Fatal("a Snapshot has made an Endpoint well")
		}
	}
	c.Update([]*routing.Backend{watched(0, quick(routing.CheckHTTP), one, fine)})
	ill.Store(false)
	until(t, "recovery", func() bool { return len(v.of(b)) == 0 })
	ill.Store(true)
	until(t, "verdict", func() bool { return slices.Equal(v.of(b), []netip.AddrPort{one}) })
	c.Update([]*routing.Backend{watched(0, quick(routing.CheckTCP), one, fine)})
	until(t, "end of the verdict", func() bool { return len(v.of(b)) == 0 })
	c.Update([]*routing.Backend{watched(0, quick(routing.CheckHTTP), one, fine)})
	until(t, "verdict", func() bool { return slices.Equal(v.of(b), []netip.AddrPort{one}) })
	// The Backend moves to another index, and leaves.
	moved := watched(1, quick(routing.CheckHTTP), one, fine)
	moved.Key = b.Key
	c.Update([]*routing.Backend{nil, moved})
	until(t, "verdict", func() bool { return slices.Equal(v.of(b), []netip.AddrPort{one}) })
	c.Update(nil)
	until(t, "end of the verdict", func() bool { return len(v.of(b)) == 0 && c.Counts().Endpoints == 0 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.backends) != 0 || len(c.later) != 0 {
		t.Errorf("%d Backends and %d Endpoints are left", len(c.backends), len(c.later))
	}
}

// TestManyEndpoints: a thousand are checked, so many at a time, and the loops are told of their failure together.
func TestManyEndpoints(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int64
	release := make(chan struct{})
	addrs := map[netip.AddrPort]bool{}
	port := listen(t, func(c net.Conn) {
		for n := open.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		defer open.Add(-1)
		<-release
	}).Port()
	for i := range 1000 {
		// All of 127.0.0.0/8 is this machine; nobody listens at these.
		addrs[netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 7, byte(i >> 8), byte(i)}), port)] = true
	}
	var list []netip.AddrPort
	for a := range addrs {
		list = append(list, a)
	}
	check := quick(routing.CheckTCP)
	check.Fall = 1
	c, v := newTestChecker(t, CheckerOptions{Concurrent: 16})
	b := watched(0, check, list...)
	c.Update([]*routing.Backend{b})
	until(t, "verdict on all", func() bool { return len(v.of(b)) == 1000 })
	close(release)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.told > 500 {
		t.Errorf("told %d times", v.told)
	}
	if !slices.IsSortedFunc(v.unwell[b.Key], netip.AddrPort.Compare) {
		t.Error("not sorted")
	}
}

// TestChecksAreFair: Endpoints of one namespace that never answer take half of the checks at a time, and no more; those of
// another are checked. Too many of one namespace are not checked at all.
func TestChecksAreFair(t *testing.T) {
	t.Parallel()
	var held, most atomic.Int64
	silent := listen(t, func(c net.Conn) {
		n := held.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		_, _ = io.Copy(io.Discard, c)
		held.Add(-1)
	})
	check := quick(routing.CheckHTTP)
	check.Timeout = int64(time.Minute)
	var greedy []*routing.Backend
	for i := range 30 {
		b := watched(i, check, silent)
		b.Key.Namespace, b.Key.Service = "greedy", fmt.Sprint("svc", i)
		greedy = append(greedy, b)
	}
	c, v := newTestChecker(t, CheckerOptions{Concurrent: 8, Endpoints: 100})
	c.Update(greedy)
	if n := c.Counts(); n.Endpoints != 25 || n.Unchecked != 5 {
		t.Errorf("%+v", n)
	}
	until(t, "checks of the silent", func() bool { return held.Load() == 4 })
	modest := watched(30, quick(routing.CheckHTTP), nobody(t))
	modest.Key.Namespace = "modest"
	c.Update(append(greedy, modest))
	until(t, "verdict on the other", func() bool { return len(v.of(modest)) == 1 })
	if most.Load() != 4 {
		t.Errorf("%d checks of one namespace at a time", most.Load())
	}
}

// TestCheckerCloses: with checks under way, twice, and without any; nothing is started afterwards.
func TestCheckerCloses(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 10)
	silent := listen(t, func(c net.Conn) {
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
	})
	c, _ := newTestChecker(t, CheckerOptions{})
	check := quick(routing.CheckHTTP)
	check.Timeout = int64(time.Hour)
	c.Update([]*routing.Backend{watched(0, check, silent)})
	<-arrived
	c.Close()
	c.Close()
	c.Update([]*routing.Backend{watched(0, check, silent, nobody(t))})
	if n := c.Counts(); n.Endpoints != 1 {
		t.Errorf("%+v", n)
	}
	NewChecker(CheckerOptions{}).Close()
}

// TestUnwell: what loops make of it.
func TestUnwell(t *testing.T) {
	set, _ := newTestSet(t, Options{})
	r := slow(routing.RoundRobin, 1, 2, 3, 4)
	set.Unwell(0, r.Key, []netip.AddrPort{addr(2)}) // before the loop knows the Backend
	b := set.Backend(r)
	picked := func() map[int]int {
		got := map[int]int{}
		for e, n := range shares(b, s, 400) {
			for i := range 9 {
				if e.Addr == addr(i) {
					got[i] = n
				}
			}
		}
		return got
	}
	if got := picked(); got[2] != 0 || got[1] < 100 {
		t.Errorf("picked %v", got)
	}
	var a Attempt
	if e := a.Prefer(b, addr(2), s); e.Addr == addr(2) {
		t.Error("a wish went to an Endpoint that is unwell")
	}
	a.Finish(s, ms, OK)
	// Another list of Endpoints; another Backend at the index.
	b = set.Backend(slow(routing.RoundRobin, 2, 3))
	if got := picked(); got[3] != 400 {
		t.Errorf("picked %v", got)
	}
	other := backendAt(0, routing.RoundRobin).Key
	other.Service = "other"
	set.Unwell(0, other, []netip.AddrPort{addr(3)})
	set.Unwell(7, r.Key, []netip.AddrPort{addr(2)})
	if got := picked(); got[3] != 400 {
		t.Errorf("picked %v", got)
	}
	// One that is back begins slowly.
	set.Unwell(0, r.Key, nil)
	if got := picked(); got[2] == 0 || got[2] > 100 {
		t.Errorf("picked %v", got)
	}
	// Where all are unwell any is better than none.
	set.Unwell(0, r.Key, []netip.AddrPort{addr(2), addr(3)})
	if got := picked(); got[2] == 0 || got[3] == 0 { // the first is warming still
		t.Errorf("picked %v", got)
	}
	if len(set.unwell) != 2 {
		t.Errorf("kept %v", set.unwell)
	}
}
