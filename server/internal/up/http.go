package up

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// How an Conn sends and reads heads: the HTTP/1.1 part of exchange.Up.

// firstRead is how much is read while a response head is expected: a head with 16 KiB of body.
const firstRead = 20 << 10

func (u *Conn) Established() bool               { return !u.Connecting && !u.Shaking }
func (u *Conn) Unprocessed() bool               { return false }
func (u *Conn) UnknownLength() exchange.Framing { return exchange.FrameChunked }

// provoked, exclusive, TimedOut and BreakOff implement exchange.Up.
func (u *Conn) Provoked() bool  { return false }
func (u *Conn) Exclusive() bool { return true }
func (u *Conn) TimedOut()       {}
func (u *Conn) BreakOff()       { u.Reset() }

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
	w := u.w
	into := w.Scratch
	if w.Settings.Splice > 0 {
		// The rest of a large body is to move by splice, so little of it is copied with the head.
		into = into[:firstRead]
	}
	n := u.Read(into)
	if n == 0 {
		if u.EOF || u.Broken {
			x.UpstreamEnds()
		}
		return false
	}
	x.ClientSide().Restart()
	x.ExpectResponse()
	data := into[:n]
	if u.In.Len() > 0 {
		line := bytes.IndexByte(data, '\n') >= 0
		w.Buffers.Append(&u.In, data)
		data = u.In.Bytes()
		if !line && len(data) < exchange.ResponseHeadLimit {
			return true // one parse per line at most, however the head trickles in
		}
	}
	for {
		w.resp.Reset()
		status := h1.ParseResponse(&w.resp, data, w.set.limits)
		switch {
		case status == h1.Incomplete:
			if u.In.Len() == 0 {
				w.Buffers.Append(&u.In, data)
			}
			return true
		case status != h1.Done:
			x.Malformed()
			return false
		}
		head, rest := &w.resp.Response, data[w.resp.HeadLen:]
		if head.Code == 101 {
			if !x.Upgrades() || !head.Upgrade || head.UpgradeH2C {
				x.Malformed()
				return false
			}
			kept := u.In
			u.In = wire.Buffer{}
			x.SwitchProtocols(head, data, rest)
			w.Buffers.Release(&kept)
			return false
		}
		if head.Code >= 200 {
			break
		}
		if !x.InterimHead(head, data) {
			return false
		}
		if u.In.Len() > 0 {
			w.Buffers.Consume(&u.In, w.resp.HeadLen)
			rest = u.In.Bytes()
		}
		if len(rest) == 0 {
			return true
		}
		data = rest
	}
	kept := u.In
	u.In = wire.Buffer{}
	x.FinalHead(&w.resp.Response, data, data[w.resp.HeadLen:], false)
	w.Buffers.Release(&kept)
	return true
}
