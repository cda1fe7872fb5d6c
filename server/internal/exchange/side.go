package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// An Exchange stands between two sides and knows neither's protocol. Heads go through it as the indexes that package message
// defines, bodies as bytes with a framing (see flow). Each side is an HTTP/1.1 connection, or one stream of an HTTP/2
// connection; both belong to the Exchange's loop. wire.Bytes is what the two have in common.

// Down is the client's side. The Exchange calls it on their loop. Heads and bodies that it is given are read, or copied,
// during the call.
type Down interface {
	wire.Bytes
	loop.Handler // Ready(0) is Pump
	// Peer describes the client.
	Peer() *Client
	// Pump moves bytes on both sides of the Exchange while either can move any. The Exchange may have ended when it returns.
	Pump()

	// Form returns the form in which a response body of framing from goes out.
	Form(x *Core, from Framing) Form
	// SendInterim relays a 1xx head, and SendHead the final head with the first bytes of the body; last says that the body
	// ends with them. Both return the number of bytes that went out, or will.
	SendInterim(resp *message.Response, head []byte) int
	SendHead(x *Core, resp *message.Response, head, body []byte, last bool) int
	// Answer sends an answer of the gateway's own: fields are field lines with CR LF, framing fields excluded. Refuse sends
	// one that tells the failure. Both return its length.
	Answer(x *Core, status int, fields, body []byte) int
	Refuse(x *Core, f *Failure) int
	// SwitchTo sends the 101 that accepts an Upgrade, and rest, the first bytes of the tunnel. It returns their length.
	SwitchTo(x *Core, resp *message.Response, head, rest []byte) int
	// Multiplexed reports that the side is one stream of many, on a connection where streams may stay open both ways.
	Multiplexed() bool
	// Cut ends the response so that the client cannot take the end for a proper one.
	Cut(x *Core)
	// Served ends the side's part in the Exchange: x has ended and is about to be reused.
	Served(x *Core)

	// Guard arms the timer of the side for timeout nanoseconds, unless it already guards the same wait; Restart makes the
	// next Guard start afresh; Rest stops the timer.
	Guard(what wire.Wait, timeout int64)
	Restart()
	Rest()
}

// Up is the Endpoint's side, from Dialer.Acquire until one of Release, Abandon and Stale. The Exchange calls it on their
// loop.
type Up interface {
	wire.Bytes
	// Established reports that requests can be sent.
	Established() bool
	// SendRequest sends the part of the request that the Exchange holds, and reports whether any byte of it left. It fails
	// where no connection to the Endpoint could carry the request; the Endpoint's health is not to blame.
	SendRequest(x *Core) (wrote bool, fail *Failure)
	// UnknownLength is the framing of a response body without Content-Length.
	UnknownLength() Framing
	// ReadHead reads once, and gives x the heads that are complete. It returns false when it has to wait for more bytes, and
	// when x is not to go on by itself.
	ReadHead(x *Core) bool
	// Reused reports that an earlier request went over the connection: it may have been closed since.
	Reused() bool
	// Unprocessed reports that the Endpoint has declared the request unprocessed: it may be replayed.
	Unprocessed() bool
	// Provoked reports that a failure of the request says nothing about the Endpoint's health: the request carries something
	// that makes some Endpoints end the connection.
	Provoked() bool
	// Exclusive reports that the connection serves this request alone.
	Exclusive() bool
	// Holds returns how many bytes of memory are lent to the side.
	Holds() int64
	// TimedOut reports a connect that took too long: the connection gets no further requests.
	TimedOut()
	// BreakOff resets the end of a tunnel, where the protocol has a reset that is sent at once, so that the Endpoint does
	// not take the end for a proper one.
	BreakOff()
	// Release gives the side back after a request and a response that are complete, Abandon after anything less, and Stale
	// after an attempt that found the connection closed. now is on the loop's clock.
	Release(now int64)
	Abandon()
	Stale(now int64)
}
