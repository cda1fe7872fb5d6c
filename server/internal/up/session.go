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

// Session is an HTTP/2 connection to an Endpoint, which carries many Exchanges at a time. Owned by its loop; in its dialer's
// list until it takes no more requests, and open until its last stream ends.
//
//	openSession ──► connecting ──► shaking ──► established ──► retired ──► closed
//	                             (where TLS is)
//
// Each state may end in closed at once. Streams wait for their Session until it is established, and those of an Upgrade
// until the Endpoint's SETTINGS came. A GOAWAY of the Endpoint, a flood, and a connect that takes too long retire a Session.
// A lone Session has further states: see loneState.
type Session struct {
	wire.Sock
	w             *Loop
	upstream.Conn // counts as one busy connection of the Endpoint for as long as it is open

	wire.Output
	dialer      *dialer
	streams     []*Stream           // under way, or waiting until requests can be sent
	small       []*Stream           // with small pieces of this read, see wire.Stream.Gather; some may be gone
	requests    uint64              // that began
	backendTLS  *routing.BackendTLS // nil: the connection is plain
	closed      bool
	gotSettings bool // the Endpoint's SETTINGS came
	flooded     bool // the Endpoint sends frames that carry nothing: the Session takes no more requests
	lone        loneState
	pinged      bool  // a PING waits for bytes of the Endpoint
	idleSince   int64 // when its last stream ended
	lastRead    int64 // when bytes last came
}

// pingAfter bounds the silence of an Endpoint on a Session with streams, nanoseconds: a PING is sent after it, and the
// Session closed after as much again.
const pingAfter = int64(15e9)

