package exchange

import (
	"bytes"
	"net/netip"

	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// A Detour has another Backend answer in place of a response: the Endpoint's, or one of the gateway's own.
//
//	response ──► a DetourFilter asks ──► the Endpoint is left ──► next turn of the loop ──► attempt at the other Backend
//	                                                                                                     │
//	client ◄──────────────── the Filters outside the DetourFilter ◄────────────────── its response ──────┘
//
// There is one at most for a request, so that an error page that fails is answered as such. The request is the client's, with
// the edits of all Filters that saw it, and of the DetourFilter behind Detour. Its body goes along where all of it is in
// memory: where it came with its head, and no Endpoint has streamed it. A body that is still to come is not read: it was sent
// to somebody else, and an error page is not worth a wait for it.
//
// The second attempt waits for the loop's next turn, because a response may end in the middle of any call of either side, and
// most expect that x has ended, or is parked, behind it.

// detour is the state of a Detour.
type detour struct {
	to     *upstream.Backend // where it would lead, looked up with the Route's Backend; nil: nowhere
	stage  detourStage
	place  uint8        // of the DetourFilter: the response phases of the Filters inside it are over
	reason stats.Reason // why the request went there
}

type detourStage uint8

const (
	detourNone    detourStage = iota
	detourAsked               // by the Filter that is being called
	detourPending             // x is parked until the loop's next turn
	detourBegun
)

// straight is what turned returns without a Detour: more than any place.
const straight = 255

// turned returns the place from which inwards the Filters' response phases are over.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) turned() uint8 {
	if a := x.altered; a != nil && a.detour.stage >= detourPending {
		return a.detour.place
	}
	return straight
}

// reasonOf returns the reason that x is counted under: behind a Detour, for want of a worse one, what led to it.
func (x *Core) reasonOf(reason stats.Reason) stats.Reason {
	if a := x.altered; reason == stats.NoFailure && a != nil && a.detour.stage == detourBegun {
		return a.detour.reason
	}
	return reason
}

// lookUpDetour looks up where a Detour would lead, while the Snapshot of x is at hand.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) lookUpDetour() {
	f := x.policy.chain.detour
	if f == nil {
		return
	}
	if b := x.snapshot.BackendAt(f.DetourTo()); b != nil {
		x.alter().detour.to = x.w.Upstreams.Backend(b)
	}
}

// MayDetour reports whether another Backend may answer in place of r. That is not so for what is no exchange of plain HTTP (a
// tunnel, a gRPC call), for a request that made a Detour before, and where the gateway answers because it has no memory,
// descriptor or time to spare, or because the client has stopped sending.
func (r *Response) MayDetour() bool {
	x := r.x
	switch {
	case x.policy == nil || x.policy.chain.detour == nil || x.altered != nil && x.altered.detour.stage != detourNone,
		x.grpc, x.web != grpcweb.None, x.extended, r.status < 200, r.made, x.filterFailed,
		r.reason == stats.Overloaded, r.reason == stats.Draining, r.reason == stats.BodyTimeout,
		x.edits.deadline != 0 && x.w.Now() >= x.edits.deadline:
		return false
	}
	return true
}

// Detour has the Backend of DetourTo answer in place of r, and returns Respond; the Filters further inside see nothing of its
// response, and those further outside nothing of r. Behind the call, the request can be edited as in the request phase. Where
// r cannot be replaced so, or the Backend has no Endpoint, nothing is done, and the result is Continue.
func (r *Response) Detour() Verdict {
	x := r.x
	if !r.MayDetour() {
		return Continue
	}
	if x.snapshot != nil {
		x.lookUpDetour()
	}
	a := x.altered
	if a == nil || a.detour.to == nil || a.detour.to.Len() == 0 && a.detour.to.Source().ExternalName == "" {
		return Continue
	}
	switch k := x.kept; {
	case k == nil:
		x.keepHead()
	case x.req != &k.Request:
		x.req, x.head = &k.Request, k.Head // what is edited from here on is what goes out
	}
	a.detour.stage = detourAsked
	r.made = true
	return Respond
}

// asksDetour reports that the Filter that was just called has asked for a Detour.
func (x *Core) asksDetour() bool { return x.altered != nil && x.altered.detour.stage == detourAsked }

// takeBackDetour undoes what a Filter asked for that has failed.
func (x *Core) takeBackDetour() {
	if x.asksDetour() {
		x.altered.detour.stage = detourNone
	}
}

