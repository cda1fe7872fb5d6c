package exchange

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// What the two sides may know of their Exchange. None of it changes the Exchange but for what says so.

// RequestDone reports that the last byte of the request's body was taken from the client.
func (x *Core) RequestDone() bool { return x.reqBody.done }

// KeepAlive reports that the client wants its connection kept.
func (x *Core) KeepAlive() bool { return x.persists }

// OldClient reports that the client speaks HTTP/1.0.
func (x *Core) OldClient() bool { return x.http10 }

// ForHead reports that the request's method is HEAD, whose responses have no body.
func (x *Core) ForHead() bool { return x.method == message.MethodHead }

// Tunnels reports that an Upgrade was accepted: the bytes are another protocol's.
func (x *Core) Tunnels() bool { return x.tunnel }

// Upgrades reports that the request is an Upgrade that was not answered yet.
func (x *Core) Upgrades() bool { return x.upgrade }

// LastOfConnection reports that the whole request is here, that its connection ends behind the response, and that no part of
// the response was sent.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) LastOfConnection() bool {
	return !x.persists && x.reqBody.done && !x.headDone && !x.upgrade && !x.parked
}

// EndsByClose reports that the end of the client's connection would be taken for the end of the response's body.
func (x *Core) EndsByClose() bool {
	f := &x.respBody
	return f.form == FormBare && f.from != FrameNone && (f.from != FrameLength || f.by != nil)
}

// AppendResponseFraming appends the field that tells the client where the response's body ends.
func (x *Core) AppendResponseFraming(dst []byte) []byte { return x.respBody.appendFraming(dst) }

// AddedToResponse returns the field lines that Filters have added to the response.
func (x *Core) AddedToResponse() []byte { return x.edits.respAdd }

// ProtocolSwitchedTo returns the value of Upgrade in a response that accepts one. HTTP/2 has no such field: then it is what
// the client has asked for.
func (x *Core) ProtocolSwitchedTo(resp *message.Response, head []byte) []byte {
	if to := resp.Value(head, message.FieldUpgrade); to != nil || x.kept == nil {
		return to
	}
	return x.kept.Request.Value(x.kept.Head, message.FieldUpgrade)
}

// TakeEarly consumes the body bytes at the start of data, which came with the head, and returns how many there were. It is
// for a body in the form in which it came: start is given the bytes themselves.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) TakeEarly(data []byte) (n int, fail *Failure) {
	_, n, fail = x.takeRequestBody(data)
	return n, fail
}

// OverHTTP2 reports that the Backend speaks HTTP/2.
func (x *Core) OverHTTP2() bool { return SpeaksHTTP2(x.protocol) }

// BackendTLS says how TLS is spoken with the Endpoint; nil: it is not.
func (x *Core) BackendTLS() *routing.BackendTLS { return x.backend.Source().TLS }

// RequestBytes are what is held of the request for a side of HTTP/1: the head, and the body bytes that came with it.
func (x *Core) RequestBytes() []byte { return x.request }

// Outgoing is what is held of the request for a side of HTTP/2. end says that nothing is to follow the head.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) Outgoing() (req *message.Request, o h2.Outgoing, end bool) {
	k := x.kept
	return &k.Request, h2.Outgoing{
		Head: &k.Request.Head, Bytes: k.Head, Lines: x.edits.add, Authority: x.host(), Target: x.target(),
	}, x.reqBody.whole() && len(k.early) == 0 && !x.upgrade
}

// PassEarly sends the body bytes that came with the head to a side of HTTP/2.
func (x *Core) PassEarly(to wire.Bytes) { x.reqBody.pass(to, x.kept.early) }

// MustDial reports that this attempt must not use a connection that was open before.
func (x *Core) MustDial() bool { return x.fresh }

// AnnouncesTrailers reports that the request says that trailers follow its body, to an Endpoint over HTTP/2: see lone.go.
func (x *Core) AnnouncesTrailers() bool { return x.trailed }

// Source is what the request counts for at its client's source; nil: for nothing.
func (x *Core) Source() *Quota { return x.quota }

// ClientSide is the side that the request came by.
func (x *Core) ClientSide() Down { return x.down }

// EndpointSide is the side of the attempt that is under way; nil where there is none.
func (x *Core) EndpointSide() Up { return x.up }
