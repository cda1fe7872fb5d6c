package server

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// How an upConn sends and reads heads: the HTTP/1.1 part of upSide.

// firstRead is how much is read while a response head is expected: a head with 16 KiB of body.
const firstRead = 20 << 10

func (u *upConn) established() bool      { return !u.Connecting && !u.Shaking }
func (u *upConn) unprocessed() bool      { return false }
func (u *upConn) unknownLength() framing { return frameChunked }

// provoked, exclusive, timedOut and breakOff implement upSide.
func (u *upConn) provoked() bool  { return false }
func (u *upConn) exclusive() bool { return true }
func (u *upConn) timedOut()       {}
func (u *upConn) breakOff()       { u.Reset() }

// sendRequest implements upSide.
//
// hot: runs per request; no alloc, no lock.
func (u *upConn) sendRequest(x *core) (wrote bool, fail *failure) {
	u.Write(x.requestBytes())
	return !u.Broken, nil
}

// readHead implements upSide.
//
// hot: runs per request; no alloc, no lock.
func (u *upConn) readHead(x *core) bool {
	w := u.w
	into := w.Scratch
	if w.settings.splice > 0 {
		// The rest of a large body is to move by splice, so little of it is copied with the head.
		into = into[:firstRead]
	}
	n := u.Read(into)
	if n == 0 {
		if u.EOF || u.Broken {
			x.upstreamEnds()
		}
		return false
	}
	x.clientSide().Restart()
	x.expectResponse()
	data := into[:n]
	if u.In.Len() > 0 {
		line := bytes.IndexByte(data, '\n') >= 0
		w.Buffers.Append(&u.In, data)
		data = u.In.Bytes()
		if !line && len(data) < responseHeadLimit {
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
			x.malformed()
			return false
		}
		head, rest := &w.resp.Response, data[w.resp.HeadLen:]
		if head.Code == 101 {
			if !x.upgrades() || !head.Upgrade || head.UpgradeH2C {
				x.malformed()
				return false
			}
			kept := u.In
			u.In = wire.Buffer{}
			x.switchProtocols(head, data, rest)
			w.Buffers.Release(&kept)
			return false
		}
		if head.Code >= 200 {
			break
		}
		if !x.interimHead(head, data) {
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
	x.finalHead(&w.resp.Response, data, data[w.resp.HeadLen:], false)
	w.Buffers.Release(&kept)
	return true
}
