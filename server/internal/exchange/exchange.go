package exchange

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
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

// Core is one request and its response: what the two sides share while it lasts. Made and pooled by its loop, which owns it.
// Filters see it as an Exchange.
type Core struct {
	w    *Loop
	down Down // nil while nobody uses this Exchange
	up   Up   // nil before the first attempt and between attempts

	snapshot *routing.Snapshot // until the Backend is looked up, behind the Filters' request phase
	route    *routing.Route
	policy   *Policy
	series   *stats.Series // nil: the request has no Route
	quota    *Quota        // where it is in flight; nil: not counted
	backend  *upstream.Backend
	attempt  upstream.Attempt

	// The request.
	method    message.Method
	http10    bool // and knows neither chunks nor interim responses
	persists  bool // its connection is to be kept alive
	upgrade   bool
	grpc      bool             // as it goes upstream
	web       grpcweb.Form     // how the client writes it, where that is gRPC-Web
	extended  bool             // an Upgrade that came by HTTP/2
	trailed   bool             // it announces trailers, to an Endpoint over HTTP/2: see lone.go
	streamed  bool             // body bytes were sent that request no longer holds
	wrote     bool             // this attempt has written something
	fresh     bool             // this attempt must dial
	uninvited bool             // the client waits for 100 before it sends the body, and has got none
	protocol  routing.Protocol // of the Backend
	reqBody   flow             // the body, which its last byte taken from the client makes done
	reqBytes  int64            // body bytes with their framing, head included
	bodyLimit int64            // <= 0: none
	request   []byte           // to HTTP/1: the head as forwarded, and the body bytes that came with it
	kept      *Kept            // to HTTP/2: the same as it came

	// The response.
	headDone  bool  // the final head was sent to the client
	upClose   bool  // the Endpoint's connection cannot be used again
	interim   int64 // bytes of 1xx heads, less what time has made good
	informed  int64 // when the last one came; 0: none did
	status    uint16
	respBody  flow // the body
	sentBytes int64

	// Times on the loop's clock, nanoseconds.
	started, connectTime, headTime int64

	timer loop.Timer
	// leaveAt is when a client that has ended what it sends is taken for one that has left; 0: it has not ended.
	leaveAt     int64
	pipe        *wire.Pipe // while a body moves by splice
	noPipe      bool       // none was to be had: copy
	pipeRequest bool       // the body is the request's
	tunnel      bool
	ways        wire.Ways // of a tunnel
	parked      bool
	over        bool  // its end is being told
	faulty      bool  // a Filter has done what cannot be
	passed      uint8 // request phases that began
	depth       uint8 // places of the chain that the request has come to
	edits       edits
	altered     *altered // nil for most
	serial      uint64   // counts the requests that this Exchange served
	logged      logFields

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
		x.logged.take(req, head)
	}
	if req.Has(message.FieldContentType) && x.method == message.MethodPost {
		// Of another method it is no call, and the 200 of an error would open a WebSocket.
		x.grpc, x.web = isGRPC(req, head)
	}
	if q := x.down.Peer().Quota; q != nil && fail == nil {
		if q.begin(w.Settings.Requests) {
			x.quota = q
		} else {
			w.Shard.Shed[stats.ShedRequests]++
			fail = failSource
		}
	}
	if fail == nil {
		if req.Has(message.FieldMaxForwards) && x.goesNoFurther(req, head) {
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
	if x.tellForwarded() {
		x.runFilters()
	}
}

// match finds the Route, and what its object and its Host want of every request.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) match(req *message.Request, head []byte) *Failure {
	w := x.w
	switch {
	case req.Method == message.MethodConnect:
		return failConnectMethod
	case req.ExpectOther:
		return failExpect
	case x.extended && !x.upgrade:
		return failExtended
	}
	s := w.Store.Load()
	if s == nil {
		return failNotReady
	}
	var host, path []byte
	ok := true
	if !req.Authority.Empty() {
		if host, ok = routing.NormalizeHost(w.hostScratch[:0], req.Authority.Of(head)); !ok {
			return failHost
		}
	}
	switch {
	case req.Form == message.AsteriskForm:
		return failNoRoute
	case req.EmptyPath:
		path = slash
	default:
		if path, ok = routing.NormalizePath(w.pathScratch[:0], req.Path.Of(head)); !ok {
			return failPath
		}
	}
	x.snapshot = s
	x.route = s.Table.Match(host, path)
	if x.route == nil {
		return failNoRoute
	}
	x.policy = w.Settings.plain
	switch hung := x.route.Attachment.(type) {
	case *stats.Series:
		x.series = hung
	case *attached:
		x.policy, x.series = hung.policy, hung.series
	}
	if t := x.route.TLS(); t != nil {
		if fail := x.checkTLS(t); fail != nil {
			return fail
		}
	}
	if x.policy.closed {
		return failNoBackend
	}
	if x.web != grpcweb.None {
		// What the gateway refuses from here on, it refuses in the form that the client reads.
		if b := s.Backend(x.route); b != nil {
			x.translateWeb(b.Protocol, req, head)
		}
	}
	limit := x.policy.bodyLimit
	if limit == 0 {
		limit = w.Settings.bodyLimit
	}
	x.bodyLimit = limit
	if limit > 0 && (x.reqBody.from == FrameLength && x.reqBody.data+x.reqBody.left > limit || x.reqBody.data > limit) {
		return failBodyTooLarge
	}
	if total := x.policy.total; total > 0 || w.Settings.total > 0 {
		if total == 0 {
			total = w.Settings.total
		}
		x.edits.deadline = x.started + total
	}
	if x.grpc {
		if timeout := grpcTimeout(req, head); timeout > 0 && (x.edits.deadline == 0 || x.started+timeout < x.edits.deadline) {
			x.edits.deadline = x.started + timeout
		}
	}
	return nil
}

