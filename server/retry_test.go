package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// pods are Backends that count what they are asked for, and answer as the test says.
type pods struct {
	addrs []string
	seen  []atomic.Int64
}

// newPods starts n of them. answer is told which one it speaks for.
func newPods(t *testing.T, p routing.Protocol, n int, answer func(pod int, w http.ResponseWriter, r *http.Request, body string)) *pods {
	list := &pods{seen: make([]atomic.Int64, n)}
	for i := range n {
		list.addrs = append(list.addrs, servertest.StartBackend(t, p == routing.HTTPS || p == routing.GRPCS, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			list.seen[i].Add(1)
			body, _ := io.ReadAll(r.Body)
			answer(i, w, r, string(body))
		})))
	}
	return list
}

func (p *pods) total() (n int64) {
	for i := range p.seen {
		n += p.seen[i].Load()
	}
	return n
}

// fetch sends a request and returns status and body.
func fetch(t *testing.T, c *http.Client, method, url string, body io.Reader) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// serveRetry is serveBackend with a Policy that sends requests again.
func (g *gateway) serveRetry(r asked.Retry, p routing.Protocol, addrs ...string) {
	g.t.Helper()
	b := &routing.Backend{Protocol: p}
	if p == routing.HTTPS || p == routing.GRPCS {
		b.TLS = &routing.BackendTLS{Name: "app"}
	}
	g.serveBackend(&asked.Policy{Retry: r}, b, addrs...)
}

// pieces is a body that comes in several reads, so that most of it comes behind the head.
func pieces(size int) io.Reader {
	r, w := io.Pipe()
	go func() {
		for range 4 {
			_, _ = w.Write(servertest.Pattern(size / 4))
		}
		_ = w.Close()
	}()
	return r
}

// TestRetryOnStatus: an answer with a status that the Policy names is not seen by a client whose request may be sent again.
func TestRetryOnStatus(t *testing.T) {
	t.Parallel()
	for _, p := range servertest.Pairings {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			list := newPods(t, p.Protocol, 3, func(pod int, w http.ResponseWriter, r *http.Request, body string) {
				if pod < 2 {
					w.Header().Set("X-Bad", "1")
					w.WriteHeader(503)
				}
				fmt.Fprintf(w, "pod %d %s %d", pod, r.Method, len(body))
			})
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
			g.serveRetry(asked.Retry{On: asked.Retry503, Tries: 3}, p.Protocol, list.addrs...)
			addr := map[string]string{"http": g.addr, "https": g.secureAddr}[p.Scheme]
			c, url := p.Down(t), p.Scheme+"://"+addr+"/"
			for range 6 {
				if status, text := fetch(t, c, "GET", url, nil); status != 200 || text != "pod 2 GET 0" {
					t.Fatalf("GET: %d %q", status, text)
				}
			}
			if status, text := fetch(t, c, "HEAD", url, nil); status != 200 || text != "" {
				t.Errorf("HEAD: %d %q", status, text)
			}
			for _, size := range []int{0, 4, 4000, 60000} {
				if status, text := fetch(t, c, "PUT", url, pieces(size)); status != 200 || text != fmt.Sprintf("pod 2 PUT %d", size) {
					t.Errorf("PUT of %d: %d %q", size, status, text)
				}
			}
			before := list.total()
			statuses := map[int]int{}
			for range 6 {
				status, _ := fetch(t, c, "POST", url, strings.NewReader("q"))
				statuses[status]++
			}
			if statuses[503] != 4 || statuses[200] != 2 || list.total()-before != 6 {
				t.Errorf("POST: %v, %d were seen", statuses, list.total()-before)
			}
			g.wantAtRest()
		})
	}
}

