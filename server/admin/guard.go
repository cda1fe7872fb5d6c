package admin

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

const (
	// maxHead bounds a request head.
	maxHead = 8 << 10
	// headTimeout bounds the time from accept to a complete head.
	headTimeout = 5 * time.Second
	// writeTimeout bounds each write to a client that does not read.
	writeTimeout = 30 * time.Second
	// hurriedTimeout replaces writeTimeout where another connection waits for this one's end.
	hurriedTimeout = 250 * time.Millisecond
)

// guard is a listener whose connections deliver one strictly parsed request each. Made by
// newGuard. Accept is called by one goroutine, close and drain by any.
type guard struct {
	net.Listener

	mu sync.Mutex
	// Guarded by mu:
	conns   map[*guardedConn]struct{}
	idle    sync.Cond // signalled when conns becomes empty
	closing bool
	// isOwn reports whether a connection from remote that arrived at local is the node's own.
	isOwn func(remote, local netip.Addr, now time.Time) bool
}

func newGuard(l net.Listener) *guard {
	g := &guard{Listener: l, conns: map[*guardedConn]struct{}{}}
	g.isOwn = (&ownAddresses{list: interfaceAddresses}).has
	g.idle.L = &g.mu
	return g
}

// Accept returns the next connection. A failure that may pass, such as running out of descriptors,
// is waited out: Hertz would stop serving for good.
func (g *guard) Accept() (net.Conn, error) {
	backoff := 5 * time.Millisecond
	for {
		c, err := g.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			pause := time.NewTimer(backoff)
			<-pause.C
			backoff = min(2*backoff, time.Second)
			continue
		}
		for {
			conn, wait := g.admit(c)
			if conn != nil {
				return conn, nil
			}
			if wait <= 0 {
				break
			}
			pause := time.NewTimer(wait)
			<-pause.C
		}
	}
}

// admit takes c in, or closes it when there are too many and none that gives way to it. wait asks for another
// try later, because the connection that would give way is new: one of the node itself, whose request may be on
// its way. Meanwhile newcomers wait in the kernel's queue, where their requests can arrive.
func (g *guard) admit(c net.Conn) (conn *guardedConn, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	remote := addressOf(c.RemoteAddr())
	v := newVisitor(remote, g.isOwn(remote, addressOf(c.LocalAddr()), now))
	victim, ok := giveWay(g.conns, v)
	if g.closing || !ok {
		c.Close()
		return nil, 0
	}
	if victim != nil && v.own {
		if wait = seated - now.Sub(victim.opened); wait > 0 {
			return nil, wait
		}
	}
	if victim != nil {
		g.removeLocked(victim)
		victim.Conn.Close() // its handler's read or write fails
	}
	conn = &guardedConn{Conn: c, guard: g, visitor: v, opened: now, deadline: now.Add(headTimeout)}
	g.conns[conn] = struct{}{}
	return conn, 0
}

// asks notes that a whole request came.
func (g *guard) asks(c *guardedConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.asked = true
}

// addressOf returns the IP address of a, the zero one where it has none.
func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}

// interfaceAddresses returns the node's addresses; none where the kernel returns an error.
func interfaceAddresses() (list []netip.Addr) {
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				list = append(list, ip)
			}
		}
	}
	return list
}

// stop closes the listener, waits until every connection ended or timeout passed, and closes the
// remaining ones.
func (g *guard) stop(timeout time.Duration) {
	g.Listener.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closing = true
	late := time.AfterFunc(timeout, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for c := range g.conns {
			c.Conn.Close() // its handler fails and closes it properly
		}
		clear(g.conns)
		g.idle.Broadcast()
	})
	defer late.Stop()
	for len(g.conns) > 0 {
		g.idle.Wait()
	}
}

func (g *guard) remove(c *guardedConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeLocked(c)
}

func (g *guard) removeLocked(c *guardedConn) {
	delete(g.conns, c)
	if len(g.conns) == 0 {
		g.idle.Broadcast()
	}
}

