package exchange

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// The methods by which the two sides read their Exchange. Those that change it say so. Bytes are valid until the Exchange
// ends.

// RequestDone reports that the last byte of the request's body was taken from the client.
func (x *Core) RequestDone() bool { return x.reqBody.done && !x.unread }

// KeepAlive reports that the client wants its connection kept.
func (x *Core) KeepAlive() bool { return x.keepAlive }

// HTTP10 reports that the client speaks HTTP/1.0: it knows neither chunks, nor trailers, nor interim responses.
func (x *Core) HTTP10() bool { return x.http10 }

// MethodIsHead reports that the request's method is HEAD: its response has no body.
func (x *Core) MethodIsHead() bool { return x.method == message.MethodHead }

// Tunnels reports that an Upgrade was accepted: the bytes are another protocol's.
func (x *Core) Tunnels() bool { return x.tunnel }

// Upgrades reports that the request is an Upgrade, to be accepted by 101.
func (x *Core) Upgrades() bool { return x.upgrade }

// LastOfConnection reports that the request is whole, that its connection ends behind the response, and that no part of the
// response was sent.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) LastOfConnection() bool {
	return !x.keepAlive && x.RequestDone() && !x.headDone && !x.upgrade && !x.parked
}

// EndsByClose reports that the end of the client's connection would be taken for the end of the response's body.
func (x *Core) EndsByClose() bool {
	f := &x.respBody
	return f.form == FormBare && f.from != FrameNone && (f.from != FrameLength || f.by != nil)
}

// AppendResponseFraming appends the field that tells the client where the response's body ends.
func (x *Core) AppendResponseFraming(dst []byte) []byte { return x.respBody.appendFraming(dst) }

// AddedResponseFields returns the field lines that Filters have added to the response.
func (x *Core) AddedResponseFields() []byte { return x.edits.respAdd }

// ProtocolSwitchedTo returns the value of Upgrade for the head of a 101. HTTP/2 has no such field: for an Endpoint that
// speaks it, the value is the one of the request.
func (x *Core) ProtocolSwitchedTo(resp *message.Response, head []byte) []byte {
	if to := resp.Value(head, message.FieldUpgrade); to != nil || x.kept == nil {
		return to
	}
	return x.kept.Request.Value(x.kept.Head, message.FieldUpgrade)
}

// TakeEarly counts the body bytes at the start of data, which came with the head, and returns their number. It is called
// before Start, which is given the bytes.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) TakeEarly(data []byte) (n int, fail *Failure) {
	_, n, fail = x.takeRequestBody(data)
	return n, fail
}

// OverHTTP2 reports that the Backend speaks HTTP/2.
func (x *Core) OverHTTP2() bool { return SpeaksHTTP2(x.protocol) }

// BackendTLS is the configuration of TLS with the Endpoint; nil: its connections are plain.
func (x *Core) BackendTLS() *routing.BackendTLS { return x.backend.Source().TLS }

// RequestBytes is the start of the request for a side of HTTP/1.1: the head, and the body bytes that came with it.
func (x *Core) RequestBytes() []byte { return x.request }

// Outgoing is the head of the request for a side of HTTP/2. end says that nothing follows it.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) Outgoing() (req *message.Request, o h2.Outgoing, end bool) {
	k := x.kept
	return &k.Request, h2.Outgoing{
		Head: &k.Request.Head, Bytes: k.Head, Lines: x.edits.add, Authority: x.host(), Target: x.target(),
	}, x.reqBody.whole() && len(k.early) == 0 && !x.upgrade
}

// SendEarly sends a side of HTTP/2 the body bytes that came with the head.
func (x *Core) SendEarly(to wire.Bytes) { x.reqBody.pass(to, x.kept.early) }

// MustDial reports that this attempt must not use a connection that was open before the previous attempt failed.
func (x *Core) MustDial() bool { return x.fresh }

// AnnouncesTrailers reports that the request has a Trailer field and goes to an Endpoint over HTTP/2, which then needs a
// lone Session (up/lone.go).
func (x *Core) AnnouncesTrailers() bool { return x.announcesTrailers }

// Quota is the quota of the client's Source that the request counts against; nil: it counts against none.
func (x *Core) Quota() *Quota { return x.quota }

// ClientSide is the side that the request came by; nil once x has ended.
func (x *Core) ClientSide() Down { return x.down }

// EndpointSide is the side of the attempt that is under way; nil where there is none. Tests alone need it.
func (x *Core) EndpointSide() Up { return x.up }