// TestRetryEnds: how often a request is sent, and what the client gets in the end.
func TestRetryEnds(t *testing.T) {
	t.Parallel()
	const get, post = "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nq"
	tired := "HTTP/1.1 503 Tired\r\nContent-Length: 5\r\n\r\ntired"
	for _, row := range []struct {
		name    string
		retry   asked.Retry
		request string
		answer  string // of every Pod; "" closes, "silent" is none
		pods    int
		status  int
		text    string
		seen    int64
	}{
		{"the last answer is the client's", asked.Retry{On: asked.Retry503, Tries: 3}, get, tired, 5, 503, "tired", 3},
		{"a status that is not named", asked.Retry{On: asked.Retry502, Tries: 3}, get, tired, 5, 503, "tired", 1},
		{"no number", asked.Retry{On: asked.Retry503}, get, tired, 5, 503, "tired", 2},
		{"as many as there may be", asked.Retry{On: asked.Retry503, Tries: -1}, get, tired, 2, 503, "tired", asked.Most},
		{"more than there may be", asked.Retry{On: asked.Retry503, Tries: 1 << 30}, get, tired, 2, 503, "tired", asked.Most},
		{"one Endpoint", asked.Retry{On: asked.Retry503, Tries: 3}, get, tired, 1, 503, "tired", 3},
		{"not idempotent", asked.Retry{On: asked.Retry503, Tries: 3}, post, tired, 3, 503, "tired", 1},
		{"not idempotent, asked for", asked.Retry{On: asked.Retry503 | asked.RetryNonIdempotent, Tries: 3}, post, tired, 3, 503, "tired", 3},
		{"off", asked.Retry{On: asked.RetryOff, Tries: 3}, get, "", 3, 502, "502 bad gateway: the endpoint closed the connection\n", 1},
		{"error", asked.Retry{On: asked.RetryError, Tries: 3}, get, "", 5, 502, "502 bad gateway: the endpoint closed the connection\n", 3},
		{"error, not named", asked.Retry{On: asked.Retry503, Tries: 3}, get, "", 5, 502, "502 bad gateway: the endpoint closed the connection\n", 1},
		{"malformed, not named", asked.Retry{On: asked.RetryError, Tries: 3}, get, "EHLO\r\n\r\n", 3, 502, "502 bad gateway: the response of the endpoint is malformed\n", 1},
		{"malformed", asked.Retry{On: asked.RetryInvalidHeader, Tries: 3}, get, "EHLO\r\n\r\n", 3, 502, "502 bad gateway: the response of the endpoint is malformed\n", 3},
		{"a body that does not come whole", asked.Retry{On: asked.Retry503, Tries: 3}, get, "HTTP/1.1 503 Tired\r\nContent-Length: 9\r\n\r\ntired", 3, 503, "", 3},
		{"behind an interim response", asked.Retry{On: asked.Retry503, Tries: 3}, get, "HTTP/1.1 103 Hints\r\n\r\n" + tired, 3, 503, "tired", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int64
			var addrs []string
			for range row.pods {
				addrs = append(addrs, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
					for {
						head := c.Head()
						if head == "" {
							return
						}
						if strings.Contains(head, "Content-Length: 1") {
							c.Take(1)
						}
						seen.Add(1)
						if row.answer == "" {
							return
						}
						if c.Send("%s", row.answer); strings.Contains(row.answer, ": 9") || strings.HasPrefix(row.answer, "EHLO") {
							return
						}
					}
				}))
			}
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
			g.serveRetry(row.retry, routing.HTTP, addrs...)
			c := g.wire()
			c.Send("%s", row.request)
			got := c.ReadAnswer("GET")
			if got.StatusCode != row.status || row.text != "" && got.Text != row.text || seen.Load() != row.seen {
				t.Errorf("%d %q, seen %d times; want %d %q, %d", got.StatusCode, got.Text, seen.Load(), row.status, row.text, row.seen)
			}
			if retries := g.counted(func(c *stats.Counters) uint64 { return c.Retries }); int64(retries) != row.seen-1 {
				t.Errorf("%d retries are counted", retries)
			}
			g.wantAtRest()
		})
	}
}