// guardedConn is a connection whose first Read receives and checks the whole head. Used by one
// goroutine at a time, but for Close.
type guardedConn struct {
	net.Conn

	// Immutable after admit:
	guard    *guard
	visitor  visitor
	opened   time.Time
	deadline time.Time

	// Guarded by guard.mu:
	asked bool // the head is complete

	// Owned by the connection's goroutine:
	checked bool
	rest    []byte // of the head, not read yet

	hurried atomic.Bool // another connection waits for the end of this answer
}

// Read gives the head, then EOF: there is no body and no next request.
func (c *guardedConn) Read(b []byte) (int, error) {
	if !c.checked {
		c.checked = true
		c.rest = c.receive()
	}
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// receive reads one head and returns it, or answers and returns nothing.
func (c *guardedConn) receive() []byte {
	if err := c.Conn.SetReadDeadline(c.deadline); err != nil {
		return nil
	}
	var request h1.Request
	buf := make([]byte, 0, 2<<10)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := c.Conn.Read(buf[len(buf):min(cap(buf), maxHead+1)])
		buf = buf[:len(buf)+n]
		switch status := h1.ParseRequest(&request, buf, h1.Limits{MaxHead: maxHead, MaxFields: 64, MaxTarget: maxHead}); {
		case status.Err() != h1.ErrNone:
			c.refuse(status.Err().HTTPStatus(), status.Err().Reason(), "")
			return nil
		case status == h1.Done && request.Method != message.MethodGet && request.Method != message.MethodHead:
			c.refuse(405, "only GET and HEAD are answered here", "Allow: GET, HEAD\r\n")
			return nil
		case status == h1.Done && request.HasBody:
			c.refuse(400, "no request here has a body", "")
			return nil
		case status == h1.Done:
			c.guard.asks(c)
			return buf[:request.HeadLen]
		}
		var late net.Error
		if errors.As(err, &late) && late.Timeout() && len(buf) > 0 {
			c.refuse(408, "the request head did not arrive in time", "")
		}
		if err != nil {
			return nil
		}
	}
}

// refuse answers a request that Hertz must not see. extra is complete field lines.
func (c *guardedConn) refuse(status int, reason, extra string) {
	answer := h1.AppendErrorResponse(nil, status, reason, []byte(extra), false, false)
	if _, err := c.Write(answer); err != nil {
		return
	}
	// Bytes that the client still sends would make the kernel reset the connection, and the answer could
	// be lost with it: half-close, and read a little of the rest.
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		if c.Conn.SetReadDeadline(time.Now().Add(time.Second)) == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(c.Conn, 64<<10))
		}
	}
}

// Write bounds each write by writeTimeout, or by hurriedTimeout once another connection waits.
func (c *guardedConn) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	if c.hurried.Load() { // looked at last, or hurry could come in between
		c.hurry()
	}
	return c.Conn.Write(b)
}

// hurry bounds the write under way, and those to come, by hurriedTimeout.
func (c *guardedConn) hurry() {
	c.hurried.Store(true)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(hurriedTimeout)) // fails where it is closed
}

// connOf returns the connection of a remote address, nil where it is gone.
func (g *guard) connOf(remote net.Addr) *guardedConn {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		if c.RemoteAddr().String() == remote.String() {
			return c
		}
	}
	return nil
}

// SetReadDeadline, SetWriteDeadline and SetDeadline do nothing: the guard's own bounds hold, and
// Hertz, which counts anew with each byte, would lift them.
func (c *guardedConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *guardedConn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline does nothing.
func (c *guardedConn) SetDeadline(time.Time) error { return nil }

// Close closes the connection and makes room for another.
func (c *guardedConn) Close() error {
	c.guard.remove(c)
	return c.Conn.Close()
}

// localName reports whether host, as a Host field has it, cannot be a DNS name made to point here:
// an IP address or localhost, with or without a port.
func localName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	return strings.EqualFold(name, "localhost") || net.ParseIP(name) != nil
}