// bind finds the Backend, once the Filters have had their say about it.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) bind(req *message.Request, head []byte) *Failure {
	w := x.w
	s := x.snapshot
	x.snapshot = nil
	b := s.Backend(x.route)
	if a := x.altered; a != nil && a.chosen {
		if b = s.BackendAt(a.backend); b != nil {
			x.retranslateWeb(b.Protocol, req, head)
		}
	}
	if b == nil {
		return failNoBackend
	}
	if b.ExternalName != "" {
		x.edits.add = append(x.edits.add, loopMark...)
	}
	x.backend = w.Upstreams.Backend(b)
	x.protocol = b.Protocol
	return nil
}

var slash = []byte("/")

// forward writes the head that goes upstream, and makes the first attempt.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) forward(req *message.Request, head, early []byte) {
	if fail := x.bind(req, head); fail != nil {
		x.Fail(fail)
		return
	}
	streams := SpeaksHTTP2(x.protocol)
	if streams && x.upgrade && !h2.CarriesUpgrade(req, head) {
		x.upgrade = false // any server may ignore one: RFC 9110 section 7.8
	}
	from := x.reqBody.from
	if x.translated() {
		x.webRequest(req)
	}
	if (len(x.policy.chain.body) > 0 || x.web == grpcweb.Text) && from != FrameNone {
		if x.reqBody.by = x.transformRequest(); x.faulty {
			x.Fail(failInternal)
			return
		}
		if x.reqBody.by != nil {
			from = FrameStream // its length is not known any more
		}
	}
	if to := requestForm(from, streams); to != x.reqBody.form || x.reqBody.trailing || x.reqBody.by != nil {
		// Validated as it came; now in the form that the Endpoint's side takes, less forbidden trailers.
		x.reqBody.begin(x.reqBody.from, to, x.reqBody.left+x.reqBody.data)
		x.reqBody.data = 0
		early, _, _ = x.reqBody.take(early, x.w.chunk)
		if x.reqBody.by != nil {
			x.reqBody.length = -1
			var ok bool
			if early, ok = x.advance(&x.reqBody, early, false); !ok {
				x.refuseBody()
				return
			}
		}
	}
	x.edits.add = x.reqBody.appendFraming(x.edits.add)
	if streams {
		x.trailed = req.Has(message.FieldTrailer) && x.reqBody.from != FrameNone && x.reqBody.from != FrameLength && x.web == grpcweb.None
		if x.kept == nil {
			x.kept = x.w.Keep(req, head, early)
		} else {
			x.kept.early = append(x.kept.early[:0], early...) // it was parked
		}
	} else {
		x.request = x.w.Buffers.Get(len(head) + len(early) + headRoom + len(x.edits.add))
		lent := int64(cap(x.request))
		x.request = appendRequestHead(x.request, x, req, head)
		x.request = append(x.request, early...)
		if x.kept == nil && x.policy.chain.looksBack() {
			x.kept = x.w.Keep(req, head, nil)
		}
		x.w.Buffers.Recount(&lent, int64(cap(x.request)))
	}
	if !streams && x.kept != nil && !x.policy.chain.looksBack() {
		x.w.FreeKept(x.kept)
		x.kept = nil
	}
	x.firstAttempt()
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
	x.faulty = false // this is the answer to it, and no fault of the Filters that see the answer
	if x.translated() || x.depth > 0 && (len(x.policy.chain.response) > 0 || len(x.edits.respAdd) > 0) {
		x.composeRefusal(f.Status, f.Text)
		x.replies(x.depth, f.reason, outcomeOf(f))
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
	x.over = true
	if x.parked {
		x.unpark()
	}
	if u != nil && outcome.Failed() && u.Provoked() {
		outcome = upstream.Canceled
	}
	ep, chosen := x.attempt.Endpoint, x.attempt.Chosen
	if ep != nil {
		header := x.headTime
		if header == 0 {
			header = now
		}
		x.attempt.Finish(now, header-chosen, outcome)
	}
	if u != nil {
		x.up = nil
		if x.settled() {
			u.Release(now)
		} else {
			u.Abandon()
		}
	}
	e := &w.Event
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
		x.quota.end()
		x.quota = nil
	}
	if w.Log != nil {
		w.Log.exchange(x, ep, e)
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
		n += x.kept.Held
	}
	if x.up != nil {
		n += x.up.Holds()
	}
	return n
}

// HoldsConn reports that x has a connection to an Endpoint for itself.
func (x *Core) HoldsConn() bool { return x.up != nil && x.up.Exclusive() }
