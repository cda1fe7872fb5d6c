package up

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// Conn is a connection to an Endpoint. It has one owner at a time: the Exchange that uses it, or
// its Endpoint's pool.
//
//	dial ──► connecting ──► shaking ──► an Exchange's ◄──► its pool's
//	              │       (where TLS is)      │               │
//	              └─────────────┴─────────────┴───────────────┴──► closed
type Conn struct {
	wire.Sock
	w *Loop
	upstream.Conn
	x        *exchange.Core      // nil while idle
	released uint64              // the loop's batch in which it last became idle
	backend  *routing.BackendTLS // how TLS is spoken; nil where it is not
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
		// The rest can still be read; writing cannot succeed.
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
		// Nobody asked: a stale connection, or bytes that belong to no request. They must not reach
		// the next one.
		if ev&(loop.ReadClosed|loop.Closed) != 0 {
			u.Endpoint.PeerClosed(&u.Conn, u.w.Now())
		}
		u.discard()
	}
}

// connected goes on once the connect has ended, either way.
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
	case u.backend != nil:
		if !u.startTLS() {
			x.AttemptFailed(exchange.FailTLS, upstream.ConnectFailed)
		}
	default:
		x.Send()
	}
	c.Pump()
}

// startTLS begins the handshake of a connection that was established, and reports whether it could. Progress says when there
// is something to send.
func (u *Conn) startTLS() bool {
	return u.BeginTLS(dialerOf(u.Endpoint).config(u.backend, "http/1.1"), u.Endpoint.Addr, u) == nil
}

// Progress implements tlsconn.Owner.
func (u *Conn) Progress() { u.Ready(0) }

// secured goes on with the handshake, and sends the request when it is done.
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

// dry reports that the socket holds no byte. A read that ended exactly with the response, or a splice,
// which takes no more than that, leaves unseen what the Endpoint sent behind it; its event is spent, so
// nothing but a look finds it before the next request's owner would.
func (u *Conn) dry() bool {
	return !u.Readable && (u.TLS == nil || !u.TLS.Buffered()) || u.Read(u.w.one[:]) == 0 && !u.EOF && !u.Broken
}

// Release implements exchange.Up: u goes back to its pool, when nothing is left on it either way. This is the one
// place where that happens, and settled, which the caller has asked, is the other half of the condition.
//
// hot: runs per request; no alloc, no lock.
func (u *Conn) Release(now int64) {
	u.x = nil
	u.released, _ = u.w.Batch()
	if u.Broken || u.PeerClosed || u.EOF || u.In.Len() > 0 || u.Out.Len() > 0 || !u.dry() || !u.Endpoint.Release(&u.Conn, now) {
		u.discard()
	}
}

// untouched reports that nothing has come on u, which was just taken from its pool, while it was idle; else u is
// gone. What has come is found by its event, but that may stand further back in this batch, or be one of the next
// where u became idle in this one. Then u is looked at, which costs a system call that other requests do not make.
// What comes from here on cannot be told from an answer.
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

// discard closes u and takes it out of its pool.
func (u *Conn) discard() {
	u.Endpoint.Remove(&u.Conn)
	u.Close()
	u.w.freeUp(u)
}

// dial starts a connection to ep for x. It returns nil when the kernel refuses at once, or where there is no descriptor for it.
func (w *Loop) dial(ep *upstream.Endpoint, x *exchange.Core) (u *Conn, short bool) {
	u = w.newUp()
	ok, short := w.Connect(&u.Sock, &dialerOf(ep).addr, u, x.Source())
	if !ok {
		w.freeUp(u)
		return nil, short
	}
	u.Strict = true
	u.backend = x.BackendTLS()
	u.x = x
	ep.Add(&u.Conn)
	w.Shard.UpstreamConnects++
	if !u.Connecting && u.backend != nil && !u.startTLS() {
		u.discard()
		return nil, false
	}
	return u, false
}
