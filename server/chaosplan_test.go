package server

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
)

// plan is one request and its response, down to the fault that the Backend plays. It follows from a seed that the request
// carries, so that client and Backend have the same one and either can tell what the other sent from anything else.
type plan struct {
	seed     uint64
	protocol routing.Protocol
	level    level

	// The request.
	method   string
	reqLen   int
	reqKnown bool // Content-Length, else chunked or an open stream
	expect   bool
	reqSum   bool // trailers

	// The response.
	interim  int
	bulk     int // KiB of further fields in each of its heads; over HTTP/2
	status   int
	respLen  int
	framing  exchange.Framing // exchange.FrameLength, exchange.FrameChunked or exchange.FrameClose, which only HTTP/1.1 tells apart
	respSum  bool
	early    bool // answers before it reads the body
	announce bool // announces the close, and closes
	fault    fault
	at       int  // body bytes before the fault
	hasty    bool // the fault comes before the request's body is read

	lie lie // false claims of the request

	// tunnel makes it a WebSocket, by Upgrade or extended CONNECT: the bodies are what goes each way.
	tunnel bool
}

// level is what may go wrong on the side of Backends.
type level int

const (
	levelNone level = iota // nothing
	levelOwn               // faults that harm no other request
	levelAll               // connections that others are on end, too
	levelCount
)

// faultInTen is how many of ten plans have a fault, where there are any; largeBody bounds bodies.
const (
	faultInTen = 3
	largeBody  = 300 << 10
)

// fault is a Backend's fault.
type fault int

const (
	faultNone      fault = iota
	faultRefuse          // the first attempt is refused, HTTP/2
	faultReset           // reset instead of a response
	faultResetBody       // reset in the middle of the body
	faultShort           // less than its length
	faultLong            // more than its length
	faultGarbage         // no response at all
	faultClose           // closes instead of a response; from here on, over HTTP/2 it harms others
	faultCloseHead       // closes in the middle of the head
	faultCloseBody       // closes in the middle of the body
	faultStale           // closes after the response without notice
	faultGoAway          // announces the end of the connection, HTTP/2
	faultCount

	faultHarmsOthers = faultClose
)

var faultNames = [faultCount]string{"none", "refuse", "reset", "reset in body", "short", "long", "garbage", "close", "close in head",
	"close in body", "stale", "goaway"}

func (f fault) String() string { return faultNames[f] }

// streams reports that the Backend speaks HTTP/2.
func (p *plan) streams() bool { return exchange.SpeaksHTTP2(p.protocol) }

