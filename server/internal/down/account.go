package down

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// What the loops lend of memory for bytes that wait is bounded for the process as a whole: each exchange is bounded by
// itself, but not the product of what clients can open. Each loop's pool tells its sum, see wire.Pool, and beyond
// limits.buffered_bytes the connections that hold most are cut, until the rest fits.

// grown is told of a larger sum of this loop's, and has connections cut where all sums are too much.
func (w *Loop) grown() {
	if w.Peers.Buffered() > w.set.Capacity.buffered {
		w.relieve()
	}
}

// relieve has the greediest connections cut at the end of this batch: the caller is
// in the middle of one of them.
func (w *Loop) relieve() {
	if !w.relieving {
		w.relieving = true
		w.Again((*relief)(w))
	}
}

type relief Loop

// holder is a connection with what it holds.
type holder struct {
	c    *Conn
	held int64
}

// Ready implements loop.Handler. Each loop brings its own sum down: to an equal part of the bound at most,
// so that one whose clients hold little loses none of them.
func (r *relief) Ready(loop.Events) {
	w := (*Loop)(r)
	w.relieving = false
	bound := w.set.Capacity.buffered
	total := w.Peers.Buffered()
	if total <= bound {
		return
	}
	part := bound / int64(len(w.Peers))
	excess := total - bound + bound/8
	for _, o := range w.Peers {
		if o != w && o.Use.Buffered.Load() > part {
			o.Post(o.relieve)
		}
	}
	excess = min(excess, w.Buffers.Lent()-part+part/8)
	if excess <= 0 {
		return
	}
	var all []holder
	for c := range w.All() {
		if n := c.Holds(); n > 0 {
			all = append(all, holder{c, n})
		}
	}
	slices.SortFunc(all, func(a, b holder) int { return cmp.Compare(b.held, a.held) })
	for _, h := range all {
		if excess <= 0 {
			break
		}
		before := w.Buffers.Lent()
		h.c.giveUp()
		// What it takes along that is not its own, such as room in an Endpoint's session, counts too.
		excess -= max(before-w.Buffers.Lent(), h.held)
	}
	w.Buffers.Tell()
}

// Holds returns how many bytes of memory wait on c, with those of its exchanges on the Endpoints' side.
func (c *Conn) Holds() int64 {
	n := c.Sock.Holds()
	if c.x != nil {
		n += c.x.Holds()
	}
	if c.passthrough != nil {
		n += c.passthrough.Sock.Holds()
	}
	if s := c.session; s != nil {
		n += s.Holds()
		for d := s.streams.next; d != &s.streams; d = d.next {
			n += d.holds()
		}
	}
	return n
}

func (d *Stream) holds() int64 {
	n := d.Stream.Holds()
	if d.late != nil {
		n += d.late.Held
	}
	if d.x != nil {
		n += d.x.Holds()
	}
	return n
}

// giveUp cuts c because it holds most. A session of a trusted peer is that of many clients: of it the
// streams go that hold as much as the average or more.
func (c *Conn) giveUp() {
	w := c.w
	if !c.Trusted || c.session == nil {
		w.shed(c, stats.ShedBuffered)
		return
	}
	var streams []*Stream
	sum := int64(0)
	for d := c.session.streams.next; d != &c.session.streams; d = d.next {
		streams = append(streams, d)
		sum += d.holds()
	}
	for _, d := range streams {
		// Those that were not looked at yet are still there: to give up one ends no other.
		if n := d.holds(); n > 0 && n*int64(len(streams)) >= sum {
			w.Shard.Shed[stats.ShedBuffered]++
			d.giveUp()
		}
	}
}

// giveUp resets the stream because others need what it holds.
func (d *Stream) giveUp() {
	d.Gone = true
	d.H2.Reset(d.H2Stream, giveUpCode)
	d.session.touch()
	if d.x != nil {
		d.x.Cancel(exchange.FailShed)
	} else {
		d.free()
	}
}
