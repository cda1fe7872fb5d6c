package acceptance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const gibibyte = 1 << 30

// stuckBackend answers /quick at once; a GET of anything else gets a gibibyte, framed as its path
// names, and an upload is not read. moved counts the bytes of that gibibyte that the kernel took.
func stuckBackend(t *testing.T) (addr string, moved *atomic.Int64) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	moved = new(atomic.Int64)
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	})
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			go serveStuck(c, moved)
		}
	}()
	return ln.Addr().String(), moved
}

func serveStuck(c net.Conn, moved *atomic.Int64) {
	r := bufio.NewReaderSize(c, 4<<10)
	piece := make([]byte, 64<<10)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		switch {
		case req.URL.Path == "/quick":
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			continue
		case req.Method == "POST":
			return // the connection stays open, unread
		case req.URL.Path == "/chunked":
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", gibibyte)
		default:
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", gibibyte)
		}
		for left := gibibyte; left > 0; {
			n, err := c.Write(piece[:min(len(piece), left)])
			left -= n
			moved.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

// still returns once moved grows by less than a mebibyte a second: what the kernel squeezes in when it
// is short of memory for sockets can go on for minutes.
func still(moved *atomic.Int64) {
	for last, same := moved.Load(), 0; same < 10; {
		time.Sleep(100 * time.Millisecond)
		if now := moved.Load(); now-last < 100<<10 {
			same++
			last = now
		} else {
			last, same = now, 0
		}
	}
}

// TestSlowReaders: clients that ask for a gibibyte and read nothing of it, one and 200.
func TestSlowReaders(t *testing.T) {
	for _, path := range []string{"/length", "/chunked"} {
		for _, tt := range []struct {
			clients int
			bar     int64
		}{{1, 8 << 20}, {200, 200 << 20}} {
			t.Run(fmt.Sprintf("%s, %d", path[1:], tt.clients), func(t *testing.T) {
				app, moved := stuckBackend(t)
				g := start(t, "", app)
				g.warm()
				before, quick := g.rss(), g.latency(2000)
				for range tt.clients {
					c := g.dial()
					defer c.Close()
					fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", path)
				}
				still(moved)
				slow := g.latency(2000)
				grown := g.rss() - before
				t.Logf("%d slow readers: the gateway grew by %s (bar %s); %s left the Backend; p99 of others %v before, %v during",
					tt.clients, mebibytes(grown), mebibytes(tt.bar), mebibytes(moved.Load()), quick, slow)
				if grown >= tt.bar {
					t.Errorf("grew by %s, bar %s", mebibytes(grown), mebibytes(tt.bar))
				}
				if slow > 3*quick+2*time.Millisecond {
					t.Errorf("the p99 of others went from %v to %v", quick, slow)
				}
			})
		}
	}
}

// TestSlowUploads: clients that send a gibibyte to a Backend that reads nothing, one and 200.
func TestSlowUploads(t *testing.T) {
	for _, framing := range []string{"Content-Length: " + strconv.Itoa(gibibyte) + "\r\n\r\n", fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", gibibyte)} {
		for _, tt := range []struct {
			clients int
			bar     int64
		}{{1, 8 << 20}, {200, 200 << 20}} {
			name, _, _ := strings.Cut(framing, ":")
			t.Run(fmt.Sprintf("%s, %d", name, tt.clients), func(t *testing.T) {
				app, _ := stuckBackend(t)
				g := start(t, "limits: {body_bytes: 0}\n", app)
				g.warm()
				before, quick := g.rss(), g.latency(2000)
				var moved atomic.Int64
				var clients sync.WaitGroup
				defer clients.Wait()
				for range tt.clients {
					c := g.dial()
					defer c.Close()
					clients.Go(func() {
						fmt.Fprintf(c, "POST /upload HTTP/1.1\r\nHost: a.test\r\n%s", framing)
						piece := make([]byte, 64<<10)
						for left := gibibyte; left > 0; {
							n, err := c.Write(piece[:min(len(piece), left)])
							left -= n
							moved.Add(int64(n))
							if err != nil {
								return
							}
						}
					})
				}
				still(&moved)
				slow := g.latency(2000)
				grown := g.rss() - before
				t.Logf("%d slow uploads: the gateway grew by %s (bar %s); %s left the clients; p99 of others %v before, %v during",
					tt.clients, mebibytes(grown), mebibytes(tt.bar), mebibytes(moved.Load()), quick, slow)
				if grown >= tt.bar {
					t.Errorf("grew by %s, bar %s", mebibytes(grown), mebibytes(tt.bar))
				}
				if slow > 3*quick+2*time.Millisecond {
					t.Errorf("the p99 of others went from %v to %v", quick, slow)
				}
			})
		}
	}
}

// TestIdleConnections: 10,000 keep-alive connections that have had one request each.
func TestIdleConnections(t *testing.T) {
	const connections, bar = 10_000, 2 << 10
	app, _ := stuckBackend(t)
	g := start(t, oneSource, app)
	g.warm()
	before := g.rss()
	for range connections {
		c := g.dial()
		defer c.Close()
		if _, err := c.get("/quick"); err != nil {
			t.Fatal(err)
		}
	}
	grown := g.rss() - before
	t.Logf("%d idle connections: the gateway grew by %s, %d bytes each (bar %d)", connections, mebibytes(grown), grown/connections, bar)
	if grown/connections > bar {
		t.Errorf("%d bytes each, bar %d", grown/connections, bar)
	}
}

// TestSlowHeads: 2,000 clients that send a byte of a head a second are closed by the header timeout, and
// others are served meanwhile.
func TestSlowHeads(t *testing.T) {
	const connections, timeout = 2000, 5 * time.Second
	app, _ := stuckBackend(t)
	g := start(t, "timeouts: {header: 5s}\n", app)
	g.warm()
	quick := g.latency(2000)
	var clients sync.WaitGroup
	var closed atomic.Int64
	var shortest, longest atomic.Int64
	shortest.Store(int64(time.Hour))
	for range connections {
		c := g.dial()
		begun := time.Now()
		clients.Go(func() {
			defer c.Close()
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				const head = "GET / HTTP/1.1\r\nHost: a.test\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
				tick := time.NewTicker(time.Second)
				defer tick.Stop()
				for i := range len(head) {
					select {
					case <-tick.C:
						io.WriteString(c, head[i:i+1])
					case <-stop:
						return
					}
				}
			}()
			c.SetDeadline(begun.Add(30 * time.Second))
			answer, err := io.ReadAll(c.r)
			took := int64(time.Since(begun))
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
				t.Errorf("a slow client got %.30q, %v", answer, err)
				return
			}
			closed.Add(1)
			for old := shortest.Load(); took < old && !shortest.CompareAndSwap(old, took); old = shortest.Load() {
			}
			for old := longest.Load(); took > old && !longest.CompareAndSwap(old, took); old = longest.Load() {
			}
		})
	}
	during := g.latency(2000)
	clients.Wait()
	t.Logf("%d of %d slow clients closed after %v to %v (header timeout %v); p99 of others %v before, %v during",
		closed.Load(), connections, time.Duration(shortest.Load()), time.Duration(longest.Load()), timeout, quick, during)
	if time.Duration(longest.Load()) > timeout+2*time.Second {
		t.Errorf("the last was closed only after %v", time.Duration(longest.Load()))
	}
}
