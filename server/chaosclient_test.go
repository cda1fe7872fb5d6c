package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// dial opens a client's connection, which breaks off by itself where the script has it.
func (r *round) dial(secure bool, rng *rand.Rand, protocol string) (net.Conn, *fickleConn) {
	addr := r.g.addr
	if secure {
		addr = r.g.secureAddr
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		r.errorf("dial: %v", err)
		return nil, nil
	}
	_ = nc.SetDeadline(time.Now().Add(chaosBound))
	f := newFickleConn(nc.(*net.TCPConn), rng, rng.IntN(3) == 0)
	if rng.IntN(5) == 0 {
		f.reset = rng.IntN(2) == 0
		f.steady = false
		f.left.Store(int64(rng.IntN([]int{500, 5000, 400000}[rng.IntN(3)])))
	}
	if !secure {
		return f, f
	}
	return tls.Client(f, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}), f
}

// say is the head of a request over HTTP/1.
func sayHead(p *plan, old, last bool) []byte {
	version := "1.1"
	if old {
		version = "1.0"
	}
	head := fmt.Appendf(nil, "%s %s HTTP/%s\r\nHost: a.test\r\nX-Plan: %s\r\n", p.method, p.target(), version, p.name())
	switch {
	case p.tunnel:
	case p.reqLen > 0 && p.reqKnown:
		head = fmt.Appendf(head, "Content-Length: %d\r\n", p.reqLen)
	case p.reqLen > 0:
		head = append(head, "Transfer-Encoding: chunked\r\n"...)
	}
	if p.reqSum && !p.tunnel {
		head = append(head, "Trailer: sum\r\n"...)
	}
	if p.expect && !old {
		head = append(head, "Expect: 100-continue\r\n"...)
	}
	head = p.lie.appendFields(head, old)
	switch {
	case p.tunnel:
		head = append(head, "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"...)
	case last && !old:
		head = append(head, "Connection: close\r\n"...)
	case old && !last:
		head = append(head, "Connection: keep-alive\r\n"...)
	}
	return append(head, "\r\n"...)
}

// http1 plays a client of HTTP/1.
func (r *round) http1(who string, secure bool, rng *rand.Rand) {
	conn, fickle := r.dial(secure, rng, "http/1.1")
	if conn == nil {
		return
	}
	defer fickle.TCPConn.Close()
	plans := make([]*plan, 1+rng.IntN(6))
	old := make([]bool, len(plans))
	for i := range plans {
		plans[i] = r.plan(rng)
		old[i] = plans[i].reqKnown && !plans[i].tunnel && rng.IntN(10) == 0
		if plans[i].tunnel {
			plans = plans[:i+1]
			break
		}
	}
	pipelined, lastSays, halfClose := rng.IntN(3) == 0, rng.IntN(3) == 0, rng.IntN(4) == 0
	var (
		continued = make([]chan struct{}, len(plans)) // a head came, so that the body may, if it was not the final one
		answered  = make([]chan struct{}, len(plans))
		final     = make([]bool, len(plans)) // that head was the final one; set before continued is closed
		results   = make([]*result, len(plans))
		over      = make(chan struct{})
		once      sync.Once
		written   = make(chan struct{})
		unwritten atomic.Bool // a write failed
	)
	for i := range plans {
		continued[i], answered[i] = make(chan struct{}), make(chan struct{})
	}
	finish := func() { once.Do(func() { close(over) }) }
	wrng := rand.New(rand.NewPCG(rng.Uint64(), 0))
	for i, p := range plans {
		results[i] = r.begin(p)
		results[i].old = old[i]
	}
	go func() {
		defer close(written)
		var out []byte
		flush := func() bool {
			_, err := conn.Write(out)
			out = out[:0]
			if err != nil {
				unwritten.Store(true)
			}
			return err == nil
		}
		for i, p := range plans {
			if i > 0 && !pipelined {
				select {
				case <-answered[i-1]:
				case <-over:
					return
				}
			}
			if !pipelined {
				results[i].start()
			}
			out = append(out, sayHead(p, old[i], lastSays && i == len(plans)-1)...)
			if p.expect && !old[i] || p.tunnel && wrng.IntN(2) == 0 {
				if !flush() {
					return
				}
				if p.tunnel || wrng.IntN(4) > 0 {
					select {
					case <-continued[i]:
						if final[i] && !p.tunnel {
							return // the body is not wanted
						}
					case <-over:
						return
					}
				}
			}
			f := p.request()
			for f.n < p.reqLen {
				k := min(p.reqLen-f.n, 1+wrng.IntN(40<<10))
				if wrng.IntN(3) == 0 {
					k = min(k, 1+wrng.IntN(50))
				}
				if !p.reqKnown {
					out = fmt.Appendf(out, "%x\r\n", k)
				}
				out = append(out, f.next(k)...)
				if !p.reqKnown {
					out = append(out, "\r\n"...)
				}
				if wrng.IntN(4) > 0 && !flush() {
					return
				}
			}
			if !p.reqKnown {
				out = append(out, "0\r\n"...)
				if p.reqSum {
					out = append(out, p.trailerLines(forgedRequest)...)
				}
				out = append(out, "\r\n"...)
			}
			if (!pipelined || wrng.IntN(3) == 0) && !flush() {
				return
			}
		}
		if last := plans[len(plans)-1]; fickle.steady && last.tunnel && last.level < levelAll {
			r.promise(last)
		}
		if flush() && (halfClose || plans[len(plans)-1].tunnel) {
			if tc, ok := conn.(*tls.Conn); !ok {
				_ = fickle.TCPConn.CloseWrite()
			} else if tc.CloseWrite() != nil {
				unwritten.Store(true)
			}
		}
	}()
	in := bufio.NewReader(conn)
	for i, p := range plans {
		x := results[i]
		closes := r.readAnswer(in, p, x, func(last bool) {
			if !x.heard {
				x.heard = true
				final[i] = last
				close(continued[i])
			}
		})
		if p.tunnel && x.complete && x.status == 101 {
			<-written
			if unwritten.Load() {
				// The kernel tells one call of a reset: the read behind that finds an end like any other.
				x.complete = false
			}
		}
		x.aborted = fickle.aborted.Load()
		r.judge(who, x)
		close(answered[i])
		if closes {
			if _, err := in.ReadByte(); err == nil {
				r.errorf("%s: bytes behind the last response: %v", who, p)
			} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
				r.errorf("%s: the connection stays open behind the last response: %v", who, p)
			}
			break
		}
		if !x.complete || p.tunnel || p.fault == faultLong {
			break // it may have been cut behind the bytes that the client took for its end
		}
	}
	finish()
	if rng.IntN(2) == 0 {
		fickle.abort()
	} else {
		_ = conn.Close()
	}
	<-written
}

