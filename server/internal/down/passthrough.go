package down

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// passthrough is the Endpoint's side of a client's TLS connection whose Host has Passthrough: its bytes are relayed both
// ways, from the ClientHello on, of which the gateway reads the server name alone. c is the client's side. Owned by the
// loop.
//
// Until the connection to the Endpoint is established no byte of the client is sent, and no more are read, so that another
// Endpoint can be tried. Afterwards none is: TLS 1.3 lets a client send a request along with its ClientHello.
type passthrough struct {
	wire.Sock     // to the Endpoint
	upstream.Conn // counts as one busy connection of the Endpoint
	c             *Conn
	name          string // the server name
	attempt       upstream.Attempt
	ways          wire.Ways
	timer         loop.Timer // guards the connect, and silence behind it

	// Times on the loop's clock, nanoseconds.
	started, connectTime int64

	received, sent int64 // bytes from the client, and to it
}

// connect begins to connect to ep, the Endpoint of this attempt; nil: the Backend has none.
func (p *passthrough) connect(ep *upstream.Endpoint) {
	w := p.c.w
	now := w.Now()
	if ep == nil {
		p.end(stats.NoEndpoint, upstream.Canceled)
		return
	}
	for ep.Full() { // no pooled connection is of use here
		if ep = p.attempt.Full(now); ep == nil {
			p.end(stats.UpstreamOverload, upstream.Canceled)
			return
		}
	}
	to := wire.NewAddr(ep.Addr)
	if ok, short := w.Connect(&p.Sock, &to, p, p.c.Quota); !ok {
		if short {
			p.attempt.Withdraw(now)
			p.end(stats.Overloaded, upstream.Canceled)
			return
		}
		p.attemptFailed(stats.ConnectFailed, upstream.ConnectFailed)
		return
	}
	ep.Add(&p.Conn)
	w.Shard.UpstreamConnects++
	w.Set(&p.timer, now+w.Settings.Connect)
	if !p.Connecting {
		p.established()
	}
}

// attemptFailed goes on at another Endpoint, as often as requests may be tried: nothing was sent.
func (p *passthrough) attemptFailed(reason stats.Reason, outcome upstream.Outcome) {
	w := p.c.w
	failed := p.attempt.Endpoint
	p.drop(failed)
	ep, again := p.attempt.Failed(w.Now(), outcome, upstream.Carried{}, w.Settings.Attempts)
	switch {
	case again:
		w.Shard.Retries++
	case ep == nil:
		p.endAt(failed, reason)
		return
	}
	p.Sock = wire.NewSock(&w.Loop.Loop)
	p.connect(ep)
}

// drop closes the connection to ep.
func (p *passthrough) drop(ep *upstream.Endpoint) {
	ep.Remove(&p.Conn)
	p.Connecting = false
	p.Close()
}

// Ready implements loop.Handler: events of the Endpoint's connection.
func (p *passthrough) Ready(ev loop.Events) {
	p.Note(ev)
	if ev&loop.Closed != 0 {
		// Received bytes can still be read; a write cannot succeed.
		p.Readable, p.PeerClosed = true, true
	}
	if p.Connecting {
		switch ended, ok := p.Connected(); {
		case !ended:
		case !ok:
			p.attemptFailed(stats.ConnectFailed, upstream.ConnectFailed)
		default:
			p.established()
		}
	}
	p.c.Pump()
}

// established begins the relay.
func (p *passthrough) established() {
	w := p.c.w
	p.connectTime = max(w.Now()-p.attempt.Chosen, 1)
	w.Shard.Passthroughs++
	w.Set(&p.timer, w.Now()+w.Settings.Tunnel)
}

