package server

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
)

// playedBackend is an Endpoint, or several, that answer each request by its plan.
type playedBackend struct {
	r        *round
	protocol routing.Protocol
	addrs    []string

	// Atomic: faults that hit other requests than that of their plan. They are counted before they are played.
	kills   atomic.Int64 // HTTP/2 connections that ended on others
	goaways atomic.Int64
	stale   atomic.Int64 // connections closed while idle

	mu       sync.Mutex
	attempts map[uint64]int
	conns    map[net.Conn]bool
	closed   bool
	all      sync.WaitGroup
	lns      []net.Listener
}

func (r *round) newBackend(protocol routing.Protocol, endpoints int) *playedBackend {
	b := &playedBackend{r: r, protocol: protocol, attempts: map[uint64]int{}, conns: map[net.Conn]bool{}}
	for n := range endpoints {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			r.t.Fatal(err)
		}
		b.lns = append(b.lns, ln)
		b.addrs = append(b.addrs, ln.Addr().String())
		b.all.Go(func() {
			for i := 0; ; i++ {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				b.mu.Lock()
				b.conns[c] = true
				if b.closed {
					c.Close()
				}
				b.mu.Unlock()
				rng := rand.New(rand.NewPCG(r.seed, uint64(protocol)<<40|uint64(n)<<32|uint64(i)))
				b.all.Go(func() {
					b.serve(c.(*net.TCPConn), rng)
					c.Close()
					b.mu.Lock()
					delete(b.conns, c)
					b.mu.Unlock()
				})
			}
		})
	}
	return b
}

// close ends all connections, and waits until no goroutine uses them.
func (b *playedBackend) close() {
	for _, ln := range b.lns {
		ln.Close()
	}
	b.mu.Lock()
	b.closed = true
	for c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.all.Wait()
}

// attempt counts the attempts at a request, from 1.
func (b *playedBackend) attempt(p *plan) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attempts[p.seed]++
	return b.attempts[p.seed]
}

func (b *playedBackend) serve(tcp *net.TCPConn, rng *rand.Rand) {
	_ = tcp.SetDeadline(time.Now().Add(chaosBound))
	var c net.Conn = newFickleConn(tcp, rng, rng.IntN(4) == 0)
	if b.protocol == routing.HTTPS || b.protocol == routing.GRPCS {
		next := "http/1.1"
		if b.protocol == routing.GRPCS {
			next = "h2"
		}
		tc := tls.Server(c, &tls.Config{Certificates: b.r.pair, NextProtos: []string{next}})
		if tc.Handshake() != nil {
			return
		}
		c = tc
	}
	if exchange.SpeaksHTTP2(b.protocol) {
		b.serveStreams(c, rng)
	} else {
		b.serveHTTP(tcp, c, rng)
	}
}

// takeBody checks a request's body as it comes, and reports whether it is whole.
func (b *playedBackend) takeBody(p *plan, body io.Reader, rng *rand.Rand) bool {
	f, buf := p.request(), make([]byte, 1+rng.IntN(64<<10))
	for {
		n, err := body.Read(buf)
		if !f.matches(buf[:n]) {
			b.r.errorf("backend: bytes %d to %d of the request's body are not its own: %v", f.n-n, f.n, p)
			return false
		}
		if err == io.EOF {
			if _, whole := b.r.whole.Load(p.seed); f.n != p.reqLen && (whole || !p.tunnel) {
				b.r.errorf("backend: a request's body ends after %d: %v", f.n, p)
				return false
			}
			b.r.arrive(p)
			return true
		}
		if err != nil {
			return false
		}
		if rng.IntN(30) == 0 {
			time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond) // plays a slow peer
		}
	}
}

// serveHTTP speaks HTTP/1.1.
func (b *playedBackend) serveHTTP(tcp *net.TCPConn, c net.Conn, rng *rand.Rand) {
	in := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			var ne net.Error
			if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &ne) {
				b.r.errorf("backend: malformed request: %v", err)
			}
			return
		}
		p, err := readPlan(req.RequestURI, req.Header, b.protocol)
		if err != nil {
			b.r.errorf("backend: %v", err)
			return
		}
		if req.Method != p.method {
			b.r.errorf("backend: method %s: %v", req.Method, p)
		}
		b.attempt(p)
		if !b.answer(tcp, c, in, req, p, rng) {
			return
		}
	}
}

