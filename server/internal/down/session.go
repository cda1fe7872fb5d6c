package down

import (
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Session is the HTTP/2 part of a client's connection: it feeds the bytes of the socket to the protocol's state, which
// announces streams, and writes the gathered output, once per batch of events. Owned by its loop.
type Session struct {
	c *Conn
	wire.Output
	streams   Stream            // head of the list of open streams
	resets    int               // streams that the client reset, less those that were served
	deferred  []*Stream         // of those that came in this read, see deferAfter; some may be gone
	small     []*Stream         // with small pieces of this read, see gather; some may be gone
	stalled   int               // streams that are beyond their grace, see Stream.stalls
	lastMoved int64             // when the client last took something of a stream that waited
	cause     *exchange.Failure // the Failure of its streams when it ends; nil: the client left
	drainStep uint8             // how far a drain has come
	closing   bool              // the connection closes behind the present output
}

// deferAfter: once this many unanswered streams of a client were reset (rapid reset, CVE-2023-44487), new ones start only
// after the whole read is parsed, so that those reset in it never reach an Endpoint. The codec closes the connection of a
// client that goes on.
const deferAfter = 2

// Steps of a drain, which sends GOAWAY twice: RFC 9113 section 6.8.
const (
	goawayFirst = 1 + iota // the client was asked to open no more streams
	goawayLast             // the client was told which stream is the last
)

// startSession makes c an HTTP/2 connection. data holds the bytes that came already, and may alias In.
func (c *Conn) startSession(data []byte) {
	w := c.w
	s := &Session{c: c}
	s.streams.next, s.streams.prev = &s.streams, &s.streams
	s.H2 = w.h2.NewServer(w.Now(), s)
	c.session = s
	c.become(phaseSession)
	s.touch()
	if len(data) > 0 {
		n := copy(w.frames, data) // data may be in the scratch buffer, which handlers use
		s.feed(w.frames[:n])
	}
	w.Buffers.Release(&c.In)
	if w.draining {
		s.drain() // the drain began before c was known to be HTTP/2
	}
}

// pump reads and feeds until the socket is empty, or the output is congested.
func (s *Session) pump() {
	c := s.c
	w := c.w
	for round := 0; ; round++ {
		if c.Broken || c.EOF && c.In.Len() == 0 {
			s.closeConn()
			return
		}
		if s.closing || s.H2.Congested() {
			break
		}
		if round == wire.Rounds {
			w.Again(c)
			break
		}
		n := c.Read(w.frames)
		if n == 0 {
			if c.EOF || c.Broken {
				continue
			}
			break
		}
		s.feed(w.frames[:n])
	}
	if c.Writable && s.unsent() {
		s.touch()
	}
	s.armTimer()
}

// feed gives the protocol's state p, and then starts the deferred Exchanges and pumps the gathered streams.
func (s *Session) feed(p []byte) {
	if err := s.H2.Feed(s.c.w.Now(), p); err != nil {
		s.noteError(err)
	}
	for i := 0; i < len(s.deferred); i++ {
		// The memory of a stream that is gone may be another stream's, which is in the list too, further back.
		if d := s.deferred[i]; d.deferred != nil && d.session == s && !s.closing {
			k := d.deferred
			d.deferred = nil
			s.startExchange(d, &k.Request, k.Head, k.Whole)
			s.c.w.FreeRequest(k)
		}
	}
	clear(s.deferred)
	s.deferred = s.deferred[:0]
	for _, d := range s.small {
		if d.Gathering && d.session == s && !s.closing {
			d.gathered()
		}
	}
	clear(s.small)
	s.small = s.small[:0]
	s.touch()
}

// noteError notes an error of either end of the connection, which closes it behind the output.
func (s *Session) noteError(err error) {
	if s.closing {
		return
	}
	s.closing = true
	s.c.why = stats.ClosedOnError
	if e, ok := err.(*h2.ConnError); ok && e.Flood != h2.FloodNone {
		s.c.w.Shard.Floods[e.Flood]++
		s.c.lingered = lingerBytes - lingerFlood
	}
}

// unsent reports that output waits, as frames or as TLS records.
func (s *Session) unsent() bool { return s.Output.Unsent(&s.c.Sock) }

// armTimer arms the connection's timer for the present wait.
func (s *Session) armTimer() {
	c := s.c
	set := c.w.set
	switch {
	case c.phase == phaseClosed:
	case s.unsent():
		c.Guard(wire.WaitSend, c.w.Settings.Send)
	case s.H2.Open() > 0:
		c.Rest()
	case c.w.draining:
		c.Guard(wire.WaitIdle, IdleGrace)
	case c.requests == 0:
		c.Guard(wire.WaitHead, set.header)
	default:
		c.Guard(wire.WaitIdle, set.idle)
	}
}

// touch has the output written at the end of the batch.
func (s *Session) touch() { s.FlushLater(&s.c.w.Loop.Loop, s) }

// FlushOutput implements wire.Flusher.
func (s *Session) FlushOutput() {
	s.Dirty = false
	c := s.c
	if c.phase == phaseClosed || s.H2 == nil { // teardown cancelled the streams that asked for this flush
		return
	}
	congested := s.H2.Congested()
	if s.FlushTo(&c.Sock) {
		c.Restart()
	}
	if congested && !s.H2.Congested() {
		c.w.Again(c) // bytes that were left unread meanwhile have had their event
	}
	if err := s.H2.Err(); err != nil {
		s.noteError(err)
	}
	unsent := s.unsent()
	switch {
	case c.Broken:
		s.closeConn()
	case s.closing && !unsent:
		c.ends(endingUnread) // the client may still be sending
		s.linger()
	case s.drainStep == goawayLast && s.H2.Open() == 0 && !unsent:
		if c.w.draining {
			c.why = stats.ClosedDraining
		}
		s.linger()
	default:
		s.armTimer()
	}
}

// drain asks the client to open no more streams. Pong, a round trip later, tells it which stream is the last.
func (s *Session) drain() {
	if s.drainStep == 0 && !s.closing {
		s.drainStep = goawayFirst
		s.H2.GoAway(false)
		s.H2.Ping(0)
		s.touch()
	}
}

// sendGoAway announces the close of an idle connection. FlushOutput closes it once the announcement is sent.
func (s *Session) sendGoAway() {
	if s.drainStep != goawayLast {
		s.drainStep = goawayLast
		s.H2.GoAway(true)
	}
	s.touch()
}

// Pong implements h2.Handler: the round trip of a drain is over.
func (s *Session) Pong(uint64) {
	if s.drainStep == goawayFirst {
		s.drainStep = goawayLast
		s.H2.GoAway(true)
	}
}

// closeConn closes a connection that has broken or ended.
func (s *Session) closeConn() {
	if s.c.Broken && s.c.why == stats.ClosedByClient {
		s.c.why = stats.ClosedReset
	}
	s.c.shut()
}

// linger ends a connection whose last bytes were sent: see Conn.linger.
func (s *Session) linger() {
	s.teardown()
	s.c.linger()
}

// teardown cancels every Exchange, because no client is left to answer, and releases the protocol's state.
func (s *Session) teardown() {
	s.closing = true
	why := s.cause
	if why == nil {
		why = exchange.FailAborted
	}
	for d := s.streams.next; d != &s.streams; d = s.streams.next {
		d.Gone = true
		if d.x != nil {
			d.x.Cancel(why)
		} else {
			d.free()
		}
	}
	s.Release(&s.c.w.Loop.Loop)
	s.H2, s.c.session = nil, nil
}

// Request implements h2.ServerHandler.
//
// hot: runs per request; no alloc, no lock.
func (s *Session) Request(st *h2.Stream, req *message.Request, head []byte, end bool) {
	d := s.c.w.newStream(s, st)
	d.Complete = end
	s.c.requests++
	s.c.Rest()
	if s.resets >= deferAfter {
		d.deferred = s.c.w.KeepRequest(req, head, nil)
		d.deferred.Whole = end
		s.deferred = append(s.deferred, d)
		return
	}
	s.startExchange(d, req, head, end)
	s.touch()
}

// startExchange starts the Exchange of a stream. end says that nothing follows the head.
//
// hot: runs per request; no alloc, no lock.
func (s *Session) startExchange(d *Stream, req *message.Request, head []byte, end bool) {
	from := exchange.FrameNone
	switch {
	case end || req.Extended:
	case req.ContentLength >= 0:
		from = exchange.FrameLength
	default:
		from = exchange.FrameStream
	}
	x := s.c.w.NewExchange(d, req, head, from)
	d.x = x
	x.Start(req, head, nil, nil)
	d.Pump()
}

// Data implements h2.Handler.
//
// hot: runs per piece of a body; no alloc, no lock.
func (s *Session) Data(st *h2.Stream, p []byte, end bool) {
	d, ok := st.Owner.(*Stream)
	if !ok {
		s.H2.Consumed(st, len(p))
		return
	}
	d.Complete = end
	if len(p) < wire.SmallPiece && !end {
		if d.Gather(p) {
			s.small = append(s.small, d)
		}
		return
	}
	d.receive(p)
	s.touch()
}

// Trailers implements h2.Handler.
func (s *Session) Trailers(st *h2.Stream, t *message.Head, lines []byte) {
	if d, ok := st.Owner.(*Stream); ok {
		d.Complete = true
		rule := fieldrule.Trailers{Request: true, Names: d.w.Settings.Names}
		rule.Mark(t.Fields, lines)
		d.GotTrailers = t.AppendFields(d.GotTrailers[:0], lines, false)
		d.Pump()
	}
}

// Fault implements h2.Handler.
func (s *Session) Fault(st *h2.Stream, f h2.Fault) {
	w := s.c.w
	if status := f.HTTPStatus(); status != 0 {
		w.RecordRefused(status, stats.HeaderTooLarge)
		w.out = message.AppendRefusal(w.out[:0], status, f.Reason())
		w.refusal = w.AppendAnswerLines(w.refusal[:0], nil, exchange.RefusalFields)
		s.H2.WriteHead(st, status, h2.Outgoing{Lines: w.refusal}, false)
		s.H2.WriteData(st, w.out, true)
		s.H2.Release(st)
		return
	}
	if st == nil {
		w.RecordRefused(400, stats.ClientMalformed)
		return
	}
	s.lose(st)
}

// Reset implements h2.Handler.
func (s *Session) Reset(st *h2.Stream, _ h2.Code) {
	s.resets++
	s.lose(st)
}

// lose cancels the Exchange of a stream that the client has reset, or whose message is malformed.
func (s *Session) lose(st *h2.Stream) {
	d, ok := st.Owner.(*Stream)
	if !ok {
		s.H2.Release(st)
		return
	}
	if d.Gathering {
		if d.gathered(); d.H2Stream != st {
			return
		}
	}
	d.Gone = true
	switch {
	case d.x == nil:
		d.free()
	case d.x.Tunnels():
		d.Pump() // bytes that came before the reset may still be on their way
	default:
		d.x.Cancel(exchange.FailAborted)
	}
}

// Writable implements h2.Handler.
func (s *Session) Writable(st *h2.Stream) {
	if d, ok := st.Owner.(*Stream); ok {
		d.Ready(0)
	}
}

// Settings and GoAway implement h2.Handler. Those of a client have no effect here.
func (s *Session) Settings()              {}
func (s *Session) GoAway(uint32, h2.Code) {}
