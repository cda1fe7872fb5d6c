package server

import (
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// An Exchange stands between two sides and knows neither's protocol. Heads go through it as the indexes
// that package message defines, bodies as bytes with a framing (see flow). Each side is an HTTP/1.1
// connection, or one stream of an HTTP/2 connection; both belong to the Exchange's loop. What the two have in common is
// wire.Bytes.

// downSide is the client's side.
type downSide interface {
	wire.Bytes
	loop.Handler // Ready(0) is pump
	// peer says who the client is.
	peer() *client
	// pump moves whatever can move, on both sides of the Exchange, which may have ended afterwards.
	pump()

	// form says how a response body of that framing goes out.
	form(x *core, from framing) form
	// sendInterim relays a 1xx head, and sendHead the final head, with the first bytes of the body. Both
	// return the number of bytes that went out, or will.
	sendInterim(resp *message.Response, head []byte) int
	sendHead(x *core, resp *message.Response, head, body []byte, last bool) int
	// answer sends an answer of the gateway's own: fields are field lines with CR LF, less those of
	// framing. refuse sends one that says what is wrong. Both return its length.
	answer(x *core, status int, fields, body []byte) int
	refuse(x *core, f *failure) int
	// switched sends the head that accepts an Upgrade, and the first bytes of the tunnel that the
	// Exchange is from here on.
	switchTo(x *core, resp *message.Response, head, rest []byte) int
	// multiplexed reports that the side is one stream of many, which may be open both ways for as long as they like.
	multiplexed() bool
	// cut ends the response in a way that nobody takes for its proper end.
	cut(x *core)
	// served tells that the Exchange ended.
	served(x *core)

	// await arms the timer of this side, unless it already guards the same wait; Restart makes the
	// next await start afresh; Rest stops it.
	guard(what wire.Wait, timeout int64)
	Restart()
	Rest()
}

// upSide is the Endpoint's side.
type upSide interface {
	wire.Bytes
	// ready reports that the connection is established.
	established() bool
	// sendRequest sends what the Exchange holds of the request, and reports whether any of it left. It fails where no
	// connection to the Endpoint could carry the request, which is no fault of the Endpoint's.
	sendRequest(x *core) (wrote bool, fail *failure)
	// chunked is the framing of a response whose length its own framing tells.
	unknownLength() framing
	// readHead reads once, and gives x the heads that are complete. It returns false when more must
	// come first.
	readHead(x *core) bool
	// Reused reports that an earlier request went over the connection: it may have been closed since.
	Reused() bool
	// unprocessed reports that the Endpoint has said that it did nothing for the request.
	unprocessed() bool
	// provoked reports that the end of the request says nothing about the Endpoint's health, because of what the client had it
	// sent.
	provoked() bool
	// exclusive reports that the connection serves this request alone.
	exclusive() bool
	// Holds returns how many bytes of memory wait on the side.
	Holds() int64
	// timedOut tells that the connection was not established in time: the next request should not wait for it.
	timedOut()
	// breakOff ends a tunnel so that the Endpoint does not take it for a proper end, where its protocol can say that at once.
	breakOff()
	// release gives the side back after a request and a response that are complete, abandon after
	// anything less, and stale after an attempt that found it closed.
	release(now int64)
	abandon()
	stale(now int64)
}
