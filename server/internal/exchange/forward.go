package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// forward makes the request that goes to the Endpoint, behind the request phase of all Filters, and begins the first
// attempt. early holds the body bytes that came with the head.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) forward(req *message.Request, head, early []byte) {
	if fail := x.bind(req, head); fail != nil {
		x.Fail(fail)
		return
	}
	x.dispatch(req, head, early)
}

// dispatch is forward once the Backend is known.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) dispatch(req *message.Request, head, early []byte) {
	streams := SpeaksHTTP2(x.protocol)
	if streams && x.upgrade && !h2.CarriesUpgrade(req, head) {
		x.upgrade = false // any server may ignore an Upgrade: RFC 9110 section 7.8
	}
	if x.translated() {
		x.webRequest(req)
	}
	early, ok := x.convertBody(early, streams)
	if !ok {
		return
	}
	x.edits.add = x.reqBody.appendFraming(x.edits.add)
	if streams {
		x.keepForStream(req, head, early)
	} else {
		x.writeRequest(req, head, early)
	}
	x.firstAttempt()
}

// convertBody puts the request's body into the form that the Endpoint's side takes, less forbidden trailers, and behind the
// Transforms of the Filters. early, which was validated as it came, is converted with it. ok is false where x has ended.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) convertBody(early []byte, streams bool) (converted []byte, ok bool) {
	b := &x.reqBody
	from := b.from
	if (len(x.policy.chain.body) > 0 || x.web == grpcweb.Text) && from != FrameNone {
		if b.by = x.transformRequest(); x.filterFailed {
			x.Fail(failInternal)
			return nil, false
		}
		if b.by != nil {
			from = FrameStream // its length is not known any more
		}
	}
	to := requestForm(from, streams)
	if to == b.form && !b.trailing && b.by == nil {
		return early, true
	}
	b.reset(b.from, to, b.left+b.data)
	b.data = 0
	early, _, _ = b.take(early, x.w.chunk)
	if b.by != nil {
		b.length = -1
		if early, ok = x.advance(b, early, false); !ok {
			x.refuseBody()
			return nil, false
		}
	}
	return early, true
}

// keepForStream keeps the request for a side of HTTP/2, which writes the head itself, and again for a replay.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) keepForStream(req *message.Request, head, early []byte) {
	x.announcesTrailers = req.Has(message.FieldTrailer) && x.reqBody.from != FrameNone && x.reqBody.from != FrameLength &&
		x.web == grpcweb.None
	if x.kept == nil {
		x.kept = x.w.KeepRequest(req, head, early)
	} else {
		x.kept.early = append(x.kept.early[:0], early...) // kept while it was parked
	}
}

// writeRequest writes the request for a side of HTTP/1.1: one block of bytes, sent as it is by every attempt. The request as
// it came is kept only where Filters may ask for it behind their request phase.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) writeRequest(req *message.Request, head, early []byte) {
	w := x.w
	x.request = w.Buffers.Get(len(head) + len(early) + headRoom + len(x.edits.add))
	lent := int64(cap(x.request))
	x.request = appendRequestHead(x.request, x, req, head)
	x.request = append(x.request, early...)
	looksBack := x.policy.chain.looksBack()
	if x.kept == nil && looksBack {
		x.kept = w.KeepRequest(req, head, nil)
	}
	w.Buffers.Recount(&lent, int64(cap(x.request)))
	if x.kept != nil && !looksBack {
		w.FreeRequest(x.kept)
		x.kept = nil
	}
}