// openSession begins to connect a Session to ep, a lone one where alone says so. It returns nil where the kernel refuses at
// once, and where no descriptor was granted: short.
func (w *Loop) openSession(ep *upstream.Endpoint, b *routing.BackendTLS, of *exchange.Quota, alone bool) (s *Session, short bool) {
	t := dialerOf(ep)
	s = &Session{Sock: wire.NewSock(&w.Loop.Loop), w: w, dialer: t, backendTLS: b}
	s.NeedsCloseNotify = true
	s.Owner = s
	if ok, short := w.Connect(&s.Sock, &t.addr, s, of); !ok {
		return nil, short
	}
	s.H2 = w.h2.NewClient(w.Now(), s, b != nil)
	s.lastRead = w.Now()
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

// startTLS begins the handshake of a connection that is established, and reports whether it could.
func (s *Session) startTLS() bool {
	if err := s.ConnectTLS(s.dialer.config(s.backendTLS, "h2"), s.Endpoint.Addr, s); err != nil {
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

// secured goes on with the handshake, and returns true when it is complete and the Session open.
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
	s.opened()
	return !s.closed
}

// connected goes on once the connect has succeeded or failed.
func (s *Session) connected() {
	switch ended, ok := s.Connected(); {
	case !ended:
	case !ok:
		s.Broken = true
		s.end(upstream.ConnectFailed)
	case s.backendTLS == nil:
		s.opened()
	default:
		s.startTLS()
	}
}

// opened sends the requests that waited until the Session was established.
func (s *Session) opened() {
	s.sendWaiting()
	s.touch()
}

// sendWaiting sends the waiting requests that can be sent by now.
func (s *Session) sendWaiting() {
	for _, u := range slices.Clone(s.streams) {
		if u.x != nil && u.s == s && u.H2Stream == nil && !u.Gone && u.Established() {
			c := u.x.ClientSide()
			u.x.Send()
			c.Pump()
		}
	}
}

// pump reads and feeds until the socket is empty.
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
		n := s.Read(w.frames) // also behind a reset: the bytes before it may be responses
		if n == 0 {
			if s.EOF || s.Broken {
				s.end(upstream.Reset)
				return
			}
			break
		}
		s.lastRead, s.pinged = w.Now(), false
		err := s.H2.Feed(w.Now(), w.frames[:n])
		s.pumpGathered()
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

// pumpGathered pumps the streams whose small pieces were stored during the read.
func (s *Session) pumpGathered() {
	for _, u := range s.small {
		if u.Gathering && u.s == s && !s.closed {
			u.pumpGathered()
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

// acknowledged reports that the Endpoint's kernel has all output. Its last bytes may be on their way when the last Exchange
// has ended: those of a tunnel, or of a request that was answered early. The kernel would drop them with the connection,
// because the Endpoint goes on sending frames of its own.
func (s *Session) acknowledged() bool {
	return !s.unsent() && loop.Unacknowledged(s.Src.FD()) == 0
}

// unsent reports that output waits, as frames or as TLS records.
func (s *Session) unsent() bool { return s.Output.Unsent(&s.Sock) }

// retire takes the Session out of its dialer's list: it gets no new requests.
func (s *Session) retire() {
	if s.lone != loneNot {
		s.retireLone()
		return
	}
	if i := slices.Index(s.dialer.sessions, s); i >= 0 {
		s.dialer.sessions = slices.Delete(s.dialer.sessions, i, i+1)
	}
}

// end closes the Session, and fails its streams. outcome is counted for the Endpoint's Health.
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

// expire closes the Session where it is silent, or has no streams and is retired or was idle for as long as idle. A Session
// that has received GOAWAY stays open for a JanitorPeriod behind its last stream: the Endpoint may not have read all it was
// sent, and a frame that it sends then would turn the close into a reset, which discards the rest (the end of a tunnel, once
// in two thousand rounds of chaos).
func (s *Session) expire(now, idle int64) {
	switch {
	case len(s.streams) == 0 && ((s.Endpoint.Gone || s.flooded || s.lone == loneOver || s.H2.Gone() && now-s.idleSince >= wire.JanitorPeriod) && s.acknowledged() || now-s.idleSince >= idle):
		s.end(upstream.Canceled)
	case len(s.streams) == 0 && s.lone == loneAsked && now-s.idleSince >= pingAfter:
		s.end(upstream.Canceled)
	case len(s.streams) == 0 || s.Connecting || s.Shaking || now-s.lastRead < pingAfter:
	case !s.pinged:
		s.pinged = true
		s.lastRead = now
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
			x.FailMalformed()
			c.Pump()
			return
		}
		x.SwitchProtocols(resp, head, nil)
		c.Pump() // the bytes that came before have had their events
		return
	case resp.Code < 200:
		x.RelayInterim(resp, head)
	default:
		x.RelayFinal(resp, head, nil, end)
	}
	switch {
	case end || x.ClientSide() != c: // where x has ended, c may have its next request already
		c.Pump()
	default:
		x.GuardClient() // behind Restart above
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

// Fault implements h2.Handler: the Endpoint's response is malformed.
func (s *Session) Fault(st *h2.Stream, _ h2.Fault) {
	if st == nil {
		return
	}
	if u, ok := st.Owner.(*Stream); ok && u.x != nil {
		if u.Gathering {
			if u.pumpGathered(); u.H2Stream != st || u.x == nil {
				return
			}
		}
		u.Gone = true
		x := u.x
		c := x.ClientSide()
		x.FailMalformed()
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
		if u.pumpGathered(); u.H2Stream != st || u.x == nil {
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

// Settings implements h2.Handler: they tell whether the Endpoint takes an Upgrade.
func (s *Session) Settings() {
	if !s.gotSettings {
		s.gotSettings = true
		s.sendWaiting()
	}
}

// GoAway implements h2.Handler: requests under way go on, except those for which Reset is called.
func (s *Session) GoAway(uint32, h2.Code) { s.retire() }

// Flooded implements h2.ClientHandler. Requests under way are not the cause, and go on.
func (s *Session) Flooded(f h2.Flood) {
	s.flooded = true
	s.w.Shard.EndpointFloods[f]++
	s.retire()
}

// Pong implements h2.Handler. The answer to a check whether the Endpoint is alive has done its work by being read.
func (s *Session) Pong(data uint64) {
	if data == lonePing && s.lone == loneAsked {
		s.freeLone()
	}
}
