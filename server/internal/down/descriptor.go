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

// The Endpoints' side has a part of the process's descriptors (capacity.descriptors), for connections and for
// pipes, so that clients can always be accepted. Before it is used up, idle connections to Endpoints are
// closed, and then requests are cut that wait for their client, of the source with most requests in flight
// first: a client that takes nothing may hold a connection to an Endpoint only for as long as nobody
// else needs one.

// giveUpCode is the error code of a stream that is reset for the sake of others: its client did not keep up.
const giveUpCode = h2.EnhanceYourCalm

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
	if used > bound && w.Upstreams.Shed(1) == 0 { // at once, what can go at once
		return false
	}
	w.Use.Descriptors.Add(1)
	return true
}

// SparesPipe implements exchange.Admission: those of the descriptors that are left are for connections.
func (w *Loop) SparesPipe() bool {
	return w.Peers.Descriptors()+2 <= w.set.Capacity.Descriptors*7/8
}

// fewRequests is what a source has in flight on a loop that has few.
const fewRequests = 8

// spareDescriptors has descriptors made free at the end of this batch.
func (w *Loop) spareDescriptors() {
	if !w.sparing {
		w.sparing = true
		w.Again((*sparing)(w))
	}
}

type sparing Loop

// keepFew is how many requests in flight each source keeps.
const keepFew = 4

// Ready implements loop.Handler. Each loop brings down its own number, to an equal part at most.
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
		// As many as bring it down to the next one's number would be fairer among several; the first that has
		// most by far is the case that counts.
		if excess -= s.cutStalled(min(excess, s.InFlight-keepFew)); excess <= 0 {
			return
		}
	}
}

// cutStalled cuts up to n requests that wait for their client, of the longest connections first, and
// returns how many descriptors that freed.
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

// cutStalled resets up to n streams that hold a connection to an Endpoint and wait for the client.
func (s *Session) cutStalled(n int64, why stats.Shed) (cut int64) {
	for d := s.streams.next; d != &s.streams && cut < n; {
		after := d.next
		if d.holdsConn() && (d.Wait == wire.WaitSend || d.Wait == wire.WaitBody) {
			cut++
			s.c.w.Shard.Shed[why]++
			d.giveUp()
		}
		d = after
	}
	return cut
}

// HoldsConn reports that the stream has a connection to an Endpoint for itself.
func (d *Stream) holdsConn() bool { return d.x != nil && d.x.HoldsConn() }
