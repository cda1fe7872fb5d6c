package down

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// Memory for bytes that wait is bounded for the process as a whole: the bound of a single Exchange does not bound the number
// of Exchanges that clients can open. Each loop's pool publishes its sum, see wire.Pool, and beyond limits.buffered_bytes
// the connections that hold most are shed, until the rest fits.

// grown is the OnGrowth of this loop's pool: connections are shed where the sum of all loops is above the bound.
func (w *Loop) grown() {
	if w.Peers.Buffered() > w.set.Capacity.buffered {
		w.relieve()
	}
}

// relieve defers the shedding of the connections that hold most to the end of this batch: the caller is in the middle of one
// of them.
func (w *Loop) relieve() {
	if !w.relieving {
		w.relieving = true
		w.Again((*relief)(w))
	}
}

// relief is the Loop, as the handler of a deferred relieve.
type relief Loop

// holder is a connection and the bytes that it holds.
type holder struct {
	c    *Conn
	held int64
}

// Ready implements loop.Handler. Each loop brings its own sum down, but not below its equal part of the bound, so that a
// loop whose clients hold little loses none of them.
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
		h.c.shedBuffered()
		// Memory that it frees elsewhere, such as room in an Endpoint's session, counts too.
		excess -= max(before-w.Buffers.Lent(), h.held)
	}
	w.Buffers.Tell()
}

// Holds returns how many bytes of memory are lent to c and its Exchanges, those of the Endpoints' side included. Exported
// for tests alone.
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

// holds is Conn.Holds for one stream.
func (d *Stream) holds() int64 {
	n := d.Stream.Holds()
	if d.deferred != nil {
		n += d.deferred.Lent
	}
	if d.x != nil {
		n += d.x.Holds()
	}
	return n
}

// shedBuffered sheds c, which holds most. A Session of a trusted peer carries many clients: of its streams, those are shed
// that hold as much as the average or more.
func (c *Conn) shedBuffered() {
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
		// The streams that are still to come are open: shedding one ends no other.
		if n := d.holds(); n > 0 && n*int64(len(streams)) >= sum {
			w.Shard.Shed[stats.ShedBuffered]++
			d.shed()
		}
	}
}

// shed resets the stream, so that others get the memory or the connection that it holds.
func (d *Stream) shed() {
	d.Gone = true
	d.H2.Reset(d.H2Stream, shedCode)
	d.session.touch()
	if d.x != nil {
		d.x.Cancel(exchange.FailShed)
	} else {
		d.free()
	}
}
