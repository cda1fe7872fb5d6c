package server

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

var (
	apartFor  = flag.Duration("apart.for", 0, "Repeat TestExchangesStayApart for this long, each time with other pauses; 0 is once, with a quarter of what there is, and a quarter of that with -short.")
	apartSeed = flag.Uint64("apart.seed", 1, "Begin TestExchangesStayApart with this seed; each repetition has the next one.")
)

// TestExchangesStayApart: nothing of one Exchange becomes a part of another. Hostile clients make requests of every kind
// over every pairing of protocols, and let go of them at each step, in each way, while Endpoints let go of their answers.
// Beside them, honest clients share the connections to the Endpoint. Every request has a name of its own; every body holds
// that name, and otherwise only requests that no client made:
//
//  1. The Endpoint sees no request that no client made, and with each request its own body.
//  2. No client gets an answer to anything but its own request.
//  3. Honest clients see no failure.
//  4. In the end the gateway holds nothing.
func TestExchangesStayApart(t *testing.T) {
	wantNoLeaks(t)
	for seed, begun := *apartSeed, time.Now(); ; seed++ {
		for _, p := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPC, routing.GRPCS} {
			t.Run(fmt.Sprintf("%d to %v", seed, p), func(t *testing.T) { playApart(t, p, seed) })
		}
		if t.Failed() || time.Since(begun) >= *apartFor {
			return
		}
	}
}

// apart is one gateway in front of one Endpoint, with all that is asked of it.
type apart struct {
	t      *testing.T
	g      *gateway
	to     routing.Protocol
	last   atomic.Int64
	asked  sync.Map // what was asked, by path
	errors atomic.Int64
	whole  atomic.Int64 // answers of the Endpoint that hostile clients got whole
	honest atomic.Int64
}

// question is a request that a client makes.
type question struct {
	path, method string
	body         string // as the Endpoint is to see it
	length       int64  // what the Endpoint is told of it, or -1
}

func (a *apart) errorf(format string, args ...any) {
	if a.errors.Add(1) <= 10 {
		a.t.Errorf(format, args...)
	}
}

// ask makes a name for a request.
func (a *apart) ask(method, body string) *question {
	q := &question{path: fmt.Sprintf("/%d", a.last.Add(1)), method: method, body: body, length: int64(len(body))}
	a.asked.Store(q.path, q)
	return q
}

// smuggled is n bytes or more of a body that holds whole requests, on every byte of which one may begin.
func smuggled(name string, n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: other\r\nX-Id: /smuggled\r\nOf: %s\r\n\r\n", name)
	}
	return b.String()
}

// answerTo is what the Endpoint answers.
func (q *question) answerTo() string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Id: /stolen\r\nContent-Length: 6\r\n\r\nstolen%s", q.path)
}

// ServeHTTP is the Endpoint. The target's query names its fault, if any.
func (a *apart) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := a.asked.Load(r.URL.Path)
	if !ok || r.Header.Get("X-Id") != r.URL.Path {
		a.errorf("the Endpoint got a request that nobody made: %s %s %v", r.Method, r.RequestURI, r.Header)
		return
	}
	q, play := v.(*question), r.URL.Query()
	if r.Method != q.method {
		a.errorf("the Endpoint got %s %s, which was a %s", r.Method, r.RequestURI, q.method)
	}
	if r.ContentLength != q.length && q.length >= 0 {
		a.errorf("%s %s: the Endpoint is told of %d bytes, want %d", r.Method, r.RequestURI, r.ContentLength, q.length)
	}
	fault := play.Get("fault")
	if fault == "silent" {
		panic(http.ErrAbortHandler)
	}
	// net/http's HTTP/2 may still be reading the fields of an interim response when its stream is closed under it, so they
	// are not touched again.
	settled := play.Has("interim") && r.ProtoMajor == 2
	w.Header().Set("X-Id", q.path)
	if play.Has("interim") {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.WriteHeader(102)
	}
	if !play.Has("early") {
		if b, err := io.ReadAll(r.Body); err == nil && string(b) != q.body {
			a.errorf("%s %s: the Endpoint got %d bytes that are not the body of %d: %.200q", r.Method, r.RequestURI, len(b), len(q.body), b)
		}
	}
	text := q.answerTo()
	if play.Has("length") && !settled {
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	}
	if play.Has("trailers") && !settled {
		w.Header().Set("Trailer", "Sum")
	}
	status := 200
	_, _ = fmt.Sscan(play.Get("status"), &status)
	w.WriteHeader(status)
	if q.method == "HEAD" || status == 204 || status == 304 {
		fault = "" // the answer is whole with its head, and a close behind it may hit any request
	}
	if fault != "" || !play.Has("length") {
		w.(http.Flusher).Flush()
	}
	if fault == "head" {
		panic(http.ErrAbortHandler)
	}
	if status == 204 || status == 304 {
		return
	}
	_, _ = io.WriteString(w, text[:len(text)/2])
	if fault != "" {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, text[len(text)/2:])
	if !settled {
		w.Header().Set("Sum", q.path)
	}
}

