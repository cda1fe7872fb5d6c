package up

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// Conn is an HTTP/1.1 connection to an Endpoint. It has one owner at a time: the Exchange that uses it, or its Endpoint's
// Pool. Made by Loop.Acquire.
//
//	dial ──► connecting ──► shaking ──► an Exchange's ◄──► its pool's
//	              │       (where TLS is)      │               │
//	              └─────────────┴─────────────┴───────────────┴──► closed
type Conn struct {
	wire.Sock
	w *Loop
	upstream.Conn
	x          *exchange.Core      // nil while idle
	released   uint64              // the loop's batch in which it last became idle
	backendTLS *routing.BackendTLS // nil: the connection is plain
}

// Ready implements loop.Handler.
func (u *Conn) Ready(ev loop.Events) {
	u.Note(ev)
	switch {
	case u.Connecting:
		u.connected()
		return
	case u.Shaking:
		u.secured()
		return
	}
	if ev&loop.Closed != 0 {
		// Received bytes can still be read; a write cannot succeed.
		u.Readable, u.PeerClosed = true, true
	}
	if x := u.x; x != nil {
		x.ClientSide().Pump()
		return
	}
	if u.TLS != nil && ev&(loop.ReadClosed|loop.Closed|loop.Failed) == 0 && u.dry() {
		return // a session ticket or key update: no application data
	}
	if ev&(loop.Readable|loop.ReadClosed|loop.Closed|loop.Failed) != 0 {
		// The Endpoint has closed an idle connection, or sent bytes that belong to no request and must not reach the next
		// one.
		if ev&(loop.ReadClosed|loop.Closed) != 0 {
			u.Endpoint.PeerClosed(&u.Conn, u.w.Now())
		}
		u.discard()
	}
}

// connected goes on once the connect has succeeded or failed.
func (u *Conn) connected() {
	ended, ok := u.Connected()
	if !ended {
		return
	}
	x := u.x
	c := x.ClientSide() // x may have ended when this returns
	switch {
	case !ok:
		x.AttemptFailed(exchange.FailConnect, upstream.ConnectFailed)
	case u.backendTLS != nil:
		if !u.startTLS() {
			x.AttemptFailed(exchange.FailTLS, upstream.ConnectFailed)
		}
	default:
		x.Send()
	}
	c.Pump()
}

// startTLS begins the handshake of a connection that is established, and reports whether it could. Progress is called when
// there are bytes to send.
func (u *Conn) startTLS() bool {
	return u.ConnectTLS(dialerOf(u.Endpoint).config(u.backendTLS, "http/1.1"), u.Endpoint.Addr, u) == nil
}

// Progress implements tlsconn.Owner.
func (u *Conn) Progress() { u.Ready(0) }

// secured goes on with the handshake, and sends the request when it is complete.
func (u *Conn) secured() {
	done, err := u.Shake()
	x := u.x
	c := x.ClientSide() // x may have ended when this returns
	switch {
	case err != nil:
		x.AttemptFailed(exchange.FailTLS, upstream.ConnectFailed)
	case done:
		x.Send()
	default:
		return
	}
	c.Pump()
}

// dry reports that the socket holds no byte. Bytes that the Endpoint has sent behind its response stay unseen where a read
// ended exactly with the response, or where it was spliced. Their event is spent, so only a read finds them before they are
// taken for the response to the next request.
func (u *Conn) dry() bool {
	return !u.Readable && (u.TLS == nil || !u.TLS.Buffered()) || u.Read(u.w.one[:]) == 0 && !u.EOF && !u.Broken
}

// Release implements exchange.Up: u goes back to its Pool if no byte is left on it in either direction. It is the one place
// where a Conn does. The other half of the condition is exchange.Core.settled, which the caller has checked.
//
// hot: runs per request; no alloc, no lock.
func (u *Conn) Release(now int64) {
	u.x = nil
	u.released, _ = u.w.Batch()
	if u.Broken || u.PeerClosed || u.EOF || u.In.Len() > 0 || u.Out.Len() > 0 || !u.dry() || !u.Endpoint.Release(&u.Conn, now) {
		u.discard()
	}
}

// untouched reports that no byte has come on u, which was just taken from its Pool, while it was idle; otherwise u was
// closed. Bytes that came are found by their event. The event may be further back in this batch, or in the next one where u
// became idle in this one: then the socket is read, a system call that other requests do without. Bytes that come later
// cannot be told from the response.
//
// hot: runs per request; no alloc, no lock.
func (u *Conn) untouched() bool {
	l := u.w
	if due := l.Due(&u.Src); due != 0 {
		if u.Ready(due); !u.Src.Open() {
			return false
		}
	}
	if batch, full := l.Batch(); batch == u.released || full {
		if u.Readable = true; !u.dry() {
			u.discard()
			return false
		}
	}
	return true
}

// Abandon implements exchange.Up.
func (u *Conn) Abandon() {
	u.x = nil
	u.discard()
}

// Stale implements exchange.Up: the Endpoint closed u while it was idle.
func (u *Conn) Stale(now int64) {
	u.Endpoint.PeerClosed(&u.Conn, now)
	u.Abandon()
}

// discard closes u and takes it out of its Pool.
func (u *Conn) discard() {
	u.Endpoint.Remove(&u.Conn)
	u.Close()
	u.w.freeConn(u)
}

// dial begins to connect to ep for x. It returns nil where the kernel refuses at once, and where no descriptor was granted:
// short.
func (w *Loop) dial(ep *upstream.Endpoint, x *exchange.Core) (u *Conn, short bool) {
	u = w.newConn()
	ok, short := w.Connect(&u.Sock, &dialerOf(ep).addr, u, x.Quota())
	if !ok {
		w.freeConn(u)
		return nil, short
	}
	u.NeedsCloseNotify = true
	u.backendTLS = x.BackendTLS()
	u.x = x
	ep.Add(&u.Conn)
	w.Shard.UpstreamConnects++
	if !u.Connecting && u.backendTLS != nil && !u.startTLS() {
		u.discard()
		return nil, false
	}
	return u, false
}
