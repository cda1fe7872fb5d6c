package admin

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// startStranger is start, where only 127.0.0.1 is the node's own address and the rest of the loopback
// network counts as other hosts.
func startStranger(t *testing.T, options Options) (metrics string, g *guard) {
	t.Helper()
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(context.Background()) })
	g = s.planes[0].guard
	g.mu.Lock()
	g.isOwn = func(remote, _ netip.Addr, _ time.Time) bool { return remote == netip.MustParseAddr("127.0.0.1") }
	g.mu.Unlock()
	return g.Addr().String(), g
}

// dialFrom connects from 127.0.0.n.
func dialFrom(t *testing.T, n byte, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, n)}, Timeout: time.Minute}
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// probe asks /healthz from 127.0.0.n and returns the status line.
func probe(t *testing.T, n byte, address string) string {
	t.Helper()
	c := dialFrom(t, n, address)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

// bulk is a Collector with so many samples that an answer to /metrics fills every buffer on its way.
type bulk struct{}

var bulkDesc = prometheus.NewDesc("bulk", strings.Repeat("x", 100), []string{"n"}, nil)

func (bulk) Describe(ch chan<- *prometheus.Desc) { ch <- bulkDesc }

func (bulk) Collect(ch chan<- prometheus.Metric) {
	for n := range 10_000 {
		ch <- prometheus.MustNewConstMetric(bulkDesc, prometheus.GaugeValue, 1, strings.Repeat("x", 1000)+strconv.Itoa(n))
	}
}

func (g *guard) open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// TestProbesBesideStrangers: whatever others do at the metrics address, and however many of them there are,
// each probe of the node's own is answered, and so is a stranger who asks properly.
func TestProbesBesideStrangers(t *testing.T) {
	const hostile = 200
	for _, row := range []struct {
		name    string
		sources int // 0: the node's own address
		say     string
		read    bool // take the answer, and keep the connection open
	}{
		{"half-open, one source", 1, "", false},
		{"half-open, twenty sources", 20, "", false},
		{"half-open, from the node itself", 0, "", false},
		{"slow heads, one source", 1, "GET /metrics HTTP/1.1\r\nHost: h\r\nA: ", false},
		{"slow heads, twenty sources", 20, "GET /metrics HTTP/1.1\r\nHost: h\r\nA: ", false},
		{"slow heads, from the node itself", 0, "GET /healthz HTTP/1.1\r\nHost: h\r\nA: ", false},
		{"keep-alive, twenty sources", 20, "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", true},
		{"slow readers, one source", 1, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", false},
		{"slow readers, twenty sources", 20, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			options := testOptions()
			if strings.Contains(row.say, "/metrics") && strings.HasSuffix(row.say, "\r\n\r\n") {
				options.Collectors = []prometheus.Collector{bulk{}}
			}
			metrics, g := startStranger(t, options)
			for i := range hostile {
				from := byte(1)
				if row.sources > 0 {
					from = byte(2 + i%row.sources)
				}
				c := dialFrom(t, from, metrics)
				_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
				if row.say != "" {
					_, _ = io.WriteString(c, row.say)
				}
				if row.read {
					_ = c.SetReadDeadline(time.Now().Add(time.Minute))
					_, _ = http.ReadResponse(bufio.NewReader(c), nil)
				}
				if i%20 == 19 {
					if got := probe(t, 1, metrics); got != "HTTP/1.1 200 OK" {
						t.Fatalf("beside %d of them a probe got %q", i+1, got)
					}
				}
			}
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 10 {
						if got := probe(t, 1, metrics); got != "HTTP/1.1 200 OK" {
							t.Errorf("a probe got %q", got)
						}
					}
				})
			}
			all.Wait()
			for range 10 {
				if got := probe(t, 200, metrics); got != "HTTP/1.1 200 OK" {
					t.Errorf("another source got %q", got)
				}
			}
			if n := g.open(); n > maxConns+maxOwn {
				t.Errorf("%d connections are open", n)
			}
		})
	}
}