// TestRetryOnTimeout: a Pod that is silent costs its time, and the request goes to another; within the time that the Policy
// gives to all attempts.
func TestRetryOnTimeout(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for _, p := range []servertest.Pairing{servertest.Pairings[0], servertest.Pairings[3], servertest.Pairings[8], servertest.Pairings[15]} {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			list := newPods(t, p.Protocol, 3, func(pod int, w http.ResponseWriter, r *http.Request, body string) {
				if pod < 2 || r.URL.Path == "/never" {
					select {
					case <-release:
					case <-r.Context().Done():
					}
					return
				}
				fmt.Fprintf(w, "pod %d %d", pod, len(body))
			})
			g := newGateway(t, func(c *config.Config) {
				c.Threads, c.Timeouts.Read = 1, config.Duration(time.Second) // the Pod that answers has it too
			}, Options{})
			g.serveRetry(asked.Retry{On: asked.RetryTimeout, Tries: 3}, p.Protocol, list.addrs...)
			url := p.Scheme + "://" + map[string]string{"http": g.addr, "https": g.secureAddr}[p.Scheme]
			c := p.Down(t)
			if status, text := fetch(t, c, "PUT", url+"/", pieces(8000)); status != 200 || text != "pod 2 8000" {
				t.Errorf("%d %q", status, text)
			}
			before := list.total()
			if status, _ := fetch(t, c, "GET", url+"/never", nil); status != 504 || list.total()-before != 3 {
				t.Errorf("never: %d, seen %d times", status, list.total()-before)
			}
			before = list.total()
			if status, _ := fetch(t, c, "POST", url+"/never", strings.NewReader("q")); status != 504 || list.total()-before != 1 {
				t.Errorf("POST: %d, seen %d times", status, list.total()-before)
			}
			g.serveRetry(asked.Retry{On: asked.RetryTimeout, Tries: 10, Timeout: 1}, p.Protocol, list.addrs...)
			before = list.total()
			if status, _ := fetch(t, c, "GET", url+"/never", nil); status != 504 || list.total()-before != 1 {
				t.Errorf("without time: %d, seen %d times", status, list.total()-before)
			}
			g.wantAtRest()
		})
	}
}

// TestRetryBodyTooLarge: a body of which not all is held is sent once.
func TestRetryBodyTooLarge(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		list := newPods(t, p, 2, func(_ int, w http.ResponseWriter, _ *http.Request, body string) {
			w.WriteHeader(503)
			fmt.Fprint(w, len(body))
		})
		g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
		g.serveRetry(asked.Retry{On: asked.Retry503, Tries: 3}, p, list.addrs...)
		if status, text := fetch(t, servertest.HTTP1Client(t), "PUT", "http://"+g.addr+"/", pieces(200<<10)); status != 503 || text != fmt.Sprint(200<<10) || list.total() != 1 {
			t.Errorf("%v: %d %q, seen %d times", p, status, text, list.total())
		}
		g.wantAtRest()
	}
}

// TestRetryStorm: a Backend that answers nothing but 503 gets the reserve of its budget on top of its requests, and no
// multiple of them.
func TestRetryStorm(t *testing.T) {
	t.Parallel()
	list := newPods(t, routing.H2C, 3, func(_ int, w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(503) })
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveRetry(asked.Retry{On: asked.Retry503, Tries: 5}, routing.H2C, list.addrs...)
	c := servertest.HTTP2Client(t)
	const requests = 400
	for range requests {
		if status, _ := fetch(t, c, "GET", "http://"+g.addr+"/", nil); status != 503 {
			t.Fatalf("%d", status)
		}
	}
	denied := uint64(0)
	done := make(chan struct{})
	g.workers[0].Post(func() {
		var c stats.Counters
		g.workers[0].sample(&c)
		denied = c.RetriesDenied
		close(done)
	})
	<-done
	// A machine that is slow gives the budget more time: a second has ten of the reserve.
	if n := list.total(); n < requests+100 || n > 2*requests || denied == 0 {
		t.Errorf("%d requests were seen %d times, %d retries denied", requests, n, denied)
	}
}

// TestRetryWhileClientLeaves: the client goes between two attempts; nothing is left of it.
func TestRetryWhileClientLeaves(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 16)
	addr := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for c.Head() != "" {
			arrived <- struct{}{}
		}
	})
	g := newGateway(t, func(c *config.Config) {
		c.Threads, c.Timeouts.Read = 1, config.Duration(servertest.Short)
	}, Options{})
	g.serveRetry(asked.Retry{On: asked.RetryTimeout, Tries: 10}, routing.HTTP, addr)
	c := g.wire()
	c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 2 {
		select {
		case <-arrived:
		case <-time.After(servertest.Timeout):
			t.Fatal("no attempt")
		}
	}
	c.SetLinger(0)
	_ = c.Close()
	g.wantAtRest()
}