// newPlan makes the plan that follows from its arguments.
func newPlan(seed uint64, protocol routing.Protocol, l level) *plan {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &plan{seed: seed, protocol: protocol, level: l}
	size := func(most int) int {
		switch r.IntN(10) {
		case 0, 1, 2:
			return 0
		case 3, 4:
			return r.IntN(100)
		case 5, 6:
			return r.IntN(5000)
		case 7, 8:
			return r.IntN(80 << 10)
		}
		return r.IntN(most)
	}
	p.method = []string{"GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "BREW"}[r.IntN(10)]
	switch p.method {
	case "POST", "PUT", "BREW":
		p.reqLen = size(largeBody)
	case "DELETE":
		p.reqLen = r.IntN(2) * r.IntN(500)
	}
	p.reqKnown = p.reqLen == 0 || r.IntN(2) == 0
	p.reqSum = !p.reqKnown && r.IntN(2) == 0
	p.expect = p.reqLen > 0 && r.IntN(4) == 0
	p.interim = max(0, r.IntN(12)-5) // an invitation to send the body comes on top
	p.status = []int{200, 200, 200, 200, 201, 404, 500, 204, 304}[r.IntN(9)]
	p.respLen = size(largeBody)
	p.framing = []exchange.Framing{exchange.FrameLength, exchange.FrameLength, exchange.FrameChunked, exchange.FrameChunked, exchange.FrameClose}[r.IntN(5)]
	p.early = p.reqLen > 0 && r.IntN(6) == 0
	p.announce = r.IntN(12) == 0
	bare := p.method == "HEAD" || p.status == 204 || p.status == 304
	p.hasty = r.IntN(3) == 0
	p.at = r.IntN(max(p.respLen, 1))
	if r.IntN(10) == 0 {
		p.tunnel = true
		p.method, p.status, p.reqLen, p.respLen = "GET", 101, size(largeBody), size(largeBody)
		p.reqKnown, p.reqSum, p.expect, p.interim, p.framing, p.early, p.announce, bare = true, false, false, 0, exchange.FrameLength, false, false, false
		p.at = r.IntN(max(p.respLen, 1))
	}
	if l > levelNone && r.IntN(10) < faultInTen {
		p.fault = fault(1 + r.IntN(int(faultCount-1)))
	}
	if p.streams() && l < levelAll && p.fault >= faultHarmsOthers || !p.streams() && (p.fault == faultRefuse || p.fault == faultGoAway || l < levelAll && p.fault == faultStale) {
		p.fault = faultNone
	}
	if bare {
		p.respLen = 0
	}
	if p.streams() && p.framing == exchange.FrameClose {
		p.framing = exchange.FrameChunked
	}
	if p.respLen == 0 && (p.fault == faultShort || p.fault == faultLong || p.fault == faultResetBody || p.fault == faultCloseBody) {
		p.fault = faultReset
	}
	if p.tunnel && p.fault != faultReset && p.fault != faultResetBody && p.fault != faultClose && p.fault != faultRefuse {
		p.fault = faultNone
	}
	switch p.fault {
	case faultShort, faultLong:
		p.framing = exchange.FrameLength
	case faultCloseBody, faultStale:
		if p.framing == exchange.FrameClose && p.protocol == routing.HTTP || p.fault == faultStale {
			p.framing = exchange.FrameLength // the end would be as good as any
		}
	}
	if p.framing == exchange.FrameClose && bare {
		p.framing = exchange.FrameLength
	}
	p.respSum = p.framing == exchange.FrameChunked && !bare && r.IntN(2) == 0
	if p.streams() && !p.tunnel && r.IntN(4) == 0 {
		p.bulk = 1 + r.IntN(mostBulk)
	}
	p.tellLies(r)
	return p
}

// bare reports a response that has no body, whatever its head announces.
func (p *plan) bare() bool { return p.method == "HEAD" || p.status == 204 || p.status == 304 }

// simple reports a request that may be sent again, whatever happened to it before its response.
func (p *plan) simple() bool {
	return !p.tunnel && p.reqLen == 0 && (p.method == "GET" || p.method == "HEAD" || p.method == "DELETE" || p.method == "OPTIONS" || p.method == "PUT")
}

// target is the request's, by which readPlan finds the plan again.
func (p *plan) target() string {
	return fmt.Sprintf("/%d?seed=%x&level=%d", p.protocol, p.seed, p.level)
}

// name is the seed in the messages' heads and trailers.
func (p *plan) name() string { return strconv.FormatUint(p.seed, 16) }

func (p *plan) String() string {
	return fmt.Sprintf("%s %s: request %d known %v expect %v sum %v, response %d interim %d of %d framing %d sum %v early %v announce %v, fault %v at %d hasty %v tunnel %v, says %+v",
		p.method, p.target(), p.reqLen, p.reqKnown, p.expect, p.reqSum, p.status, p.interim, p.respLen, p.framing, p.respSum, p.early, p.announce, p.fault, p.at, p.hasty, p.tunnel, p.lie)
}

// readPlan is the reverse of target, for a Backend.
func readPlan(target string, header http.Header, protocol routing.Protocol) (*plan, error) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	seed, err := strconv.ParseUint(u.Query().Get("seed"), 16, 64)
	if err != nil {
		return nil, err
	}
	l, err := strconv.Atoi(u.Query().Get("level"))
	if err != nil {
		return nil, err
	}
	p := newPlan(seed, protocol, level(l))
	if u.Path != fmt.Sprintf("/%d", protocol) || header.Get("X-Plan") != p.name() {
		return nil, fmt.Errorf("request %q has the fields of another: %v", target, header)
	}
	return p, nil
}

// Bodies: no two are alike, and no place of one is like another.

func (p *plan) request() *filler  { return &filler{key: p.seed ^ 0x5555555555555555} }
func (p *plan) response() *filler { return &filler{key: p.seed} }

// filler makes, or checks, a body from its start to its end.
type filler struct {
	key uint64
	n   int // so far
	buf []byte
}

// next returns the next n bytes, valid until the next call.
func (f *filler) next(n int) []byte {
	f.buf = f.buf[:0]
	for len(f.buf) < n {
		x := f.key + uint64(f.n>>3)*0x9e3779b97f4a7c15
		x ^= x >> 30
		x *= 0xbf58476d1ce4e5b9
		x ^= x >> 27
		for i := f.n & 7; i < 8 && len(f.buf) < n; i++ {
			f.buf = append(f.buf, byte(x>>(8*i)))
			f.n++
		}
	}
	return f.buf
}

// matches reports that p is what next would return.
func (f *filler) matches(p []byte) bool { return string(f.next(len(p))) == string(p) }
