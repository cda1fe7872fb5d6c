package exchange

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// An Exchange goes through these stages, each at most once but for the loop of attempts:
//
//	start ── filters ──► attempt ── connect ──► send ──► response head ──► response body ──► end
//	  │         │ ▲         ▲          │          │            │                │
//	  │       park/resume   └──────────┴──────────┴─ replay    │                └► cancel (cut short)
//	  └─────────┴───────────────────────────────────────────── fail (an answer of the gateway's own)
//
// The request body streams from send on, while the response may already be coming.

// Core is one request and its response, which its two sides share while it lasts. Made by Loop.NewExchange, pooled and owned
// by its loop; must not be copied. Filters see the same memory as an Exchange.
type Core struct {
	w    *Loop
	down Down // nil while the Exchange is pooled
	up   Up   // nil before the first attempt and between attempts

	snapshot *routing.Snapshot // until the Backend is looked up, behind the Filters' request phase
	route    *routing.Route
	policy   *Policy
	series   *stats.Series // nil: the request has no Route
	quota    *Quota        // counts the request as in flight; nil: not counted
	backend  *upstream.Backend
	attempt  upstream.Attempt

	// The request.
	method            message.Method
	http10            bool // the client knows neither chunks nor interim responses
	keepAlive         bool // the client wants its connection kept
	upgrade           bool
	grpc              bool             // in the form that the Endpoint is sent
	web               grpcweb.Form     // the client's form, where that is gRPC-Web
	extended          bool             // an Upgrade that came by HTTP/2
	unread            bool             // the rest of the body is not taken from the client: see Detour
	announcesTrailers bool             // in a Trailer field, to an Endpoint over HTTP/2: see up/lone.go
	streamed          bool             // body bytes were sent that request no longer holds
	wrote             bool             // this attempt has written something
	fresh             bool             // this attempt must dial
	awaits100         bool             // the client sends the body only after 100 (Continue), which it was not sent yet
	protocol          routing.Protocol // of the Backend
	reqBody           flow             // done once its last byte was taken from the client
	reqBytes          int64            // bytes of the head and of the body with its framing
	bodyLimit         int64            // bytes; <= 0: none
	request           []byte           // to HTTP/1.1: the head as forwarded, and the body bytes that came with it
	kept              *KeptRequest     // to HTTP/2, and for Filters: the same as it came

	// The response.
	headDone     bool // the final head was sent to the client
	upClose      bool // the Endpoint's connection cannot be used again
	status       uint16
	interimBytes int64 // bytes of 1xx heads, less the allowance of the time since: see interimRate
	lastInterim  int64 // when the last 1xx came; 0: none did
	respBody     flow
	sentBytes    int64

	// Times on the loop's clock, nanoseconds.
	started, connectTime, headTime int64

	timer loop.Timer
	// leaveAt is when a half-closed client is taken to have left; 0: the client is not half-closed.
	leaveAt      int64
	pipe         *wire.Pipe // while a body moves by splice
	noPipe       bool       // the process had no pipe to spare: copy
	pipeRequest  bool       // the pipe moves the request's body
	tunnel       bool
	ways         wire.Ways // of a tunnel
	parked       bool
	ending       bool  // DoneFilters are being called
	filterFailed bool  // a Filter panicked, or has edited what cannot be sent
	passed       uint8 // request phases that began
	depth        uint8 // places of the Chain that the request has come to
	edits        edits
	altered      *altered // nil unless a Filter has changed more than fields, or keeps something
	serial       uint64   // counts the requests that this memory has served
	logged       logFields

	// Valid in the request phase: the head's index, its bytes, and the body bytes that came with it.
	req   *message.Request
	head  []byte
	early []byte
}

// edits are additions by the gateway and by Filters. Field lines are complete, with CR LF.
type edits struct {
	add      []byte // lines for the request
	respAdd  []byte // lines for the response
	deadline int64  // of the whole Exchange on the loop's clock; 0 = none
}

// Start routes the request, runs its Filters and forwards it; or answers with fail, where the client's side has found one.
// The index req, the head and early, the body bytes that came with it, are valid until Start returns. x may have ended by
// then.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) Start(req *message.Request, head, early []byte, fail *Failure) {
	w := x.w
	if w.Log != nil {
		x.logged.copyFrom(req, head)
	}
	if req.Has(message.FieldContentType) && x.method == message.MethodPost {
		// Calls are POST. Answers to other methods keep their status: the 200 of a gRPC error would open a WebSocket.
		x.grpc, x.web = isGRPC(req, head)
	}
	if q := x.down.Peer().Quota; q != nil && fail == nil {
		if q.admit(w.Settings.Requests) {
			x.quota = q
		} else {
			w.Shard.Shed[stats.ShedRequests]++
			fail = failSource
		}
	}
	if fail == nil {
		if req.Has(message.FieldMaxForwards) && x.answerLastHop(req, head) {
			return
		}
		fail = x.match(req, head)
	}
	x.req, x.head, x.early = req, head, early
	if fail != nil {
		if page := x.errorPage(fail); page != "" {
			x.respond(302, h1.AppendField(nil, "Location", page), nil)
			return
		}
		if fail != failBodyTooLarge || x.policy.chain.detour == nil || x.applyForwarded() {
			x.failMatched(fail)
		}
		return
	}
	if x.applyForwarded() {
		x.runFilters()
	}
}