// answer answers one request, and reports whether the connection goes on.
func (b *playedBackend) answer(tcp *net.TCPConn, c net.Conn, in *bufio.Reader, req *http.Request, p *plan, rng *rand.Rand) (goesOn bool) {
	whole, read := true, make(chan bool, 1)
	take := func() bool {
		ok := b.takeBody(p, req.Body, rand.New(rand.NewPCG(p.seed, 4)))
		if ok && p.reqSum && soleTrailer(req.Trailer) != p.name() {
			b.r.errorf("backend: trailers %v: %v", req.Trailer, p)
		}
		return ok
	}
	pause(rng)
	if p.hasty && b.spoil(tcp, c, p) {
		return false
	}
	if p.tunnel {
		return b.answerTunnel(tcp, c, in, p, rng)
	}
	if p.early {
		go func() { read <- take() }()
		defer func() {
			if !goesOn {
				_ = tcp.SetReadDeadline(time.Now())
				<-read
			}
		}()
	} else {
		if req.Header.Get("Expect") != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		whole = take()
	}
	if !whole {
		return false
	}
	pause(rng)
	if b.spoil(tcp, c, p) {
		return false
	}
	head := ""
	for i := range p.interims() {
		head += fmt.Sprintf("HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\n\r\n", i)
	}
	head += fmt.Sprintf("HTTP/1.1 %d Whatever\r\nX-Plan: %s\r\n", p.status, p.name())
	length := p.respLen
	switch {
	case p.status == 204 || p.status == 304:
	case p.framing == exchange.FrameLength:
		if p.fault == faultShort {
			length += 10
		}
		if p.fault == faultLong {
			length -= p.respLen - p.at
		}
		head += fmt.Sprintf("Content-Length: %d\r\n", length)
	case p.framing == exchange.FrameChunked:
		head += "Transfer-Encoding: chunked\r\n"
	}
	if p.announce || p.framing == exchange.FrameClose {
		head += "Connection: close\r\n"
	}
	head += "\r\n"
	if p.fault == faultCloseHead {
		_, _ = io.WriteString(c, head[:1+int(p.seed%uint64(len(head)-1))])
		return false
	}
	if !b.writeBody(tcp, c, head, p, rng) {
		return false
	}
	if p.early {
		if p.framing == exchange.FrameClose || p.fault == faultShort {
			_ = tcp.CloseWrite() // the client may stop sending its body only then
		}
		whole = <-read
		read <- whole // for the deferred function
	}
	if p.fault == faultStale {
		b.stale.Add(1)
		return false
	}
	return whole && !p.announce && p.framing != exchange.FrameClose && p.fault != faultShort && p.fault != faultLong
}

// answerTunnel accepts an Upgrade and does its part behind it. The connection never goes on.
func (b *playedBackend) answerTunnel(tcp *net.TCPConn, c net.Conn, in *bufio.Reader, p *plan, rng *rand.Rand) bool {
	if b.spoil(tcp, c, p) {
		return false
	}
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-Plan: "+p.name()+"\r\n\r\n")
	read := make(chan bool, 1)
	trng := rand.New(rand.NewPCG(p.seed, 4))
	go func() { read <- b.takeBody(p, in, trng) }()
	f, n := p.response(), p.respLen
	if p.fault == faultResetBody {
		n = p.at
	}
	for f.n < n {
		if _, err := c.Write(f.next(min(n-f.n, 1+rng.IntN(40<<10)))); err != nil {
			break
		}
	}
	if p.fault == faultResetBody {
		_ = tcp.SetLinger(0)
		tcp.Close()
	} else {
		closeWrite(tcp, c)
	}
	<-read
	return false
}

// closeWrite ends what this side sends.
func closeWrite(tcp *net.TCPConn, c net.Conn) {
	if tc, ok := c.(*tls.Conn); ok {
		_ = tc.CloseWrite()
	}
	_ = tcp.CloseWrite()
}

// spoil plays a fault that comes instead of the response.
func (b *playedBackend) spoil(tcp *net.TCPConn, c net.Conn, p *plan) bool {
	switch p.fault {
	case faultReset:
		_ = tcp.SetLinger(0)
		tcp.Close()
	case faultClose:
	case faultGarbage:
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")
	default:
		return false
	}
	return true
}

