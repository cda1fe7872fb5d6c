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
//	  └─────────┴───────────────────────────────────────────── fail (an answer of our own)
//
// The request body streams from send on, while the response may already be coming.

// Core is one request and its response: what its two sides share while it lasts. Made by Loop.NewExchange, pooled and owned by
// its loop; must not be copied. Filters see the same memory as an Exchange.
type Core struct {
	w    *Loop
	down Down // nil while the Exchange is pooled
	up   Up   // nil before the first attempt and between attempts

	snapshot *routing.Snapshot // until the Backend is looked up
	route    *routing.Route
	policy   *Policy
	series   *stats.Series // nil: the request has no Route
	quota    *Quota        // counts the request as in flight; nil: not counted
	backend  *upstream.Backend
	protocol routing.Protocol
	endpoint *upstream.Endpoint
	avoid    *upstream.Endpoint // the Endpoint that the previous attempt failed on

	// The request.
	method            message.Method
	http10            bool // and knows neither chunks nor interim responses
	keepAlive         bool // its connection is to be kept alive
	upgrade           bool
	grpc              bool         // as it goes upstream
	web               grpcweb.Form // how the client writes it, where that is gRPC-Web
	extended          bool         // an Upgrade that came by HTTP/2
	announcesTrailers bool         // it announces trailers, to an Endpoint over HTTP/2: see lone.go
	streamed          bool         // body bytes were sent that request no longer holds
	wrote             bool         // this attempt has written something
	fresh             bool         // this attempt must dial
	awaits100         bool         // the client waits for 100 before it sends the body, and has got none
	fellBack          bool         // this attempt goes on at the Pod's other address
	attempts          uint8
	reqBody           flow         // the body, which its last byte taken from the client makes done
	reqBytes          int64        // body bytes with their framing, head included
	bodyLimit         int64        // <= 0: none
	request           []byte       // to HTTP/1: the head as forwarded, and the body bytes that came with it
	kept              *KeptRequest // to HTTP/2: the same as it came

	// The response.
	headDone     bool  // the final head was sent to the client
	upClose      bool  // the Endpoint's connection cannot be used again
	interimBytes int64 // bytes of 1xx heads, less what time has made good
	lastInterim  int64 // when the last one came; 0: none did
	status       uint16
	respBody     flow // the body
	sentBytes    int64

	// Times on the loop's clock, nanoseconds.
	started, chosen, connectTime, headTime int64

	timer loop.Timer
	// leaveAt is when a client that has ended what it sends is taken for one that has left; 0: it has not ended.
	leaveAt      int64
	pipe         *wire.Pipe // while a body moves by splice
	noPipe       bool       // none was to be had: copy
	pipeRequest  bool       // the body is the request's
	tunnel       bool
	ways         wire.Ways // of a tunnel
	parked       bool
	ending       bool  // its end is being told
	filterFailed bool  // a Filter has done what cannot be
	passed       uint8 // request phases that began
	depth        uint8 // places of the chain that the request has come to
	edits        edits
	altered      *altered // nil for most
	serial       uint64   // counts the requests that this Exchange served
	logged       logFields

	// Valid in the request phase: the head's index, its bytes, and the body bytes that came with it.
	req   *message.Request
	head  []byte
	early []byte
}

// edits is what Filters add. Field lines in it are complete, with CR LF.
type edits struct {
	add      []byte // to the request
	respAdd  []byte // to the response
	deadline int64  // of the whole Exchange on the loop's clock; 0 = none
}

// Start routes the request and runs its filters. head and early alias a buffer that is valid until
// start returns.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) Start(req *message.Request, head, early []byte, fail *Failure) {
	w := x.w
	if w.Log != nil {
		x.logged.copyFrom(req, head)
	}
	if req.Has(message.FieldContentType) && x.method == message.MethodPost {
		// Of another method it is no call, and the 200 of an error would open a WebSocket.
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
	if fail != nil {
		if page := x.errorPage(fail); page != "" {
			x.respond(302, h1.AppendField(nil, "Location", page), nil)
			return
		}
		x.Fail(fail)
		return
	}
	x.req, x.head, x.early = req, head, early
	if x.applyForwarded() {
		x.runFilters()
	}
}

// Pump moves bytes both ways until something has to be waited for. The Exchange may have ended when
// it returns.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) Pump() {
	c, u := x.down, x.up
	if x.parked || u == nil || !u.Established() {
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
		// What came with the 101, or before it, has had its events.
		x.pumpTunnel()
		return
	}
	x.GuardClient()
}

// Fail answers the client with f, or cuts the response short when its head is gone already.
func (x *Core) Fail(f *Failure) {
	if x.headDone {
		x.Cancel(f)
		return
	}
	if x.translated() || x.depth > 0 && (len(x.policy.chain.response) > 0 || len(x.edits.respAdd) > 0) {
		x.composeRefusal(f.Status, f.Text)
		x.sendReply(x.depth, f.reason, outcomeOf(f))
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

// Cancel ends the Exchange without a proper end of the response: the client sees that it was cut.
func (x *Core) Cancel(f *Failure) {
	if x.status == 0 {
		x.status = uint16(f.Status)
	}
	x.down.Cut(x)
	x.upClose = true
	x.end(f.reason, outcomeOf(f))
}

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

// end gives everything back and counts the Exchange.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) end(reason stats.Reason, outcome upstream.Outcome) {
	c, w, u := x.down, x.w, x.up
	now := w.Now()
	x.ending = true
	if x.parked {
		x.unpark()
	}
	if u != nil && outcome.Failed() && u.Provoked() {
		outcome = upstream.Canceled
	}
	if x.endpoint != nil {
		header := x.headTime
		if header == 0 {
			header = now
		}
		x.endpoint.Finished(now, header-x.chosen, outcome)
	}
	if u != nil {
		x.up = nil
		if x.settled() {
			u.Release(now)
		} else {
			u.Abandon()
		}
	}
	e := &w.event
	*e = stats.Event{
		Method: uint8(x.method), Reason: reason, Status: x.status,
		BytesIn: x.reqBytes, BytesOut: x.sentBytes, Duration: now - x.started,
	}
	if x.endpoint != nil {
		e.Upstream, e.Connect = max(now-x.chosen, 1), x.connectTime
		if x.headTime != 0 {
			e.Header = x.headTime - x.chosen
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
		w.Log.writeExchange(x, e)
	}
	if x.pipe != nil {
		w.PutPipe(x.pipe)
	}
	w.WakeJanitor()
	c.Served(x)
	w.freeExchange(x)
}

// settled reports that the Endpoint's connection can serve another request: what was announced to it was sent, to
// the byte, what it announced was read, to the byte, and nobody has said that the connection ends. Anything else,
// whatever the reason, is discarded: the bytes of one Exchange must never be taken for another's.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) settled() bool {
	return !x.upClose && x.reqBody.settled() && x.respBody.settled() && (x.pipe == nil || x.pipe.Held == 0)
}

// Holds returns how many bytes of memory wait for x, with those of the Endpoint's side.
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

// HoldsConn reports that x has a connection to an Endpoint for itself.
func (x *Core) HoldsConn() bool { return x.up != nil && x.up.Exclusive() }
