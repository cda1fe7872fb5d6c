package server

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// What the two sides may know of their Exchange. None of it changes the Exchange but for what says so.

// requestDone reports that the last byte of the request's body was taken from the client.
func (x *core) requestDone() bool { return x.reqBody.done }

// keepAlive reports that the client wants its connection kept.
func (x *core) keepAlive() bool { return x.persists }

// oldClient reports that the client speaks HTTP/1.0.
func (x *core) oldClient() bool { return x.http10 }

// forHead reports that the request's method is HEAD, whose responses have no body.
func (x *core) forHead() bool { return x.method == message.MethodHead }

// tunnels reports that an Upgrade was accepted: the bytes are another protocol's.
func (x *core) tunnels() bool { return x.tunnel }

// upgrades reports that the request is an Upgrade that was not answered yet.
func (x *core) upgrades() bool { return x.upgrade }

// lastOfConnection reports that the whole request is here, that its connection ends behind the response, and that no part of
// the response was sent.
//
// hot: runs per request; no alloc, no lock.
func (x *core) lastOfConnection() bool {
	return !x.persists && x.reqBody.done && !x.headDone && !x.upgrade && !x.parked
}

// endsByClose reports that the end of the client's connection would be taken for the end of the response's body.
func (x *core) endsByClose() bool {
	f := &x.respBody
	return f.form == formBare && f.from != frameNone && (f.from != frameLength || f.by != nil)
}

// appendResponseFraming appends the field that tells the client where the response's body ends.
func (x *core) appendResponseFraming(dst []byte) []byte { return x.respBody.appendFraming(dst) }

// addedToResponse returns the field lines that Filters have added to the response.
func (x *core) addedToResponse() []byte { return x.edits.respAdd }

// protocolSwitchedTo returns the value of Upgrade in a response that accepts one. HTTP/2 has no such field: then it is what
// the client has asked for.
func (x *core) protocolSwitchedTo(resp *message.Response, head []byte) []byte {
	if to := resp.Value(head, message.FieldUpgrade); to != nil || x.kept == nil {
		return to
	}
	return x.kept.req.Value(x.kept.head, message.FieldUpgrade)
}

// takeEarly consumes the body bytes at the start of data, which came with the head, and returns how many there were. It is
// for a body in the form in which it came: start is given the bytes themselves.
//
// hot: runs per request; no alloc, no lock.
func (x *core) takeEarly(data []byte) (n int, fail *failure) {
	_, n, fail = x.takeRequestBody(data)
	return n, fail
}

// overHTTP2 reports that the Backend speaks HTTP/2.
func (x *core) overHTTP2() bool { return overStreams(x.protocol) }

// backendTLS says how TLS is spoken with the Endpoint; nil: it is not.
func (x *core) backendTLS() *routing.BackendTLS { return x.backend.Source().TLS }

// requestBytes are what is held of the request for a side of HTTP/1: the head, and the body bytes that came with it.
func (x *core) requestBytes() []byte { return x.request }

// outgoing is what is held of the request for a side of HTTP/2. end says that nothing is to follow the head.
//
// hot: runs per request; no alloc, no lock.
func (x *core) outgoing() (req *message.Request, o h2.Outgoing, end bool) {
	k := x.kept
	return &k.req, h2.Outgoing{
		Head: &k.req.Head, Bytes: k.head, Lines: x.edits.add, Authority: x.policy.upstreamHost, Target: x.target(),
	}, x.reqBody.whole() && len(k.early) == 0 && !x.upgrade
}

// passEarly sends the body bytes that came with the head to a side of HTTP/2.
func (x *core) passEarly(to wire.Bytes) { x.reqBody.pass(to, x.kept.early) }

// mustDial reports that this attempt must not use a connection that was open before.
func (x *core) mustDial() bool { return x.fresh }

// announcesTrailers reports that the request says that trailers follow its body, to an Endpoint over HTTP/2: see lone.go.
func (x *core) announcesTrailers() bool { return x.trailed }

// source is what the request counts for at its client's source; nil: for nothing.
func (x *core) source() *quota { return x.quota }

// clientSide is the side that the request came by.
func (x *core) clientSide() downSide { return x.down }

// endpointSide is the side of the attempt that is under way; nil where there is none.
func (x *core) endpointSide() upSide { return x.up }