// writeBody writes the final head and the body, and reports whether the connection can go on.
func (b *playedBackend) writeBody(tcp *net.TCPConn, c net.Conn, head string, p *plan, rng *rand.Rand) bool {
	out := []byte(head)
	if p.bare() {
		_, err := c.Write(out)
		return err == nil
	}
	f, n := p.response(), p.respLen
	if p.fault == faultResetBody || p.fault == faultCloseBody {
		n = p.at
	}
	for f.n < n {
		k := min(n-f.n, 1+rng.IntN(64<<10))
		if rng.IntN(4) == 0 {
			k = min(k, 1+rng.IntN(100))
		}
		if p.fault == faultLong && f.n+k > p.at && f.n < p.at {
			// One segment, so that the excess comes with the body.
			if f.n+1000 < p.at {
				k = p.at - 500 - f.n
			} else {
				k = n - f.n
			}
		}
		if p.framing == exchange.FrameChunked {
			out = fmt.Appendf(out, "%x\r\n", k)
		}
		out = append(out, f.next(k)...)
		if p.framing == exchange.FrameChunked {
			out = append(out, "\r\n"...)
		}
		if rng.IntN(4) > 0 || len(out) > 64<<10 {
			if _, err := c.Write(out); err != nil {
				return false
			}
			out = out[:0]
			if rng.IntN(30) == 0 {
				time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond) // plays a slow peer
			}
		}
	}
	switch {
	case p.fault == faultResetBody:
		_, _ = c.Write(out)
		_ = tcp.SetLinger(0)
		tcp.Close()
		return false
	case p.fault == faultCloseBody:
		_, _ = c.Write(out)
		tcp.Close() // under TLS, without close_notify
		return false
	case p.framing == exchange.FrameChunked:
		out = append(out, "0\r\n"...)
		if p.respSum {
			out = append(out, p.trailerLines(forgedResponse)...)
		}
		out = append(out, "\r\n"...)
	}
	_, err := c.Write(out)
	if tc, ok := c.(*tls.Conn); ok && p.framing == exchange.FrameClose {
		_ = tc.CloseWrite()
	}
	return err == nil
}

// pause plays a slow peer.
func pause(rng *rand.Rand) {
	if rng.IntN(4) == 0 {
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond) // plays a slow peer
	}
}

// serveStreams speaks HTTP/2.
func (b *playedBackend) serveStreams(c net.Conn, rng *rand.Rand) {
	peer := newH2Peer(b.r, "backend "+b.protocol.String(), c, true, rng)
	var all sync.WaitGroup
	peer.begin = func(st *h2stream) { // the peer's mu is held
		header := http.Header{}
		for name, value := range st.head {
			if !strings.HasPrefix(name, ":") {
				header.Set(name, value)
			}
		}
		p, err := readPlan(st.head[":path"], header, b.protocol)
		if err != nil {
			b.r.errorf("backend: %v", err)
			st.cancel(http2.ErrCodeInternal)
			return
		}
		if want := p.method; st.head[":method"] != want && !((p.tunnel || p.lie.asks) && st.head[":protocol"] == "websocket") {
			b.r.errorf("backend: method %s: %v", st.head[":method"], p)
		}
		st.plan, st.body = p, p.request()
		peer.open++
		all.Go(func() {
			b.answerStream(st, p, rand.New(rand.NewPCG(p.seed, 3)))
			peer.mu.Lock()
			peer.open--
			if peer.leaving && peer.open == 0 {
				peer.finish, peer.polite = true, true
				peer.cond.Broadcast()
			}
			peer.mu.Unlock()
		})
	}
	peer.run()
	all.Wait()
}

// kill ends the connection under all its streams.
func (b *playedBackend) kill(peer *h2peer) {
	b.kills.Add(1)
	peer.mu.Lock()
	peer.finish = true
	peer.cond.Broadcast()
	peer.mu.Unlock()
}

// received reports that the request's body came whole.
func (b *playedBackend) received(st *h2stream) bool {
	<-st.done
	st.p.mu.Lock()
	defer st.p.mu.Unlock()
	if !st.ended {
		return false
	}
	if _, whole := b.r.whole.Load(st.plan.seed); st.body.n != st.plan.reqLen && (whole || !st.plan.tunnel) {
		b.r.errorf("backend: a request's body ends after %d: %v", st.body.n, st.plan)
	}
	b.r.arrive(st.plan)
	if st.plan.reqSum && st.sum != st.plan.name() {
		b.r.errorf("backend: trailer %q: %v", st.sum, st.plan)
	}
	return true
}