// pump relays both ways, until both have ended or one side has broken: see wire.Ways.
func (p *passthrough) pump() {
	c, w := p.c, p.c.w
	if p.Connecting {
		if c.Broken {
			p.end(stats.ClientAbort, upstream.Canceled)
		}
		return
	}
	t := &p.ways
	in, out, moved, more := t.Relay(&w.Loop.Loop, &c.Sock, &p.Sock)
	p.received += in
	w.Shard.PassthroughIn += uint64(in)
	p.sent += out
	w.Shard.PassthroughOut += uint64(out)
	switch {
	case t.Over(w.Now(), w.Settings.Send, more, &c.Sock, &p.Sock):
		p.over()
		return
	case t.Parting:
		w.Set(&p.timer, w.Now()+t.Look)
	case moved:
		w.Set(&p.timer, w.Now()+w.Settings.Tunnel)
	}
	if more {
		w.Again(c)
	}
}

// over ends the connection, by the reason that its ways show. The connection of an Endpoint that closed with its last byte
// breaks when the client's close_notify arrives afterwards: this is no failure.
func (p *passthrough) over() {
	t := &p.ways
	switch {
	case t.UpEnded && t.DownEnded:
		p.end(stats.NoFailure, upstream.OK)
	case p.c.Broken:
		p.end(stats.ClientAbort, upstream.Canceled)
	case t.DownEnded && !t.Resets(&p.Sock, &p.c.Sock, true):
		p.end(stats.NoFailure, upstream.OK)
	case p.sent == 0:
		p.end(stats.UpstreamReset, upstream.Reset)
	default:
		p.end(stats.UpstreamReset, upstream.OK)
	}
}

// Expired implements loop.Expirer.
func (p *passthrough) Expired(*loop.Timer, int64) {
	switch {
	case p.Connecting:
		p.attemptFailed(stats.ConnectTimeout, upstream.ConnectTimeout)
		p.c.Pump()
	case p.ways.Parting:
		p.c.Pump()
	default:
		p.end(stats.UpstreamTimeout, upstream.Canceled)
	}
}

// end ends the attempt that is under way, if there is one, and both connections.
func (p *passthrough) end(reason stats.Reason, outcome upstream.Outcome) {
	ep := p.attempt.Endpoint
	if ep != nil {
		now := p.c.w.Now()
		latency := p.connectTime
		if latency == 0 {
			latency = now - p.attempt.Chosen
		}
		p.attempt.Finish(now, latency, outcome)
	}
	p.endAt(ep, reason)
}

// endAt closes both connections and counts them; ep is the Endpoint of the last attempt, nil: there was none. After a
// failure each peer that is still there is sent a reset, so that it does not take the end for the other's.
func (p *passthrough) endAt(ep *upstream.Endpoint, reason stats.Reason) {
	c, w := p.c, p.c.w
	if reason != stats.NoFailure {
		w.Shard.PassthroughFailures[reason]++
	}
	switch reason {
	case stats.NoFailure:
		c.why = stats.ClosedTunnel
	case stats.ClientAbort:
		c.why = stats.ClosedReset
	case stats.Draining:
		c.why = stats.ClosedDraining
	default:
		c.why = stats.ClosedOnError
	}
	if reason != stats.NoFailure && p.connectTime != 0 {
		p.Reset()
		c.Reset()
	}
	if w.Log != nil {
		p.log(ep, reason)
	}
	w.WakeJanitor()
	if ep != nil {
		p.drop(ep)
	}
	w.Unlink(&p.timer)
	c.passthrough = nil
	c.shut()
}

// log writes the line of p, a TLS connection that was passed through to ep; nil: to none.
func (p *passthrough) log(ep *upstream.Endpoint, reason stats.Reason) {
	w := p.c.w
	b := w.Log.BeginLine(p.c.Remote)
	b = exchange.AppendJSON(append(b, `","passthrough":true,"host":`...), []byte(p.name))
	b = h1.AppendUint(append(b, `,"bytes_in":`...), uint64(p.received))
	b = h1.AppendUint(append(b, `,"bytes_out":`...), uint64(p.sent))
	b = h1.AppendUint(append(b, `,"duration_us":`...), uint64((w.Now()-p.started)/1000))
	if ep != nil {
		b = append(b, `,"endpoint":"`...)
		b = ep.Addr.AppendTo(b)
		b = append(b, '"')
	}
	if reason != stats.NoFailure {
		b = append(append(append(b, `,"reason":"`...), reason.String()...), '"')
	}
	w.Log.EndLine(b)
}
