package up

import (
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// Session is an HTTP/2 connection to an Endpoint, which carries many Exchanges at a time. Owned by
// its loop; in its dialer's list until it takes no more requests, and alive until its last stream ends.
//
//	openSession ──► connecting ──► shaking ──► established ──► retired ──► closed
//	                             (where TLS is)
//
// Each may end in closed at once. Streams wait for it until it is established, and those of an Upgrade until the Endpoint's
// SETTINGS came. What retires it is the Endpoint's GOAWAY, a flood, or a connect that took too long. One that requests do not
// share has states of its own: see loneState.
type Session struct {
	wire.Sock
	w             *Loop
	upstream.Conn // counts as one busy connection of the Endpoint for as long as it is open

	wire.Output
	dialer    *dialer
	streams   []*Stream // those under way, and while connecting those that wait for it
	small     []*Stream // with small pieces of this read, see gather; some may be gone
	requests  uint64
	backend   *routing.BackendTLS // how TLS is spoken; nil where it is not
	closed    bool
	settled   bool // the Endpoint's SETTINGS came
	flooded   bool // it takes no more requests, because the Endpoint sends what is worth nothing
	lone      loneState
	pinged    bool
	idleSince int64
	heard     int64 // when bytes last came
}

// pingAfter bounds the silence of a Session with streams: it is sent a PING after that, and closed when nothing comes for as
// long again.
const pingAfter = int64(15e9)

// openSession starts an HTTP/2 connection to ep, for one request at a time if it is to be alone, or returns nil when
// the kernel refuses at once, or where there is no descriptor for it.
func (w *Loop) openSession(ep *upstream.Endpoint, b *routing.BackendTLS, of *exchange.Quota, alone bool) (s *Session, short bool) {
	t := dialerOf(ep)
	s = &Session{Sock: wire.NewSock(&w.Loop.Loop), w: w, dialer: t, backend: b}
	s.Strict = true
	s.Owner = s
	if ok, short := w.Connect(&s.Sock, &t.addr, s, of); !ok {
		return nil, short
	}
	s.H2 = w.h2.NewClient(w.Now(), s, b != nil)
	s.heard = w.Now()
	ep.Add(&s.Conn)
	w.Shard.UpstreamConnects++
	if alone {
		s.lone = loneBusy
	} else {
		t.sessions = append(t.sessions, s)
	}
	w.sessions = append(w.sessions, s)
	if !s.Connecting && b != nil && !s.startTLS() {
		return nil, false
	}
	return s, false
}

// startTLS begins the handshake of a connection that was established, and reports whether it could.
func (s *Session) startTLS() bool {
	if err := s.BeginTLS(s.dialer.config(s.backend, "h2"), s.Endpoint.Addr, s); err != nil {
		s.end(upstream.ConnectFailed)
		return false
	}
	return true
}

// Progress implements tlsconn.Owner.
func (s *Session) Progress() { s.Ready(0) }

// Ready implements loop.Handler.
func (s *Session) Ready(ev loop.Events) {
	s.Note(ev)
	if s.closed {
		return
	}
	if s.Connecting {
		s.connected()
		return
	}
	if s.Shaking && !s.secured() {
		return
	}
	s.pump()
}

// secured goes on with the handshake, and returns true when it is done.
func (s *Session) secured() bool {
	done, err := s.Shake()
	switch {
	case err != nil:
		s.end(upstream.ConnectFailed)
		return false
	case !done:
		return false
	case s.TLS.Protocol() != "h2":
		s.end(upstream.ConnectFailed)
		return false
	}
	s.begins()
	return !s.closed
}

// connected goes on once the connect has ended, either way.
func (s *Session) connected() {
	switch ended, ok := s.Connected(); {
	case !ended:
	case !ok:
		s.Broken = true
		s.end(upstream.ConnectFailed)
	case s.backend == nil:
		s.begins()
	default:
		s.startTLS()
	}
}

// begins sends the requests that waited.
func (s *Session) begins() {
	s.sendWaiting()
	s.touch()
}

// sendWaiting sends the requests that waited for what is known by now.
func (s *Session) sendWaiting() {
	for _, u := range slices.Clone(s.streams) {
		if u.x != nil && u.s == s && u.H2Stream == nil && !u.Gone && u.Established() {
			c := u.x.ClientSide()
			u.x.Send()
			c.Pump()
		}
	}
}

// pump reads and feeds until there is nothing to read.
func (s *Session) pump() {
	w := s.w
	for round := 0; ; round++ {
		if s.closed {
			return
		}
		if round == wire.Rounds {
			w.Again(s)
			break
		}
		n := s.Read(w.frames) // also behind a reset: what came before it may be responses
		if n == 0 {
			if s.EOF || s.Broken {
				s.end(upstream.Reset)
				return
			}
			break
		}
		s.heard, s.pinged = w.Now(), false
		err := s.H2.Feed(w.Now(), w.frames[:n])
		s.passSmall()
		if err != nil {
			if e, ok := err.(*h2.ConnError); ok && e.Flood != h2.FloodNone && !s.flooded {
				w.Shard.EndpointFloods[e.Flood]++
			}
			s.touch()
			s.FlushOutput()
			s.end(upstream.Malformed)
			return
		}
		s.touch()
	}
	if s.Sock.Writable && s.unsent() {
		s.touch()
	}
}

// passSmall passes on the small pieces of what was read.
func (s *Session) passSmall() {
	for _, u := range s.small {
		if u.Gathering && u.s == s && !s.closed {
			u.gathered()
		}
	}
	clear(s.small)
	s.small = s.small[:0]
}

// touch has the output written at the end of the batch.
func (s *Session) touch() {
	if !s.Connecting && !s.Shaking && !s.closed {
		s.FlushLater(&s.w.Loop.Loop, s)
	}
}

// FlushOutput implements wire.Flusher.
func (s *Session) FlushOutput() {
	s.Dirty = false
	if s.closed {
		return
	}
	s.FlushTo(&s.Sock)
	switch {
	case s.Broken && s.H2.Err() == nil:
		s.pump()
	case s.Broken:
		s.end(upstream.Reset)
	}
}

// arrived reports that the Endpoint has all that it was sent. An Exchange may end before: a tunnel whose last
// bytes are on their way, a request that was answered early. The kernel would drop them with the connection,
// because the Endpoint goes on sending frames of its own.
func (s *Session) arrived() bool {
	return !s.unsent() && loop.Unacknowledged(s.Src.FD()) == 0
}

// unsent reports that output waits, as frames or sealed.
func (s *Session) unsent() bool { return s.Output.Unsent(&s.Sock) }

// retire keeps new requests away.
func (s *Session) retire() {
	if s.lone != loneNot {
		s.retireLone()
		return
	}
	if i := slices.Index(s.dialer.sessions, s); i >= 0 {
		s.dialer.sessions = slices.Delete(s.dialer.sessions, i, i+1)
	}
}

// end closes the session. Its streams learn that it is gone.
func (s *Session) end(outcome upstream.Outcome) {
	if s.closed {
		return
	}
	s.closed = true
	s.retire()
	for len(s.streams) > 0 {
		u := s.streams[len(s.streams)-1]
		s.streams = s.streams[:len(s.streams)-1]
		u.listed = false
		u.Gone = true
		if x := u.x; x != nil {
			c := x.ClientSide()
			if outcome == upstream.ConnectFailed {
				f := exchange.FailConnect
				if s.TLS != nil {
					f = exchange.FailTLS
				}
				x.AttemptFailed(f, outcome)
			}
			c.Pump()
		}
	}
	s.Release(&s.w.Loop.Loop)
	s.Endpoint.Remove(&s.Conn)
	s.Close()
	if i := slices.Index(s.w.sessions, s); i >= 0 {
		s.w.sessions = slices.Delete(s.w.sessions, i, i+1)
	}
}

// check is the janitor's look at a session; idle is how long one without streams is kept. One that the Endpoint has taken
// leave of ends a while behind its last stream: what has arrived there is not read yet, and its answer to a frame would make
// a reset of the close, which takes the rest of it along (the end of a tunnel, once in two thousand rounds of chaos).
func (s *Session) check(now, idle int64) {
	switch {
	case len(s.streams) == 0 && ((s.Endpoint.Gone || s.flooded || s.lone == loneOver || s.H2.Gone() && now-s.idleSince >= wire.JanitorPeriod) && s.arrived() || now-s.idleSince >= idle):
		s.end(upstream.Canceled)
	case len(s.streams) == 0 && s.lone == loneAsked && now-s.idleSince >= pingAfter:
		s.end(upstream.Canceled)
	case len(s.streams) == 0 || s.Connecting || s.Shaking || now-s.heard < pingAfter:
	case !s.pinged:
		s.pinged = true
		s.heard = now
		s.H2.Ping(1)
		s.touch()
	default:
		s.end(upstream.ResponseTimeout)
	}
}

// Response implements h2.ClientHandler.
//
// hot: runs per response; no alloc, no lock.
func (s *Session) Response(st *h2.Stream, resp *message.Response, head []byte, end bool) {
	u, ok := st.Owner.(*Stream)
	if !ok || u.x == nil {
		return
	}
	x := u.x
	c := x.ClientSide()
	u.Complete = end
	c.Restart()
	x.ExpectResponse()
	switch {
	case resp.Code == 101:
		if !x.Upgrades() {
			x.Malformed()
			c.Pump()
			return
		}
		x.SwitchProtocols(resp, head, nil)
		c.Pump() // what came before has had its events
		return
	case resp.Code < 200:
		x.InterimHead(resp, head)
	default:
		x.FinalHead(resp, head, nil, end)
	}
	switch {
	case end || x.ClientSide() != c: // if x has ended, c goes on with what comes next
		c.Pump()
	default:
		x.GuardClient() // restart has disarmed the client's timer
	}
}

// Data implements h2.Handler.
//
// hot: runs per piece of a body; no alloc, no lock.
func (s *Session) Data(st *h2.Stream, p []byte, end bool) {
	u, ok := st.Owner.(*Stream)
	if !ok || u.x == nil {
		s.H2.Consumed(st, len(p))
		return
	}
	u.Complete = end
	if len(p) < wire.SmallPiece && !end {
		if u.Gather(p) {
			s.small = append(s.small, u)
		}
		return
	}
	u.Offer(p)
	u.x.ClientSide().Pump()
	if u.H2Stream == st {
		u.Store()
	}
}

// Trailers implements h2.Handler.
func (s *Session) Trailers(st *h2.Stream, t *message.Head, lines []byte) {
	if u, ok := st.Owner.(*Stream); ok && u.x != nil {
		u.Complete = true
		u.GotTrailers = t.AppendFields(u.GotTrailers[:0], lines, false)
		u.x.ClientSide().Pump()
	}
}

// Fault implements h2.Handler: what the Endpoint sent is malformed.
func (s *Session) Fault(st *h2.Stream, _ h2.Fault) {
	if st == nil {
		return
	}
	if u, ok := st.Owner.(*Stream); ok && u.x != nil {
		if u.Gathering {
			if u.gathered(); u.H2Stream != st || u.x == nil {
				return
			}
		}
		u.Gone = true
		x := u.x
		c := x.ClientSide()
		x.Malformed()
		c.Pump()
		return
	}
	s.H2.Release(st)
}

// Reset implements h2.Handler.
func (s *Session) Reset(st *h2.Stream, code h2.Code) {
	u, ok := st.Owner.(*Stream)
	if !ok || u.x == nil {
		s.H2.Release(st)
		return
	}
	if u.Gathering {
		if u.gathered(); u.H2Stream != st || u.x == nil {
			return
		}
	}
	u.Gone = true
	u.refused = code == h2.RefusedStream
	u.x.ClientSide().Pump()
}

// Writable implements h2.Handler.
func (s *Session) Writable(st *h2.Stream) {
	if u, ok := st.Owner.(*Stream); ok && u.x != nil {
		u.x.ClientSide().Pump()
	}
}

// Settings implements h2.Handler: whether the Endpoint takes an Upgrade is known.
func (s *Session) Settings() {
	if !s.settled {
		s.settled = true
		s.sendWaiting()
	}
}

// GoAway implements h2.Handler: what is under way goes on, except where Reset says otherwise.
func (s *Session) GoAway(uint32, h2.Code) { s.retire() }

// Flooded implements h2.ClientHandler: who is under way on the session has done nothing, and goes on.
func (s *Session) Flooded(f h2.Flood) {
	s.flooded = true
	s.w.Shard.EndpointFloods[f]++
	s.retire()
}

// Pong implements h2.Handler. Of a sign of life it is all that counts that bytes came.
func (s *Session) Pong(data uint64) {
	if data == lonePing && s.lone == loneAsked {
		s.freeLone()
	}
}
