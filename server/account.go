package server

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// account is what one loop lends of memory for bytes that wait: for the rest of a head, for a peer that does
// not read, for a window to open; both ways, as they came, as frames and sealed. Each exchange is
// bounded by itself, but not the product of what clients can open. So the sums of all loops are added up,
// each time one has changed by a good part of a mebibyte, and beyond limits.buffered_bytes the connections that
// hold most are cut, until the rest fits.
//
// Only the loop counts, in plain memory; published is what the others see.
type account struct {
	w         *worker // nil: the sum is not published
	used      int64
	told      int64
	relieving bool
}

// accountStep is by how much an account changes before it is told.
const accountStep = 256 << 10

// count adds n bytes, which may be negative.
//
// hot: runs per buffer; no alloc, no lock.
func (p *bufferPool) count(n int64) {
	a := &p.account
	a.used += n
	if d := a.used - a.told; d >= accountStep || d <= -accountStep {
		a.tell()
	}
}

// recount replaces what *held says was counted by now.
//
// hot: runs per batch of events; no alloc, no lock.
func (p *bufferPool) recount(held *int64, now int64) {
	if now != *held {
		p.count(now - *held)
		*held = now
	}
}

// tell publishes the sum, and has connections cut where all sums are too much.
func (a *account) tell() {
	w := a.w
	if w == nil {
		a.told = a.used
		return
	}
	grown := a.used > a.told
	a.told = a.used
	w.use.buffered.Store(a.used)
	if grown && w.peers.buffered() > w.set.capacity.buffered {
		w.relieve()
	}
}

// use is what a loop has in use of what all share. It has a cache line of its own: others read it, when theirs
// has changed.
type use struct {
	_           [64]byte
	buffered    atomic.Int64
	descriptors atomic.Int64
	_           [48]byte
}

// relieve has the greediest connections cut at the end of this batch: the caller is
// in the middle of one of them.
func (w *worker) relieve() {
	if !w.buffers.account.relieving {
		w.buffers.account.relieving = true
		w.loop.Again((*relief)(w))
	}
}

type relief worker

// holder is a connection with what it holds.
type holder struct {
	c    *downConn
	held int64
}

// Ready implements loop.Handler. Each loop brings its own sum down: to an equal part of the bound at most,
// so that one whose clients hold little loses none of them.
func (r *relief) Ready(loop.Events) {
	w := (*worker)(r)
	w.buffers.account.relieving = false
	bound := w.set.capacity.buffered
	total := w.peers.buffered()
	if total <= bound {
		return
	}
	part := bound / int64(len(w.peers))
	excess := total - bound + bound/8
	for _, o := range w.peers {
		if o != w && o.use.buffered.Load() > part {
			o.loop.Post(o.relieve)
		}
	}
	excess = min(excess, w.buffers.account.used-part+part/8)
	if excess <= 0 {
		return
	}
	var all []holder
	for c := w.downs.next; c != &w.downs; c = c.next {
		if n := c.holds(); n > 0 {
			all = append(all, holder{c, n})
		}
	}
	slices.SortFunc(all, func(a, b holder) int { return cmp.Compare(b.held, a.held) })
	for _, h := range all {
		if excess <= 0 {
			break
		}
		before := w.buffers.account.used
		h.c.giveUp()
		// What it takes along that is not its own, such as room in an Endpoint's session, counts too.
		excess -= max(before-w.buffers.account.used, h.held)
	}
	w.buffers.account.tell()
}

// holds returns how many bytes of memory wait on c, with those of its exchanges on the Endpoints' side.
func (c *downConn) holds() int64 {
	n := c.sock.holds()
	if c.x != nil {
		n += c.x.holds()
	}
	if c.passthrough != nil {
		n += c.passthrough.sock.holds()
	}
	if s := c.session; s != nil {
		n += s.charged
		for d := s.streams.next; d != &s.streams; d = d.next {
			n += d.holds()
		}
	}
	return n
}

func (d *downStream) holds() int64 {
	n := d.streamSide.holds()
	if d.late != nil {
		n += d.late.held
	}
	if d.x != nil {
		n += d.x.holds()
	}
	return n
}

func (x *Exchange) holds() int64 {
	n := int64(cap(x.request))
	if x.kept != nil {
		n += x.kept.held
	}
	switch u := x.u.(type) {
	case *upConn:
		n += u.sock.holds()
	case *upStream:
		n += u.streamSide.holds()
	}
	return n
}

func (s *sock) holds() int64 {
	n := int64(cap(s.in.b) + cap(s.out.b))
	if s.tls != nil && !s.shaking {
		n += int64(s.tls.Held())
	}
	return n
}

func (s *streamSide) holds() int64 { return int64(cap(s.in.b) + cap(s.out.b)) }

// giveUp cuts c because it holds most. A session of a trusted peer is that of many clients: of it the
// streams go that hold as much as the average or more.
func (c *downConn) giveUp() {
	w := c.w
	if !c.trusted || c.session == nil {
		w.shed(c, stats.ShedBuffered)
		return
	}
	var streams []*downStream
	sum := int64(0)
	for d := c.session.streams.next; d != &c.session.streams; d = d.next {
		streams = append(streams, d)
		sum += d.holds()
	}
	for _, d := range streams {
		// Those that were not looked at yet are still there: to give up one ends no other.
		if n := d.holds(); n > 0 && n*int64(len(streams)) >= sum {
			w.shard.Shed[stats.ShedBuffered]++
			d.giveUp()
		}
	}
}

// giveUp resets the stream because others need what it holds.
func (d *downStream) giveUp() {
	d.gone = true
	d.h2.Reset(d.st, giveUpCode)
	d.session.touch()
	if d.x != nil {
		d.x.cancel(failShed)
	} else {
		d.free()
	}
}