// Pump moves bytes both ways until it has to wait for either side. x may have ended when it returns.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) Pump() {
	if x.parked && !x.resumeDetour() && (!x.gathers() || !x.gather()) {
		return
	}
	c, u := x.down, x.up
	if u == nil || !u.Established() {
		return
	}
	if x.tunnel {
		x.pumpTunnel()
		return
	}
	if u.Pending() > 0 {
		if u.Flush() {
			x.ExpectResponse()
		}
	}
	if !x.reqBody.done && !u.Lost() {
		x.pumpRequest()
		if x.down != c {
			return
		}
		u = x.up
		if u == nil || !u.Established() {
			return
		}
	}
	x.pumpResponse()
	if x.down != c || x.up == nil {
		return
	}
	if x.tunnel {
		// Bytes that came with the 101, or before it, have had their events.
		x.pumpTunnel()
		return
	}
	x.GuardClient()
}

// Fail ends x: it answers the client with f, or cuts the response where its head was sent already.
func (x *Core) Fail(f *Failure) {
	if x.headDone {
		x.Cancel(f)
		return
	}
	x.filterFailed = false // f answers it: the Filters that see the answer have not failed
	if f.later {
		x.edits.respAdd = append(x.edits.respAdd, retryAfter...)
	}
	if f.later || x.translated() || x.depth > 0 && (len(x.policy.chain.response) > 0 || len(x.edits.respAdd) > 0) {
		x.composeRefusal(f.Status, f.Text)
		x.sendAnswer(x.depth, f.reason, outcomeOf(f))
		return
	}
	x.status = uint16(f.Status)
	if x.grpc {
		x.sentBytes += int64(x.down.Answer(x, 200, appendGRPCRefusal(nil, f.Status, f.Text), nil))
	} else {
		x.sentBytes += int64(x.down.Refuse(x, f))
	}
	x.end(f.reason, outcomeOf(f))
}

// Cancel ends x without a proper end of the response: the client sees that it was cut. f is counted as the reason.
func (x *Core) Cancel(f *Failure) {
	if x.status == 0 {
		x.status = uint16(f.Status)
	}
	x.down.Cut(x)
	x.upClose = true
	x.end(f.reason, outcomeOf(f))
}

// outcomeOf returns what a failure says about the Endpoint's health.
func outcomeOf(f *Failure) upstream.Outcome {
	switch f {
	case failUpstreamTimeout:
		return upstream.ResponseTimeout
	case failUpstreamReset:
		return upstream.Truncated
	case failMalformed:
		return upstream.Malformed
	}
	return upstream.Canceled
}

// end counts the Exchange, tells its Filters and the client's side, and gives its memory, its quota and the Endpoint's side
// back.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) end(reason stats.Reason, outcome upstream.Outcome) {
	c, w := x.down, x.w
	now := w.Now()
	x.ending = true
	if x.parked {
		x.unpark()
	}
	ep, chosen := x.attempt.Endpoint, x.attempt.Chosen
	x.leaveEndpoint(now, outcome)
	reason = x.reasonOf(reason)
	e := &w.event
	*e = stats.Event{
		Method: uint8(x.method), Reason: reason, Status: x.status,
		BytesIn: x.reqBytes, BytesOut: x.sentBytes, Duration: now - x.started,
	}
	if ep != nil {
		e.Upstream, e.Connect = max(now-chosen, 1), x.connectTime
		if x.headTime != 0 {
			e.Header = x.headTime - chosen
		}
	}
	w.Shard.Record(x.series, e)
	if x.depth > 0 {
		x.runDone(e)
	}
	if x.quota != nil {
		x.quota.finish()
		x.quota = nil
	}
	if w.Log != nil {
		w.Log.writeExchange(x, ep, e)
	}
	if x.pipe != nil {
		w.PutPipe(x.pipe)
	}
	if x.altered != nil {
		x.leaveGate()
	}
	w.WakeJanitor()
	c.Served(x)
	w.freeExchange(x)
}

// leaveEndpoint ends the attempt that is under way, if one is, and gives its side back.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) leaveEndpoint(now int64, outcome upstream.Outcome) {
	u := x.up
	if u != nil && outcome.Failed() && u.Provoked() {
		outcome = upstream.Canceled
	}
	if x.attempt.Endpoint != nil {
		header := x.headTime
		if header == 0 {
			header = now
		}
		x.attempt.Finish(now, header-x.attempt.Chosen, outcome)
	}
	if u == nil {
		return
	}
	x.up = nil
	if x.settled() {
		u.Release(now)
	} else {
		u.Abandon()
	}
}

// settled reports that the Endpoint's connection can serve another request: the announced request was sent and the announced
// response read, both to their last byte, and neither end has announced the close. A connection in any other state is
// closed: the bytes of one Exchange must never be taken for another's.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) settled() bool {
	return !x.upClose && x.reqBody.settled() && x.respBody.settled() && (x.pipe == nil || x.pipe.Held == 0)
}

// Holds returns how many bytes of memory are lent for x, those of the Endpoint's side included.
func (x *Core) Holds() int64 {
	n := int64(cap(x.request))
	if x.kept != nil {
		n += x.kept.Lent
	}
	if x.up != nil {
		n += x.up.Holds()
	}
	return n
}

// HoldsConn reports that x is the only user of a connection to an Endpoint.
func (x *Core) HoldsConn() bool { return x.up != nil && x.up.Exclusive() }