// check judges an answer that a client got; its body is whole if err is nil.
func (a *apart) check(who string, q *question, status int, id, body string, err error) {
	switch {
	case id == "": // of the gateway's own
		if status < 400 && status != 200 && err == nil { // gRPC has 200 for all
			a.errorf("%s: status %d without a name", who, status)
		}
	case id != q.path:
		a.errorf("%s: got the answer to %s", who, id)
	case err != nil || q.method == "HEAD" || status == 204 || status == 304:
	case body != q.answerTo():
		a.errorf("%s: the answer looks whole and is %d bytes of %d: %.200q", who, len(body), len(q.answerTo()), body)
	default:
		a.whole.Add(1)
	}
}

// behave is an honest client, which never fails.
func (a *apart) behave(p servertest.Pairing, stop chan struct{}) {
	c, base := p.Down(a.t), "http://"+a.g.addr
	if p.Scheme == "https" {
		base = "https://" + a.g.secureAddr
	}
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		var body io.Reader
		q := a.ask([]string{"GET", "POST", "POST", "HEAD"}[i%4], "")
		if q.method == "POST" {
			text := smuggled(q.path, 500)
			q.body, q.length, body = text, int64(len(text)), strings.NewReader(text)
			if i%4 == 2 {
				q.length, body = -1, struct{ io.Reader }{body}
			}
		}
		req, _ := http.NewRequest(q.method, base+q.path+[]string{"?length", "?", "?trailers", "?length&interim"}[i/4%4], body)
		req.Header.Set("X-Id", q.path)
		resp, err := c.Do(req)
		if err != nil {
			a.errorf("an honest client: %v", err)
			return
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || resp.Header.Get("X-Id") != q.path || q.method != "HEAD" && string(b) != q.answerTo() {
			a.errorf("an honest client: %s %s: %d %v, %.100q, %v", q.method, q.path, resp.StatusCode, resp.Header, b, err)
			return
		}
		a.honest.Add(1)
		a.asked.Delete(q.path)
	}
}

func playApart(t *testing.T, p routing.Protocol, seed uint64) {
	a := &apart{t: t, to: p}
	backend := servertest.StartBackend(t, p == routing.HTTPS || p == routing.GRPCS, a)
	rng := rand.New(rand.NewPCG(seed, uint64(p)))
	a.g = newGateway(t, func(c *config.Config) {
		if rng.IntN(2) == 0 {
			c.HTTP.SpliceThreshold = config.Size(1 + rng.IntN(2000))
		}
	}, Options{})
	a.g.serveProtocol(p, backend)
	stop := make(chan struct{})
	var honest, hostile sync.WaitGroup
	for _, down := range servertest.Downs {
		honest.Go(func() { a.behave(down, stop) })
	}
	work := make(chan *assault, 16)
	for range 6 {
		hostile.Go(func() {
			for s := range work {
				s.play()
			}
		})
	}
	all := a.assaults(rng)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if *apartFor == 0 {
		all = all[:len(all)/servertest.Times(4, 16)]
	}
	for _, s := range all {
		if a.errors.Load() > 0 {
			break
		}
		work <- s
	}
	close(work)
	hostile.Wait()
	close(stop)
	honest.Wait()
	a.t.Logf("%d assaults, %d with a whole answer; %d honest requests", len(all), a.whole.Load(), a.honest.Load())
	if a.honest.Load() == 0 || a.whole.Load() == 0 {
		a.errorf("somebody did nothing")
	}
	a.g.wantAtRest()
}

// connect opens a hostile client's connection.
func (a *apart) connect(secure bool, protocol string) (net.Conn, *net.TCPConn) {
	addr := a.g.addr
	if secure {
		addr = a.g.secureAddr
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		a.errorf("dial: %v", err)
		return nil, nil
	}
	_ = nc.SetDeadline(time.Now().Add(servertest.Timeout))
	if secure {
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
		if err := tc.Handshake(); err != nil {
			a.errorf("handshake: %v", err)
		}
		return tc, nc.(*net.TCPConn)
	}
	return nc, nc.(*net.TCPConn)
}
