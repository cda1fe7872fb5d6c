package server

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// How an upConn sends and reads heads: the HTTP/1.1 part of upSide.

// firstRead is how much is read while a response head is expected: a head with 16 KiB of body.
const firstRead = 20 << 10

func (u *upConn) ready() bool       { return !u.connecting && !u.shaking }
func (u *upConn) reused() bool      { return u.Reused() }
func (u *upConn) unprocessed() bool { return false }
func (u *upConn) chunked() framing  { return frameChunked }

// begin implements upSide.
//
// hot: runs per request; no alloc, no lock.
func (u *upConn) begin(x *Exchange) bool {
	u.write(x.request)
	return !u.broken
}

// readHead implements upSide.
//
// hot: runs per request; no alloc, no lock.
func (u *upConn) readHead(x *Exchange) bool {
	w := u.w
	into := w.scratch
	if w.set.splice > 0 {
		// The rest of a large body is to move by splice, so little of it is copied with the head.
		into = into[:firstRead]
	}
	n := u.read(into)
	if n == 0 {
		if u.eof || u.broken {
			x.upstreamEnds()
		}
		return false
	}
	x.c.restart()
	x.await(x.timeout(x.policy.read, w.set.read))
	data := into[:n]
	if u.in.len() > 0 {
		line := bytes.IndexByte(data, '\n') >= 0
		w.buffers.append(&u.in, data)
		data = u.in.bytes()
		if !line && len(data) < responseHeadLimit {
			return true // one parse per line at most, however the head trickles in
		}
	}
	for {
		w.resp.Reset()
		status := h1.ParseResponse(&w.resp, data, w.set.responseLimits)
		switch {
		case status == h1.Incomplete:
			if u.in.len() == 0 {
				w.buffers.append(&u.in, data)
			}
			return true
		case status != h1.Done:
			x.malformed()
			return false
		}
		head, rest := &w.resp.Response, data[w.resp.HeadLen:]
		if head.Code == 101 {
			if !x.upgrade || !head.Upgrade || head.UpgradeH2C {
				x.malformed()
				return false
			}
			kept := u.in
			u.in = buffer{}
			x.switchProtocols(head, data, rest)
			w.buffers.release(&kept)
			return false
		}
		if head.Code >= 200 {
			break
		}
		if !x.interimHead(head, data) {
			return false
		}
		if u.in.len() > 0 {
			w.buffers.consume(&u.in, w.resp.HeadLen)
			rest = u.in.bytes()
		}
		if len(rest) == 0 {
			return true
		}
		data = rest
	}
	kept := u.in
	u.in = buffer{}
	x.finalHead(&w.resp.Response, data, data[w.resp.HeadLen:], false)
	w.buffers.release(&kept)
	return true
}