// TestGiveWay: who is closed for whom.
func TestGiveWay(t *testing.T) {
	at := time.Unix(1000, 0)
	type open struct {
		from  string
		own   bool
		n     int
		asked bool
	}
	for _, row := range []struct {
		name    string
		open    []open
		from    string
		own     bool
		victim  string // "source" or "source asked"; "" = none
		refused bool
	}{
		{name: "room", open: []open{{"1.1.1.1", false, 3, false}}, from: "1.1.1.1"},
		{name: "over its share, one has not asked", open: []open{{"1.1.1.1", false, 15, true}, {"1.1.1.1", false, 1, false}}, from: "1.1.1.1", victim: "1.1.1.1"},
		{name: "over its share, all have asked", open: []open{{"1.1.1.1", false, 16, true}}, from: "1.1.1.1", victim: "1.1.1.1 asked"},
		{name: "one /64", open: []open{{"2001:db8::1", false, 16, false}}, from: "2001:db8::2", victim: "2001:db8::"},
		{name: "full, one has not asked", open: []open{
			{"1.1.1.1", false, 16, true}, {"1.1.1.2", false, 16, true}, {"1.1.1.3", false, 16, true}, {"1.1.1.4", false, 15, true}, {"1.1.1.5", false, 1, false},
		}, from: "1.1.1.6", victim: "1.1.1.5"},
		{name: "full, all have asked", open: []open{
			{"1.1.1.1", false, 15, true}, {"1.1.1.2", false, 16, true}, {"1.1.1.3", false, 15, true}, {"1.1.1.4", false, 15, true}, {"1.1.1.5", false, 3, true},
		}, from: "1.1.1.6", victim: "1.1.1.2 asked"},
		{name: "the node itself", open: []open{
			{"1.1.1.1", false, 16, true}, {"1.1.1.2", false, 16, true}, {"1.1.1.3", false, 16, true}, {"1.1.1.4", false, 16, true},
		}, from: "10.0.0.1", own: true},
		{name: "the node itself, too many", open: []open{{"10.0.0.1", true, 63, true}, {"127.0.0.1", true, 1, false}}, from: "127.0.0.1", own: true, victim: "10.0.0.1 asked"},
		{name: "of the node itself one has most places, and some have asked", open: []open{
			{"127.0.0.1", true, 2, false}, {"10.0.0.1", true, 40, true}, {"10.0.0.1", true, 22, false},
		}, from: "127.0.0.1", own: true, victim: "10.0.0.1"},
		{name: "who waits most gives way", open: []open{
			{"127.0.0.1", true, 2, false}, {"127.0.0.2", true, 30, false}, {"127.0.0.3", true, 32, true},
		}, from: "127.0.0.1", own: true, victim: "127.0.0.2"},
		{name: "nobody has more than the newcomer", open: func() (l []open) {
			for i := range maxConns {
				l = append(l, open{netip.AddrFrom4([4]byte{9, 9, 9, byte(i)}).String(), false, 1, true})
			}
			return l
		}(), from: "1.1.1.1", refused: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			conns := map[*guardedConn]struct{}{}
			for _, o := range row.open {
				for range o.n {
					at = at.Add(time.Second)
					conns[&guardedConn{visitor: newVisitor(netip.MustParseAddr(o.from), o.own), asked: o.asked, opened: at}] = struct{}{}
				}
			}
			victim, ok := giveWay(conns, newVisitor(netip.MustParseAddr(row.from), row.own))
			got := ""
			if victim != nil {
				if got = victim.visitor.source.String(); victim.asked {
					got += " asked"
				}
				for c := range conns {
					if c.visitor == victim.visitor && c.asked == victim.asked && c.opened.Before(victim.opened) {
						t.Error("an older one is left")
					}
				}
			}
			if got != row.victim || ok == row.refused {
				t.Errorf("%q gives way, %v; want %q", got, ok, row.victim)
			}
		})
	}
}

// TestOwnAddresses: loopback, the address where a connection arrived, and what the interfaces have.
func TestOwnAddresses(t *testing.T) {
	asked := 0
	o := &ownAddresses{list: func() []netip.Addr { asked++; return []netip.Addr{netip.MustParseAddr("10.0.0.2")} }}
	now, local := time.Unix(1000, 0), netip.MustParseAddr("10.0.0.1")
	for _, row := range []struct {
		a   string
		own bool
	}{
		{"127.0.0.1", true}, {"::1", true}, {"::ffff:127.0.0.1", true}, {"10.0.0.1", true}, {"::ffff:10.0.0.2", true}, {"10.0.0.3", false},
	} {
		if got := o.has(netip.MustParseAddr(row.a), local, now); got != row.own {
			t.Errorf("%s: %v", row.a, got)
		}
	}
	if asked != 1 {
		t.Errorf("the kernel was asked %d times", asked)
	}
	if o.has(netip.MustParseAddr("10.0.0.4"), local, now.Add(time.Minute)); asked != 2 {
		t.Error("an old list is believed")
	}
}
