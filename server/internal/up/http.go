package up

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// How a Conn sends and reads heads: the HTTP/1.1 part of exchange.Up.

// firstRead is how much is read while a response head is expected, bytes: a head with 16 KiB of body.
const firstRead = 20 << 10

// The next seven methods implement exchange.Up.

func (u *Conn) Established() bool               { return !u.Connecting && !u.Shaking }
func (u *Conn) Unprocessed() bool               { return false }
func (u *Conn) UnknownLength() exchange.Framing { return exchange.FrameChunked }
func (u *Conn) Provoked() bool                  { return false }
func (u *Conn) Exclusive() bool                 { return true }
func (u *Conn) TimedOut()                       {}
func (u *Conn) BreakOff()                       { u.Reset() }

// SendRequest implements exchange.Up.
//
// hot: runs per request; no alloc, no lock.
func (u *Conn) SendRequest(x *exchange.Core) (wrote bool, fail *exchange.Failure) {
	u.Write(x.RequestBytes())
	return !u.Broken, nil
}

// ReadHead implements exchange.Up.
//
// hot: runs per request; no alloc, no lock.
func (u *Conn) ReadHead(x *exchange.Core) bool {
	data, ok := u.readMore(x)
	for len(data) > 0 {
		data, ok = u.parseHead(x, data)
	}
	return ok
}

// readMore reads once and returns the bytes of the head so far, valid until the next read of the loop, and as long as u.In.
// Where nothing is to be parsed it returns no data, and the result of ReadHead.
//
// hot: runs per request; no alloc, no lock.
func (u *Conn) readMore(x *exchange.Core) (data []byte, ok bool) {
	w := u.w
	into := w.Scratch
	if w.Settings.Splice > 0 {
		// The rest of a large body is to move by splice, so little of it is copied with the head.
		into = into[:firstRead]
	}
	n := u.Read(into)
	if n == 0 {
		if u.EOF || u.Broken {
			x.EndpointEnded()
		}
		return nil, false
	}
	x.ClientSide().Restart()
	x.ExpectResponse()
	data = into[:n]
	if u.In.Len() > 0 {
		line := bytes.IndexByte(data, '\n') >= 0
		w.Buffers.Append(&u.In, data)
		data = u.In.Bytes()
		if !line && len(data) < exchange.ResponseHeadLimit {
			return nil, true // one parse per line at most, however the head trickles in
		}
	}
	return data, true
}

// parseHead parses the head at the start of data and delivers it. It returns the bytes behind it where another head is to
// follow, or none and the result of ReadHead.
//
// hot: runs per request; no alloc, no lock.
func (u *Conn) parseHead(x *exchange.Core, data []byte) (rest []byte, ok bool) {
	w := u.w
	w.resp.Reset()
	switch status := h1.ParseResponse(&w.resp, data, w.set.limits); status {
	case h1.Done:
		return u.deliver(x, data)
	case h1.Incomplete:
		if u.In.Len() == 0 {
			w.Buffers.Append(&u.In, data)
		}
		return nil, true
	}
	x.FailMalformed()
	return nil, false
}

// deliver gives x the head that w.resp indexes at the start of data. It returns as parseHead does.
//
// hot: runs per request; no alloc, no lock.
func (u *Conn) deliver(x *exchange.Core, data []byte) (rest []byte, ok bool) {
	w := u.w
	head, rest := &w.resp.Response, data[w.resp.HeadLen:]
	switch switched := head.Code == 101; {
	case switched && (!x.Upgrades() || !head.Upgrade || head.UpgradeH2C):
		x.FailMalformed()
		return nil, false
	case switched || head.Code >= 200:
		// data may alias u.In, which must be empty by then: u may be in its pool when the call returns.
		in := u.In
		u.In = wire.Buffer{}
		if switched {
			x.SwitchProtocols(head, data, rest)
		} else {
			x.RelayFinal(head, data, rest, false)
		}
		w.Buffers.Release(&in)
		return nil, !switched
	}
	if !x.RelayInterim(head, data) {
		return nil, false
	}
	if u.In.Len() > 0 {
		w.Buffers.Consume(&u.In, w.resp.HeadLen)
		rest = u.In.Bytes()
	}
	return rest, true
}