// readAnswer reads one response, and reports whether the connection ends behind it.
func (r *round) readAnswer(in *bufio.Reader, p *plan, x *result, heard func(final bool)) (closes bool) {
	var resp *http.Response
	for {
		var err error
		resp, err = http.ReadResponse(in, &http.Request{Method: p.method})
		if err != nil {
			x.err = err
			return true
		}
		heard(resp.StatusCode >= 200 || resp.StatusCode == 101)
		if resp.StatusCode >= 200 || resp.StatusCode == 101 {
			break
		}
		x.interims++
	}
	x.status, x.name = resp.StatusCode, resp.Header.Get("X-Plan")
	x.announced = resp.ContentLength
	f, buf := p.response(), make([]byte, 32<<10)
	body := io.Reader(resp.Body)
	if x.status == 101 {
		body = in
	}
	for {
		n, err := body.Read(buf)
		at := f.n
		if x.name != "" && !f.matches(buf[:n]) {
			r.errorf("bytes %d to %d of a body are not its own: %v", at, f.n, p)
		} else if x.name == "" {
			f.n += n
		}
		if err != nil {
			x.n, x.err = f.n, err
			x.complete = err == io.EOF
			if x.complete {
				x.err = nil
			}
			break
		}
	}
	x.sum = soleTrailer(resp.Trailer)
	if p.tunnel {
		return false // other bytes that were sent may be taken for a request by now
	}
	return resp.Close || x.old && resp.ContentLength < 0 && !p.bare()
}

// http2 plays a client of HTTP/2.
func (r *round) http2(who string, secure bool, rng *rand.Rand) {
	conn, fickle := r.dial(secure, rng, "h2")
	if conn == nil {
		return
	}
	defer fickle.TCPConn.Close()
	peer := newH2Peer(r, who, conn, false, rand.New(rand.NewPCG(rng.Uint64(), 0)))
	go peer.run()
	var all sync.WaitGroup
	slots := make(chan struct{}, 1+rng.IntN(12))
	for range 1 + rng.IntN(25) {
		slots <- struct{}{}
		if rng.IntN(15) == 0 {
			r.overstate(who, peer, fickle, r.plan(rng), 1+rng.IntN(5000))
		}
		p, srng := r.plan(rng), rand.New(rand.NewPCG(rng.Uint64(), 0))
		all.Go(func() {
			r.stream(who, peer, fickle, p, srng)
			<-slots
		})
	}
	all.Wait()
	switch rng.IntN(3) {
	case 0:
		fickle.abort()
	case 1:
		peer.mu.Lock()
		_ = peer.fr.WriteGoAway(0, http2.ErrCodeNo, nil)
		peer.finish, peer.polite = true, rng.IntN(2) == 0
		peer.cond.Broadcast()
		peer.mu.Unlock()
	default:
		_ = conn.Close()
	}
	<-peer.ended
}