// answerStream answers one request.
func (b *playedBackend) answerStream(st *h2stream, p *plan, rng *rand.Rand) {
	peer := st.p
	attempt := b.attempt(p)
	if p.fault == faultRefuse && attempt == 1 {
		st.giveUp(http2.ErrCodeRefusedStream)
		return
	}
	pause(rng)
	if p.hasty && b.spoilStream(st, p) {
		return
	}
	peer.mu.Lock()
	expects := st.head["expect"] != ""
	peer.mu.Unlock()
	if p.tunnel {
		b.answerTunnelStream(st, p, rng)
		return
	}
	if !p.early && !p.lie.asks {
		if expects {
			st.say(false, ":status", "100")
		}
		if !b.received(st) {
			return
		}
	}
	pause(rng)
	if b.spoilStream(st, p) {
		return
	}
	for range p.interims() {
		st.say(false, p.bulky(":status", "103", "link", "</a>")...)
	}
	fields := p.bulky(":status", strconv.Itoa(p.status), "x-plan", p.name())
	length, send := p.respLen, p.respLen
	switch p.fault {
	case faultShort:
		length += 10
	case faultLong:
		length = p.at
	case faultResetBody, faultCloseBody:
		send = p.at
	}
	if p.framing == exchange.FrameLength && p.status != 204 && p.status != 304 {
		fields = append(fields, "content-length", strconv.Itoa(length))
	}
	if p.fault == faultCloseHead {
		b.kills.Add(1)
		peer.mu.Lock()
		n := peer.out.Len()
		st.fields(false, fields...)
		peer.out.Truncate(n + (peer.out.Len()-n)/2)
		peer.finish = true
		peer.cond.Broadcast()
		peer.mu.Unlock()
		return
	}
	if p.fault == faultGoAway && rng.IntN(2) == 0 {
		b.leave(peer)
	}
	whole := send == p.respLen
	end := whole && !p.respSum
	if !st.say(end && send == 0, fields...) {
		return
	}
	if send > 0 && !st.send(p.response(), send, end, rng, func() bool { return false }) {
		return
	}
	if whole && p.respSum {
		st.say(true, p.trailers(forgedResponse)...)
	}
	switch p.fault {
	case faultResetBody:
		st.giveUp([]http2.ErrCode{http2.ErrCodeInternal, http2.ErrCodeCancel, http2.ErrCodeNo}[rng.IntN(3)])
	case faultCloseBody, faultStale:
		b.kill(peer)
	case faultGoAway:
		b.leave(peer)
	default:
		if p.early {
			pause(rng)
			st.giveUp(http2.ErrCodeNo) // does nothing where the request has ended
		}
	}
}

// answerTunnelStream is answerTunnel for an extended CONNECT.
func (b *playedBackend) answerTunnelStream(st *h2stream, p *plan, rng *rand.Rand) {
	if b.spoilStream(st, p) || !st.say(false, ":status", "200", "x-plan", p.name()) {
		return
	}
	if p.fault == faultResetBody {
		st.send(p.response(), p.at, false, rng, func() bool { return false })
		st.giveUp(http2.ErrCodeInternal)
		return
	}
	st.send(p.response(), p.respLen, true, rng, func() bool { return false })
	if _, whole := b.r.whole.Load(p.seed); !b.received(st) && whole {
		peer := st.p
		peer.mu.Lock()
		b.r.errorf("backend: a tunnel is cut after %d: stream %v, connection %v: %v", st.body.n, st.reset, peer.err, p)
		peer.mu.Unlock()
	}
}

// leave announces the end of the connection, which comes when the streams of now have ended.
func (b *playedBackend) leave(peer *h2peer) {
	peer.mu.Lock()
	defer peer.mu.Unlock()
	if !peer.leaving && peer.err == nil {
		b.goaways.Add(1)
		peer.leaving, peer.lastID = true, peer.maxID
		_ = peer.fr.WriteGoAway(peer.lastID, http2.ErrCodeNo, nil)
		peer.cond.Broadcast()
	}
}

// spoilStream plays a fault that comes instead of the response.
func (b *playedBackend) spoilStream(st *h2stream, p *plan) bool {
	switch p.fault {
	case faultReset:
		st.giveUp([]http2.ErrCode{http2.ErrCodeInternal, http2.ErrCodeCancel, http2.ErrCodeNo}[p.seed%3])
	case faultClose:
		b.kill(st.p)
	case faultGarbage:
		st.say(true, ":status", "200", "Upper-Case", "x")
	default:
		return false
	}
	return true
}
