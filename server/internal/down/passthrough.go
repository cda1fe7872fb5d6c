package down

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// passthrough is a TLS connection that goes to an Endpoint as it is, because the Host that its client asks
// for wants that: bytes both ways, beginning with the ClientHello, of which the gateway reads the server
// name and nothing else. It is its own connection to the Endpoint, and the client's is c. Owned by the loop.
//
// Until the Endpoint's connection is established nothing of the client's is sent, and no more is read, so that
// another Endpoint can be tried. Afterwards there is no second try: TLS 1.3 lets a client send a request
// along with its ClientHello.
type passthrough struct {
	wire.Sock     // to the Endpoint
	upstream.Conn // counts as one busy connection of the Endpoint
	c             *Conn
	name          string // the server name
	backend       *upstream.Backend
	endpoint      *upstream.Endpoint // nil before the first attempt and between attempts
	attempts      int
	fellBack      bool // the attempt goes on at the Pod's other address
	ways          wire.Ways
	timer         loop.Timer // guards the connect, and then against silence

	// Times on the loop's clock, nanoseconds.
	started, chosen, connectTime int64

	received, sent int64 // bytes from the client, and to it
}

// attempt connects to an Endpoint other than avoid, the one that the attempt before failed on.
func (p *passthrough) attempt(avoid *upstream.Endpoint) {
	w := p.c.w
	now := w.Now()
	ep := p.backend.Pick(now, avoid)
	if ep != nil && ep.Full() {
		ep = p.backend.Pick(now, ep)
	}
	switch {
	case ep == nil:
		p.end(stats.NoEndpoint, upstream.Canceled)
		return
	case ep.Full():
		p.end(stats.UpstreamOverload, upstream.Canceled)
		return
	}
	p.attempts++
	p.fellBack = false
	p.connect(ep, now)
}

// connect begins an attempt at an Endpoint, or goes on with it at the Pod's other address.
func (p *passthrough) connect(ep *upstream.Endpoint, now int64) {
	w := p.c.w
	p.endpoint, p.chosen = ep, now
	ep.Started(now)
	to := wire.NewAddr(ep.Addr)
	if ok, short := w.Connect(&p.Sock, &to, p, p.c.Quota); !ok {
		if short {
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

// AttemptFailed tries another Endpoint, as often as requests may be tried: nothing was sent.
func (p *passthrough) attemptFailed(reason stats.Reason, outcome upstream.Outcome) {
	w := p.c.w
	goesOn := !p.fellBack && p.endpoint.HasTwin()
	if p.attempts >= w.Settings.Attempts && !goesOn {
		p.end(reason, outcome)
		return
	}
	avoid := p.endpoint
	p.leave(outcome)
	p.Sock = wire.NewSock(&w.Loop.Loop)
	if goesOn {
		p.fellBack = true
		p.connect(avoid.Fallback(), w.Now())
		return
	}
	w.Shard.Retries++
	p.attempt(avoid)
}

// leave gives the connection to the Endpoint up, if there is one.
func (p *passthrough) leave(outcome upstream.Outcome) {
	ep := p.endpoint
	if ep == nil {
		return
	}
	now := p.c.w.Now()
	latency := p.connectTime
	if latency == 0 {
		latency = now - p.chosen
	}
	ep.Remove(&p.Conn)
	ep.Finished(now, latency, outcome)
	p.endpoint = nil
	p.Connecting = false
	p.Close()
}

// Ready implements loop.Handler: events of the Endpoint's connection.
func (p *passthrough) Ready(ev loop.Events) {
	p.Note(ev)
	if ev&loop.Closed != 0 {
		// The rest can still be read; writing cannot succeed.
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

// established begins to pass on.
func (p *passthrough) established() {
	w := p.c.w
	p.connectTime = max(w.Now()-p.chosen, 1)
	w.Shard.Passthroughs++
	w.Set(&p.timer, w.Now()+w.Settings.Tunnel)
}

// pump copies both ways, until both have ended or one side has broken: see ways.
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

// over finds out what has ended the connection. That of an Endpoint which closed with its last byte breaks when the client's
// close_notify arrives after that: this is no failure.
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

// end closes both connections and counts. After a failure each peer that is still there gets a reset, so
// that neither takes the end for the other's.
func (p *passthrough) end(reason stats.Reason, outcome upstream.Outcome) {
	c, w := p.c, p.c.w
	endpoint := p.endpoint
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
		p.log(reason)
	}
	w.WakeJanitor()
	if endpoint != nil {
		p.leave(outcome)
	}
	w.Unlink(&p.timer)
	c.passthrough = nil
	c.shut()
}

// log writes the line of p, a TLS connection that was passed through.
func (p *passthrough) log(reason stats.Reason) {
	w := p.c.w
	b := w.Log.Begin(p.c.Remote)
	b = exchange.AppendJSON(append(b, `","passthrough":true,"host":`...), []byte(p.name))
	b = h1.AppendUint(append(b, `,"bytes_in":`...), uint64(p.received))
	b = h1.AppendUint(append(b, `,"bytes_out":`...), uint64(p.sent))
	b = h1.AppendUint(append(b, `,"duration_us":`...), uint64((w.Now()-p.started)/1000))
	if p.endpoint != nil {
		b = append(b, `,"endpoint":"`...)
		b = p.endpoint.Addr.AppendTo(b)
		b = append(b, '"')
	}
	if reason != stats.NoFailure {
		b = append(append(append(b, `,"reason":"`...), reason.String()...), '"')
	}
	w.Log.End(b)
}
