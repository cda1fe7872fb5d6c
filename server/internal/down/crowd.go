package down

import (
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// crowd orders the shares of one loop by their number of connections: a list for each number, so that a connection that
// opens or closes moves its share by one list, and the share with most is the head of the last. Owned by the loop; the zero
// value is empty.
//
// When there are too many connections, one that waits for its client is shed, of the Source that has most. The first search
// that finds one decides: an idle one, or one without a complete request, of a Source with more connections than the
// newcomer's; one whose client keeps a request waiting, of a Source with many more; an idle one of any Source; and again one
// with a request, of a Source with more than the newcomer's.
type crowd struct {
	ranks []*share // by the number of connections, from 1
	most  int
}

// join adds c to its share.
func (w *Loop) join(c *Conn, src *source) {
	s := &src.shares[w.ID()]
	c.share, c.Quota = s, &s.Quota
	c.link(s)
	w.crowd.move(s, s.n+1)
}

// leave takes c, whose requests have ended, out of its share.
func (w *Loop) leave(c *Conn) {
	s := c.share
	if s == nil {
		return
	}
	c.share, c.Quota = nil, nil
	c.unlink(s)
	w.crowd.move(s, s.n-1)
	if s.n == 0 {
		s.GiveBackSpare()
	}
	w.sources.leave(s.source)
}

// link makes c the last of s.
func (c *Conn) link(s *share) {
	c.younger, c.older = nil, s.last
	if s.last != nil {
		s.last.younger = c
	} else {
		s.first = c
	}
	s.last = c
}

// unlink takes c out of the list of s.
func (c *Conn) unlink(s *share) {
	if c.older != nil {
		c.older.younger = c.younger
	} else {
		s.first = c.younger
	}
	if c.younger != nil {
		c.younger.older = c.older
	} else {
		s.last = c.older
	}
	c.younger, c.older = nil, nil
}

// move puts s into the list of shares with n connections.
func (k *crowd) move(s *share, n int) {
	if s.n > 0 {
		if s.prev != nil {
			s.prev.next = s.next
		} else {
			k.ranks[s.n] = s.next
		}
		if s.next != nil {
			s.next.prev = s.prev
		}
		s.next, s.prev = nil, nil
	}
	for len(k.ranks) <= n {
		k.ranks = append(k.ranks, nil)
	}
	s.n = n
	if n > 0 {
		if s.next = k.ranks[n]; s.next != nil {
			s.next.prev = s
		}
		k.ranks[n] = s
	}
	k.most = max(k.most, n)
	for k.most > 0 && k.ranks[k.most] == nil {
		k.most--
	}
}

// giveBack returns every permit that no request uses.
func (k *crowd) giveBack() {
	for n := 1; n <= k.most; n++ {
		for s := k.ranks[n]; s != nil; s = s.next {
			s.GiveBackSpare()
		}
	}
}

// looks bounds how many connections are looked at to find one to shed. Those that cannot be shed are put last, so that the
// next search goes on behind them.
const looks = 128

// makeRoom sheds a connection of this loop, for a newcomer whose Source has mine on it, and reports whether it found one.
func (w *Loop) makeRoom(mine int) bool {
	for _, search := range [...]struct {
		idle  bool
		above int // connections of the source
	}{{true, mine + 1}, {false, 4 * (mine + 1)}, {true, 0}, {false, mine + 1}} {
		left := looks
		for n := w.crowd.most; n > search.above && left > 0; n-- {
			for s := w.crowd.ranks[n]; s != nil && left > 0; s = s.next {
				if c := s.findSheddable(search.idle, &left); c != nil {
					w.shed(c, stats.ShedFull)
					return true
				}
			}
		}
	}
	return false
}

// makeRoomLater is makeRoom for another loop's newcomer, if there are still too many connections.
func (w *Loop) makeRoomLater() {
	if w.Peers.Connections() > w.set.Capacity.connections {
		w.makeRoom(0)
	}
}

// makeRoomInSource sheds an idle connection of s, whose Source has as many as it may, and reports whether it found one.
func (w *Loop) makeRoomInSource(s *share) bool {
	left := looks
	c := s.findSheddable(true, &left)
	if c == nil {
		w.Shard.Shed[stats.ShedSource]++
		return false
	}
	w.shed(c, stats.ShedSource)
	return true
}

// findSheddable returns a connection of s that can be shed: an idle one, or else one whose request waits for its client.
// left counts down the looks.
func (s *share) findSheddable(idle bool, left *int) *Conn {
	for range min(s.n, *left) {
		c := s.first
		*left--
		if idle && c.idle() || !idle && c.stalled() {
			return c
		}
		c.unlink(s)
		c.link(s)
	}
	return nil
}

// idle reports that c has no request under way, so that shedding it loses a connection alone. A connection whose next
// request waits unread in the socket is not idle.
func (c *Conn) idle() bool {
	switch c.phase {
	case phaseHead:
		return c.Wait == wire.WaitIdle && !c.hasInput() || c.Wait == wire.WaitHead
	case phaseHello, phaseProxy, phaseLinger:
		return true
	case phaseSession:
		return c.session.H2.Open() == 0 && !c.hasInput()
	}
	return false
}

// hasInput reports that unread bytes wait in the socket.
func (c *Conn) hasInput() bool {
	var b [1]byte
	n, _, err := syscall.Recvfrom(c.Src.FD(), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == nil && n > 0
}

// stalled reports that every request on c waits for the client.
func (c *Conn) stalled() bool {
	switch c.phase {
	case phaseHead:
		return c.Wait == wire.WaitSend
	case phaseServe:
		return c.Wait == wire.WaitSend || c.Wait == wire.WaitBody
	case phaseSession:
		s := c.session
		for d := s.streams.next; d != &s.streams; d = d.next {
			if d.Wait != wire.WaitSend && d.Wait != wire.WaitBody {
				return false
			}
		}
		return true
	}
	return false
}

// shed closes c, so that others are served.
func (w *Loop) shed(c *Conn, why stats.Shed) {
	w.Shard.Shed[why]++
	c.why = stats.ClosedShed
	switch {
	case c.x != nil:
		c.Reset()
		c.x.Cancel(exchange.FailShed)
	case c.passthrough != nil:
		c.passthrough.end(stats.Overloaded, upstream.Canceled)
		return
	case c.session != nil && c.session.H2.Open() == 0:
		// GOAWAY tells the client that a request which it is sending now was not processed.
		c.session.H2.GoAway(true)
		c.Push(c.session.H2.Output())
	case c.session != nil:
		c.Reset()
		c.session.cause = exchange.FailShed
	}
	c.shut()
}