// detourFrom leaves an Endpoint whose response is to be replaced, if a Filter has asked for that. data begins with its
// head, and rest holds the bytes of the body that came with that. A body that is there to its end leaves the connection in use; a longer one is not waited for.
func (x *Core) detourFrom(resp *message.Response, data, rest []byte) {
	if !x.asksDetour() {
		return
	}
	x.headTime = x.w.Now()
	b := &x.respBody
	from, _ := x.framingOf(resp)
	b.reset(from, FormBare, resp.ContentLength)
	if from != FrameNone {
		if _, n, ok := x.takeResponseBody(rest, false); !ok || n < len(rest) {
			x.upClose = true
		}
	} else if len(rest) > 0 {
		x.upClose = true
	}
	x.noteReuse(resp, data)
	x.detour(stats.Filtered, upstream.OK)
}

// detour leaves the Endpoint, if there is one, and parks x until the loop's next turn.
func (x *Core) detour(reason stats.Reason, outcome upstream.Outcome) {
	body, whole := x.wholeBody(reason)
	k := x.kept
	k.early = append(k.early[:0], body...)
	x.w.Buffers.Recount(&k.Lent, int64(cap(k.Head)+cap(k.early)))
	x.leaveEndpoint(x.w.Now(), outcome)
	if x.pipe != nil {
		x.w.PutPipe(x.pipe)
		x.pipe = nil
	}
	x.timer.Stop()
	x.unpark()
	x.unread = !whole
	a := x.altered
	a.parks++ // what a Filter has parked x for is over
	a.gathering = gathering{}
	a.detour.stage, a.detour.reason = detourPending, reason
	x.parked = true
	x.w.Again(x.down)
}

// wholeBody returns the request's body without framing, where all of it is in memory, valid until the next call of the loop's
// codecs. whole is false where bytes of it are still to come from the client.
func (x *Core) wholeBody(reason stats.Reason) (body []byte, whole bool) {
	b := &x.reqBody
	switch reason {
	case stats.BodyTooLarge, stats.ClientMalformed, stats.HeaderTooLarge:
		return nil, b.done
	}
	form := b.form
	switch {
	case !b.done || x.streamed || b.from == FrameNone:
		return nil, b.done
	case x.snapshot != nil: // as it came
		body, form = x.early, FormBare
		if b.from == FrameChunked {
			form = FormSame
		}
	case x.request != nil: // as it went to an Endpoint of HTTP/1.1
		i := bytes.Index(x.request, headEnd)
		if i < 0 {
			return nil, true
		}
		body = x.request[i+len(headEnd):]
	case x.kept != nil: // as it went to one of HTTP/2
		body, form = x.kept.early, FormBare
	}
	if form != FormBare {
		var chunks flow
		chunks.reset(FrameChunked, FormBare, 0)
		body, _, _ = chunks.take(body, x.w.chunk)
	}
	return body, true
}

var headEnd = []byte("\r\n\r\n")

// resumeDetour goes on with a Detour that is pending, and reports whether x can be pumped: it has not ended, and is not
// parked for another reason.
func (x *Core) resumeDetour() bool {
	a := x.altered
	if a == nil || a.detour.stage != detourPending {
		return false
	}
	x.parked = false
	a.detour.stage = detourBegun
	k, serial := x.kept, x.serial
	x.req, x.head, x.early = &k.Request, k.Head, nil

	// Nothing of the first attempt is left but its times.
	x.snapshot = nil
	x.attempt = upstream.Attempt{}
	x.streamed, x.wrote, x.fresh, x.upClose, x.upgrade, x.announcesTrailers, x.awaits100 = false, false, false, false, false, false, false
	x.headTime, x.connectTime, x.lastInterim = 0, 0, 0
	x.w.Buffers.Put(x.request)
	x.request = nil
	x.respBody = flow{trailers: x.respBody.trailers[:0]}
	for i := range k.Request.Fields {
		if f := &k.Request.Fields[i]; f.ID == message.FieldExpect {
			f.Hop = true
		}
	}
	a.chosen, a.wish = false, netip.AddrPort{}
	x.restateBody(len(k.early))

	if to := a.detour.to; message.FindLine(x.edits.add, loopField) != nil {
		x.backend, x.protocol = to, to.Source().Protocol
	} else {
		x.goTo(to)
	}
	x.dispatch(&k.Request, k.Head, k.early)
	return x.serial == serial && !x.parked
}

// restateBody makes the request's body one of n bytes that are all there. x.unread says whether the client sends more.
func (x *Core) restateBody(n int) {
	b := &x.reqBody
	if b.by != nil {
		x.w.freeTransforms(b.by)
		b.by = nil
	}
	announced := b.from != FrameNone || b.length == 0
	from := FrameNone
	if n > 0 {
		from = FrameLength
	}
	b.reset(from, FormBare, int64(n))
	b.done, b.left, b.data = true, 0, int64(n)
	if n == 0 && announced {
		b.length = 0
	}
	x.edits.add = message.DropLines(message.DropLines(x.edits.add, "Content-Length"), "Transfer-Encoding")
}
