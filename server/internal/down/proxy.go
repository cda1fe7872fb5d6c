package down

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// A Conn on a listener of proxy_protocol.listeners begins with a PROXY protocol header, before TLS and before HTTP, which
// names the client. A connection without one, or from a peer that may not send one, is closed without an answer: any guess
// would let a client claim an address.

// startProxy begins phaseProxy, unless the peer may not send a header: then c is closed unread.
func (c *Conn) startProxy() {
	if !c.w.set.announces(c.Remote.Addr()) {
		c.refuseProxy(stats.ProxyUntrusted)
		return
	}
	c.become(phaseProxy)
}

// readProxy reads until the header is whole and the next phase has begun (true), or more bytes are needed (false).
func (c *Conn) readProxy() bool {
	w := c.w
	for {
		n := c.Read(w.Scratch[:headRead])
		if n == 0 {
			switch {
			case c.In.Len() == 0 && (c.EOF || c.Broken):
				c.shut() // a check that the port is open
			case c.EOF || c.Broken:
				c.refuseProxy(stats.ProxyMalformed)
			}
			return false
		}
		data := w.Scratch[:n]
		if c.In.Len() > 0 {
			w.Buffers.Append(&c.In, data)
			data = c.In.Bytes()
		}
		header, length, status := proxyproto.Parse(data)
		switch status {
		case proxyproto.Incomplete: // the longest header has a few KiB
			if c.In.Len() == 0 {
				w.Buffers.Append(&c.In, data)
			}
			continue
		case proxyproto.Done:
			if !c.announce(&header) {
				c.why = stats.ClosedShed
				c.shut()
				return false
			}
			if c.In.Len() == 0 {
				w.Buffers.Append(&c.In, data[length:])
			} else {
				w.Buffers.Consume(&c.In, length)
			}
			c.startProtocol()
			return true
		}
		c.refuseProxy(stats.ProxyMalformed)
		return false
	}
}

// announce sets the client that h names, and reports whether that client may have another connection. The sender's own
// address counts for nothing from here on: it may be among forwarded.trusted_cidrs because it also forwards HTTP elsewhere,
// but the fields on this connection are the client's, which the sender relays unread. A client that the sender does not name
// (LOCAL) has no Source.
func (c *Conn) announce(h *proxyproto.Header) bool {
	if h.Local {
		return true
	}
	c.Remote = h.Source
	c.Trusted = c.w.Settings.Trusts(h.Source.Addr())
	c.Announced = exchange.Announced{Port: h.Destination.Port(), Secure: h.TLS.Used}
	if c.Trusted {
		return true
	}
	w := c.w
	src, n := w.sources.enter(c.Remote.Addr())
	if int64(n) > w.set.Capacity.perSource && !w.makeRoomInSource(&src.shares[w.ID()]) {
		w.sources.leave(src)
		return false
	}
	w.join(c, src)
	return true
}

// refuseProxy closes c unanswered, and counts the reason.
func (c *Conn) refuseProxy(why stats.ProxyRefusal) {
	c.w.Shard.ProxyRefusals[why]++
	c.why = stats.ClosedOnError
	c.shut()
}