// stream plays one request of such a client.
func (r *round) stream(who string, peer *h2peer, fickle *fickleConn, p *plan, rng *rand.Rand) {
	x := r.begin(p)
	fields := []string{":method", p.method, ":scheme", "http", ":authority", "a.test", ":path", p.target(), "x-plan", p.name()}
	fields = p.lie.fields(fields)
	if p.tunnel || p.lie.asks {
		fields[1] = "CONNECT"
		fields = append([]string{":protocol", "websocket"}, append(fields, "sec-websocket-version", "13")...)
	} else if p.reqLen > 0 && p.reqKnown {
		fields = append(fields, "content-length", strconv.Itoa(p.reqLen))
	}
	if p.reqSum && !p.tunnel {
		fields = append(fields, "trailer", "sum")
	}
	if p.expect {
		fields = append(fields, "expect", "100-continue")
	}
	st := peer.request(p, p.reqLen == 0 && !p.tunnel && !p.lie.asks, fields...)
	if st == nil {
		if !fickle.aborted.Load() {
			peer.mu.Lock()
			r.errorf("%s: the connection ended: %v, goaway %v", who, peer.err, peer.goaway)
			peer.mu.Unlock()
		}
		return
	}
	steady := fickle.steady
	switch rng.IntN(12) {
	case 0:
		steady = false
		peer.mu.Lock()
		st.abandonAt = 1 + rng.IntN(max(p.respLen, 1))
		peer.mu.Unlock()
	case 1:
		steady = false
		wait := time.NewTimer(time.Duration(rng.IntN(3000)) * time.Microsecond)
		defer wait.Stop()
		go func() {
			select {
			case <-wait.C:
				st.giveUp(http2.ErrCodeCancel)
			case <-st.done:
			}
		}()
	}
	wanted := true
	if (p.expect || p.tunnel) && rng.IntN(4) > 0 {
		select {
		case <-st.continued:
		case <-st.done:
		}
		peer.mu.Lock()
		wanted = st.head == nil && !st.over || p.tunnel && st.head != nil && st.head[":status"] == "200"
		peer.mu.Unlock()
	}
	var arrived chan struct{}
	if (p.reqLen > 0 || p.tunnel) && wanted {
		if steady && p.tunnel && p.level < levelAll {
			arrived = r.promise(p)
		}
		if st.send(p.request(), p.reqLen, !p.reqSum, rng, func() bool { return st.over && !(p.tunnel && st.head[":status"] == "200") }) && p.reqSum {
			st.say(true, p.trailers(forgedRequest)...)
		}
	}
	<-st.done
	peer.mu.Lock()
	if p.tunnel && st.head != nil && st.head[":status"] == "200" {
		st.head[":status"] = "101"
	}
	x.n, x.complete, x.err, x.interims, x.sum = st.body.n, st.ended, st.reset, st.interims, st.sum
	if st.head != nil {
		x.status, _ = strconv.Atoi(st.head[":status"])
		x.name = st.head["x-plan"]
		x.announced = -1
		if n, err := strconv.ParseInt(st.head["content-length"], 10, 64); err == nil {
			x.announced = n
		}
	}
	if x.err == nil && !x.complete {
		x.err = peer.err
	}
	x.aborted = st.weReset || fickle.aborted.Load()
	if !st.sentEnd && st.over && st.ended {
		st.weReset = true
		if peer.err == nil {
			_ = peer.fr.WriteRSTStream(st.id, http2.ErrCodeCancel)
			peer.cond.Broadcast()
		}
	}
	peer.mu.Unlock()
	r.judge(who, x)
	if arrived != nil && x.complete && x.status == 101 && !x.aborted {
		select {
		case <-arrived:
		case <-peer.ended:
			peer.mu.Lock()
			r.errorf("%s: what was sent into a tunnel does not arrive, %v: %v", who, peer.err, p)
			peer.mu.Unlock()
		}
	}
}
