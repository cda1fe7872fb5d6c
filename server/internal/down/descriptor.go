package down

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// The Endpoints' side has a part of the process's descriptors (Capacity.Descriptors), for connections and for pipes, so that
// clients can always be accepted. Before the part is used up, idle connections to Endpoints are closed, and then requests
// are shed that wait for their client, those of the Source with most requests in flight first: a client that takes nothing
// may hold a connection to an Endpoint only while no other client needs one.

// shedCode is the error code of a stream that is shed because its client did not keep up.
const shedCode = h2.EnhanceYourCalm

// TakeDescriptor implements exchange.Admission. The last eighth is for sources with few requests in flight.
func (w *Loop) TakeDescriptor(of *exchange.Quota) bool {
	bound := w.set.Capacity.Descriptors
	used := w.Peers.Descriptors() + 1
	if used > bound-bound/4 {
		w.spareDescriptors()
	}
	if of != nil && of.InFlight > fewRequests {
		bound -= bound / 8
	}
	if used > bound && w.Upstreams.Shed(1) == 0 { // spareDescriptors is deferred, this is not
		return false
	}
	w.Use.Descriptors.Add(1)
	return true
}

// AllowsPipe implements exchange.Admission: the last eighth of the descriptors is for connections.
func (w *Loop) AllowsPipe() bool {
	return w.Peers.Descriptors()+2 <= w.set.Capacity.Descriptors*7/8
}

// fewRequests is how many requests a Source may have in flight on a loop and still use the last eighth.
const fewRequests = 8

// spareDescriptors defers the freeing of descriptors to the end of this batch.
func (w *Loop) spareDescriptors() {
	if !w.sparing {
		w.sparing = true
		w.Again((*sparing)(w))
	}
}

// sparing is the Loop, as the handler of a deferred spareDescriptors.
type sparing Loop

// keepFew is how many requests in flight each Source keeps.
const keepFew = 4

// Ready implements loop.Handler. Each loop brings its own number down, but not below its equal part.
func (r *sparing) Ready(loop.Events) {
	w := (*Loop)(r)
	w.sparing = false
	bound := w.set.Capacity.Descriptors
	target := bound * 5 / 8
	excess := w.Peers.Descriptors() - target
	if excess <= bound/8 {
		return
	}
	part := target / int64(len(w.Peers))
	for _, o := range w.Peers {
		if o != w && o.Use.Descriptors.Load() > part {
			o.Post(o.spareDescriptors)
		}
	}
	excess -= 2 * int64(w.ClosePipes(int(excess+1)/2))
	excess -= int64(w.Upstreams.Shed(int(max(excess, 0))))
	excess = min(excess, w.Use.Descriptors.Load()-part)
	if excess <= 0 {
		return
	}
	var busy []*share
	for n := w.crowd.most; n > 0; n-- {
		for s := w.crowd.ranks[n]; s != nil; s = s.next {
			if s.InFlight > keepFew {
				busy = append(busy, s)
			}
		}
	}
	slices.SortFunc(busy, func(a, b *share) int { return cmp.Compare(b.InFlight, a.InFlight) })
	for _, s := range busy {
		// To stop at the next Source's number would be fairer among equals. One Source with most by far is the case that
		// occurs.
		if excess -= s.cutStalled(min(excess, s.InFlight-keepFew)); excess <= 0 {
			return
		}
	}
}

// cutStalled sheds up to n requests that wait for their client, on the oldest connections first, and returns how many
// descriptors that freed.
func (s *share) cutStalled(n int64) (freed int64) {
	for c := s.first; c != nil && freed < n; {
		after := c.younger
		switch {
		case c.x != nil && c.stalled():
			freed++
			c.w.shed(c, stats.ShedDescriptors)
		case c.session != nil:
			freed += c.session.cutStalled(n-freed, stats.ShedDescriptors)
		}
		c = after
	}
	return freed
}

// cutStalled sheds up to n streams that hold a connection to an Endpoint and wait for the client, and returns their number.
func (s *Session) cutStalled(n int64, why stats.Shed) (cut int64) {
	for d := s.streams.next; d != &s.streams && cut < n; {
		after := d.next
		if d.holdsConn() && (d.Wait == wire.WaitSend || d.Wait == wire.WaitBody) {
			cut++
			s.c.w.Shard.Shed[why]++
			d.shed()
		}
		d = after
	}
	return cut
}

// holdsConn reports that the stream's request is the only user of a connection to an Endpoint.
func (d *Stream) holdsConn() bool { return d.x != nil && d.x.HoldsConn() }
