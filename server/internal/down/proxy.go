package down

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// A Conn on a listener of proxy_protocol.listeners begins with a PROXY protocol header, before TLS and
// before HTTP, which names the client. Without one, or from a peer that may not send one, it is
// closed without an answer: with any guess a client could claim an address.

// beginProxy expects a header, unless the peer may not send one: then c is closed unread.
func (c *Conn) beginProxy() {
	if !c.w.set.announces(c.Remote.Addr()) {
		c.refuseProxy(stats.ProxyUntrusted)
		return
	}
	c.become(phaseProxy)
}

// readProxy reads until the header is whole and the next phase has begun (true), or more bytes are needed
// (false).
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
		case proxyproto.Incomplete: // of which a header's most is held, a few KiB
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
			c.begins()
			return true
		}
		c.refuseProxy(stats.ProxyMalformed)
		return false
	}
}

// announce takes over who the client is. From here on the sender's own address counts for nothing: that
// it is among forwarded.trusted_cidrs, say, because it also passes HTTP on elsewhere, does not make
// a client's fields trustworthy, which it passes on unread.
//
// It reports whether the client may have another connection. One that the sender does not name has no bound of
// its own.
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
	if int64(n) > w.set.Capacity.perSource && !w.makeShare(&src.shares[w.ID()]) {
		w.sources.leave(src)
		return false
	}
	w.join(c, src)
	return true
}

func (c *Conn) refuseProxy(why stats.ProxyRefusal) {
	c.w.Shard.ProxyRefusals[why]++
	c.why = stats.ClosedOnError
	c.shut()
}
