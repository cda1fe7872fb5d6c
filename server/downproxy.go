package server

import (
	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// A downConn on a listener of proxy_protocol.listeners begins with a PROXY protocol header, before TLS and
// before HTTP, which names the client. Without one, or from a peer that may not send one, it is
// closed without an answer: with any guess a client could claim an address.

// beginProxy expects a header, unless the peer may not send one: then c is closed unread.
func (c *downConn) beginProxy() {
	if !c.w.set.announces(c.remote.Addr()) {
		c.refuseProxy(stats.ProxyUntrusted)
		return
	}
	c.become(phaseProxy)
}

// readProxy reads until the header is whole and the next phase has begun (true), or more bytes are needed
// (false).
func (c *downConn) readProxy() bool {
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
func (c *downConn) announce(h *proxyproto.Header) bool {
	if h.Local {
		return true
	}
	c.remote = h.Source
	c.trusted = c.w.settings.trusts(h.Source.Addr())
	c.announced = announced{port: h.Destination.Port(), secure: h.TLS.Used}
	if c.trusted {
		return true
	}
	w := c.w
	src, n := w.sources.enter(c.remote.Addr())
	if int64(n) > w.set.capacity.perSource && !w.makeShare(&src.shares[w.ID()]) {
		w.sources.leave(src)
		return false
	}
	w.join(c, src)
	return true
}

func (c *downConn) refuseProxy(why stats.ProxyRefusal) {
	c.w.shard.ProxyRefusals[why]++
	c.why = stats.ClosedOnError
	c.shut()
}
