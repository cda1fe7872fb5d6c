package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// An Exchange stands between two sides and knows neither's protocol. Heads go through it as the indexes
// that package message defines, bodies as bytes with a framing (see flow). Each side is an HTTP/1.1
// connection, or one stream of an HTTP/2 connection; both belong to the Exchange's loop. What the two have in common is
// wire.Bytes.

// Down is the client's side.
type Down interface {
	wire.Bytes
	loop.Handler // Ready(0) is pump
	// peer says who the client is.
	Peer() *Client
	// pump moves whatever can move, on both sides of the Exchange, which may have ended afterwards.
	Pump()

	// form says how a response body of that framing goes out.
	Form(x *Core, from Framing) Form
	// SendInterim relays a 1xx head, and SendHead the final head, with the first bytes of the body. Both
	// return the number of bytes that went out, or will.
	SendInterim(resp *message.Response, head []byte) int
	SendHead(x *Core, resp *message.Response, head, body []byte, last bool) int
	// answer sends an answer of the gateway's own: fields are field lines with CR LF, less those of
	// framing. refuse sends one that says what is wrong. Both return its length.
	Answer(x *Core, status int, fields, body []byte) int
	Refuse(x *Core, f *Failure) int
	// switched sends the head that accepts an Upgrade, and the first bytes of the tunnel that the
	// Exchange is from here on.
	SwitchTo(x *Core, resp *message.Response, head, rest []byte) int
	// multiplexed reports that the side is one stream of many, which may be open both ways for as long as they like.
	Multiplexed() bool
	// cut ends the response in a way that nobody takes for its proper end.
	Cut(x *Core)
	// served tells that the Exchange ended.
	Served(x *Core)

	// await arms the timer of this side, unless it already guards the same wait; Restart makes the
	// next await start afresh; Rest stops it.
	Guard(what wire.Wait, timeout int64)
	Restart()
	Rest()
}

// Up is the Endpoint's side.
type Up interface {
	wire.Bytes
	// ready reports that the connection is established.
	Established() bool
	// SendRequest sends what the Exchange holds of the request, and reports whether any of it left. It fails where no
	// connection to the Endpoint could carry the request, which is no fault of the Endpoint's.
	SendRequest(x *Core) (wrote bool, fail *Failure)
	// chunked is the framing of a response whose length its own framing tells.
	UnknownLength() Framing
	// ReadHead reads once, and gives x the heads that are complete. It returns false when more must
	// come first.
	ReadHead(x *Core) bool
	// Reused reports that an earlier request went over the connection: it may have been closed since.
	Reused() bool
	// unprocessed reports that the Endpoint has said that it did nothing for the request.
	Unprocessed() bool
	// provoked reports that the end of the request says nothing about the Endpoint's health, because of what the client had it
	// sent.
	Provoked() bool
	// exclusive reports that the connection serves this request alone.
	Exclusive() bool
	// Holds returns how many bytes of memory wait on the side.
	Holds() int64
	// TimedOut tells that the connection was not established in time: the next request should not wait for it.
	TimedOut()
	// BreakOff ends a tunnel so that the Endpoint does not take it for a proper end, where its protocol can say that at once.
	BreakOff()
	// release gives the side back after a request and a response that are complete, abandon after
	// anything less, and stale after an attempt that found it closed.
	Release(now int64)
	Abandon()
	Stale(now int64)
}
